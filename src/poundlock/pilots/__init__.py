"""Did it work, and for whom: panels, synthetic control with placebos, group-time difference in differences, imputation, inequality
between regions."""

from poundlock.pilots.distribution import gini, theil
from poundlock.pilots.group_time import Aggregate, Cell, GroupTime, group_time, simultaneous_bands
from poundlock.pilots.imputation import Imputed, impute
from poundlock.pilots.incomes import Inequality, Split, inequality, ratio_of_means, split
from poundlock.pilots.panel import Outcome, Panel, Pilot, PilotTable, outcome_panel, read_pilot
from poundlock.pilots.synthetic_control import Effect, fit_weights, synthetic_control

__all__ = [
    "Aggregate",
    "Cell",
    "Effect",
    "GroupTime",
    "Imputed",
    "Inequality",
    "Outcome",
    "Panel",
    "Pilot",
    "PilotTable",
    "Split",
    "fit_weights",
    "gini",
    "group_time",
    "impute",
    "inequality",
    "outcome_panel",
    "ratio_of_means",
    "read_pilot",
    "simultaneous_bands",
    "split",
    "synthetic_control",
    "theil",
]
