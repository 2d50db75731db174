"""Did it work, for whom, will it elsewhere: panels, synthetic control with placebos, group-time difference in differences, imputation, looks in every
period, inequality, transport."""

from poundlock.pilots.conformal import Conformal, conformal
from poundlock.pilots.declared import Outcome, Pilot, PilotTable
from poundlock.pilots.group_time import Aggregate, Cell, GroupTime, group_time, simultaneous_bands
from poundlock.pilots.imputation import Imputed, impute
from poundlock.pilots.incomes import Inequality, Split, inequality, ratio_of_means, split
from poundlock.pilots.panel import Panel, first_of_flags, outcome_panel, read_pilot
from poundlock.pilots.synthetic_control import Effect, fit_weights, synthetic_control
from poundlock.pilots.transport import Audit, audit, calibrate, carry, transport

__all__ = [
    "Aggregate",
    "Audit",
    "Cell",
    "Conformal",
    "Effect",
    "GroupTime",
    "Imputed",
    "Inequality",
    "Outcome",
    "Panel",
    "Pilot",
    "PilotTable",
    "Split",
    "audit",
    "calibrate",
    "carry",
    "conformal",
    "first_of_flags",
    "fit_weights",
    "group_time",
    "impute",
    "inequality",
    "outcome_panel",
    "ratio_of_means",
    "read_pilot",
    "simultaneous_bands",
    "split",
    "synthetic_control",
    "transport",
]
