"""Did it work, and for whom: panels, synthetic control with placebos, group-time difference in differences, imputation, inequality
between regions."""

from poundlock.pilots.distribution import gini, theil
from poundlock.pilots.group_time import Aggregate, Cell, GroupTime, group_time, simultaneous_bands
from poundlock.pilots.imputation import Imputed, impute
from poundlock.pilots.panel import Outcome, Panel, Pilot, PilotTable, outcome_panel, read_pilot
from poundlock.pilots.synthetic_control import Effect, fit_weights, synthetic_control

__all__ = [
    "Aggregate",
    "Cell",
    "Effect",
    "GroupTime",
    "Imputed",
    "Outcome",
    "Panel",
    "Pilot",
    "PilotTable",
    "fit_weights",
    "gini",
    "group_time",
    "impute",
    "outcome_panel",
    "read_pilot",
    "simultaneous_bands",
    "synthetic_control",
    "theil",
]
