"""Poundlock: progressive delivery for financial measures.

`run(plan)` answers a plan's question; `check(plan)` finds everything that is wrong with it. The rooms below are plain
functions on plain arrays: `poundlock.contagion`, `poundlock.risk`, `poundlock.pilots`, `poundlock.system`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poundlock.problems import Problem, ProblemsFound
from poundlock.version import VERSION

if TYPE_CHECKING:
    from poundlock.desk import Assessment, check, run

__version__ = VERSION

__all__ = ["Assessment", "Problem", "ProblemsFound", "__version__", "check", "run"]


def __getattr__(name: str) -> Any:
    """The desk is opened when it is first asked for: `import poundlock` alone stays quick."""
    if name in ("Assessment", "check", "run"):
        from poundlock import desk

        return getattr(desk, name)
    raise AttributeError(f"module 'poundlock' has no attribute '{name}'")
