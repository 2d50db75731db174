"""A mistake in a user's file is a value: a Problem. They are collected, then shown together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

Place = tuple[str, int | None]
"""A file and a line in it."""

Where = Callable[..., Place]
"""From keys of a declaration, outermost first, to the place where it stands; no key is the declaration itself."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in an input, with the way to mend it.

    file: path as the user wrote it. line: 1-based line in that file, or None when the whole file is meant.
    found, expected, cure: one plain sentence part each, without a final full stop.
    """

    file: str
    line: int | None
    found: str
    expected: str
    cure: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: found {self.found}; expected {self.expected}. Cure: {self.cure}."


def nowhere(*keys: str | int) -> Place:
    """For declarations that were made in code, not in a file."""
    return "plan", None


class ProblemsFound(Exception):  # noqa: N818 - it carries problems, it is not one error
    """Raised once, after every Problem of an input has been collected."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(
            sorted(set(problems), key=lambda p: (p.file, p.line if p.line is not None else 0, p.found))
        )
        super().__init__("\n".join(str(p) for p in self.problems))
