"""Poundlock: progressive delivery for financial measures.

`run(plan)` answers a plan's question; `evaluate(plan)` what it asks of its pilot alone; `check(plan)` finds everything that is wrong with it; `spread(system)` says how far a
shock goes. The rooms below are plain
functions on plain arrays: `poundlock.contagion`, `poundlock.risk`, `poundlock.pilots`, `poundlock.system`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poundlock.problems import Problem, ProblemsFound
from poundlock.version import VERSION

if TYPE_CHECKING:
    from poundlock.desk import Assessment, Evaluation, SpreadAnswer, check, evaluate, run, spread

__version__ = VERSION

__all__ = [
    "Assessment",
    "Evaluation",
    "Problem",
    "ProblemsFound",
    "SpreadAnswer",
    "__version__",
    "check",
    "evaluate",
    "run",
    "spread",
]


def __getattr__(name: str) -> Any:
    """The desk is opened when it is first asked for: `import poundlock` alone stays quick."""
    if name in ("Assessment", "Evaluation", "SpreadAnswer", "check", "evaluate", "run", "spread"):
        from poundlock import desk

        return getattr(desk, name)
    raise AttributeError(f"module 'poundlock' has no attribute '{name}'")
