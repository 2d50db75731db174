"""Loss distributions over scenarios, and whether permitted controls can hold them."""

from poundlock.risk.controllability import CapSearch, loosest_cap
from poundlock.risk.scenarios import Drivers, ScenarioModel, draw_blocks, shock
from poundlock.risk.statistics import Estimate, event_probability, expected_shortfall, incremental_shortfall
from poundlock.risk.tolerances import Outcome, simulate, statistic

__all__ = [
    "CapSearch",
    "Drivers",
    "Estimate",
    "Outcome",
    "ScenarioModel",
    "draw_blocks",
    "event_probability",
    "expected_shortfall",
    "incremental_shortfall",
    "loosest_cap",
    "shock",
    "simulate",
    "statistic",
]
