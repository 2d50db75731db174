"""Did it work, and for whom: panels, synthetic control with placebos, inequality between regions."""

from poundlock.pilots.distribution import gini, theil
from poundlock.pilots.panel import Outcome, Panel, Pilot, PilotTable, outcome_panel, read_pilot
from poundlock.pilots.synthetic_control import Effect, fit_weights, synthetic_control

__all__ = [
    "Effect",
    "Outcome",
    "Panel",
    "Pilot",
    "PilotTable",
    "fit_weights",
    "gini",
    "outcome_panel",
    "read_pilot",
    "synthetic_control",
    "theil",
]
