"""How far losses spread: one valuation fixed point, over blocks of scenarios."""

from poundlock.contagion.engine import Propagation, clear, debtrank, propagate
from poundlock.contagion.importance import Importance, importance
from poundlock.contagion.valuation import VALUATIONS

__all__ = ["VALUATIONS", "Importance", "Propagation", "clear", "debtrank", "importance", "propagate"]
