"""How far losses spread: claims by one valuation fixed point, prices and funding around it, over blocks of scenarios."""

from poundlock.contagion.behaviour import FireSales, Funding
from poundlock.contagion.engine import cascade, clear, debtrank, propagate
from poundlock.contagion.importance import Importance, importance
from poundlock.contagion.model import Model, prepare
from poundlock.contagion.outcome import CHANNELS, Propagation
from poundlock.system.balance import VALUATIONS

__all__ = [
    "CHANNELS",
    "VALUATIONS",
    "FireSales",
    "Funding",
    "Importance",
    "Model",
    "Propagation",
    "cascade",
    "clear",
    "debtrank",
    "importance",
    "prepare",
    "propagate",
]
