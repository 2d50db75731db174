"""Loss distributions over scenarios, and whether permitted controls can hold them."""

from poundlock.risk.controllability import ControlSearch, Point, Range, Tried, cheapest_setting
from poundlock.risk.rescue import Rescue, cheapest_fund, cheapest_injection, cheapest_rescues
from poundlock.risk.scenarios import EMPTY, Drivers, FactorShares, ScenarioModel, draw_blocks, shock
from poundlock.risk.sensitivity import Change, Sensitivity, sensitivity
from poundlock.risk.statistics import Estimate, event_probability, expected_shortfall, incremental_shortfall
from poundlock.risk.tilting import shifts_for
from poundlock.risk.tolerances import Outcome, simulate, statistic
from poundlock.risk.trials import Trials

__all__ = [
    "EMPTY",
    "Change",
    "ControlSearch",
    "Drivers",
    "Estimate",
    "FactorShares",
    "Outcome",
    "Point",
    "Range",
    "Rescue",
    "ScenarioModel",
    "Sensitivity",
    "Trials",
    "Tried",
    "cheapest_fund",
    "cheapest_injection",
    "cheapest_rescues",
    "cheapest_setting",
    "draw_blocks",
    "event_probability",
    "expected_shortfall",
    "incremental_shortfall",
    "sensitivity",
    "shifts_for",
    "shock",
    "simulate",
    "statistic",
]
