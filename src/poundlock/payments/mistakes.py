"""Mistakes of one input, kind by kind: a limited number of each is told one by one, then how many more there were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from poundlock.problems import Problem

SHOWN: Final = 20
"""Of each kind."""


class Mistakes:
    """Adds Problems to a list as they are found, and at last, with `rest`, the numbers of those that were not told."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._count: dict[str, int] = {}
        self._next: dict[str, Problem] = {}

    def add(self, kind: str, rows: Sequence[int], told: Callable[[int], Problem]) -> None:
        """Rows that have one kind of mistake, in the order of the file. told: the Problem of a row."""
        before = self._count.get(kind, 0)
        self._count[kind] = before + len(rows)
        self._problems += [told(int(row)) for row in rows[: max(SHOWN - before, 0)]]
        if before <= SHOWN < before + len(rows):
            self._next[kind] = told(int(rows[SHOWN - before]))

    def rest(self) -> None:
        """What was not told one by one."""
        for kind, problem in self._next.items():
            more = self._count[kind] - SHOWN
            self._problems.append(replace(problem, found=f"{more:,} more like this, the first: {problem.found}"))
