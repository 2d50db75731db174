"""Poundlock: progressive delivery for financial measures.

`run(plan)` answers a plan's question; `check(plan)` finds everything that is wrong with it. The rooms below are plain
functions on plain arrays: `poundlock.contagion`, `poundlock.risk`, `poundlock.pilots`, `poundlock.system`.
"""

from poundlock.desk import Assessment, check, run
from poundlock.problems import Problem, ProblemsFound
from poundlock.version import VERSION

__version__ = VERSION

__all__ = ["Assessment", "Problem", "ProblemsFound", "__version__", "check", "run"]
