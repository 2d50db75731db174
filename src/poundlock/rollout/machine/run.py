"""The machine of one run of a stage, as a table: states, and the only ways between them.

Whatever is not in the table cannot be done: there is no right to pass it by, for anybody. Machines and the calendar may hold; into
'passed' leads one edge, and two people stand on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

State = Literal[
    "pending",
    "active",
    "deciding",
    "held",
    "held critical",
    "rolling back",
    "stuck",
    "passed",
    "finished",
    "rolled back",
    "cancelled",
]
By = Literal["calendar", "machine", "officer", "duty officer", "two people", "three people"]
EXPOSING: Final[frozenset[State]] = frozenset(("active", "deciding", "held", "held critical", "rolling back", "stuck"))
"""Institutions bear risk for the measure: as agreed, frozen, without new business, or shrinking."""
OVER: Final[frozenset[State]] = frozenset(("passed", "finished", "rolled back", "cancelled"))
"""Nothing leads out; to try again is another run."""
EXPOSURE: Final[dict[State, str]] = {
    "pending": "none yet",
    "active": "as agreed",
    "deciding": "as agreed",
    "held": "frozen",
    "held critical": "no new business",
    "rolling back": "shrinking",
    "stuck": "shrinking",
    "passed": "carried by the next stage",
    "finished": "none",
    "rolled back": "none",
    "cancelled": "none",
}


@dataclass(frozen=True, slots=True)
class Edge:
    """From a state to another, on what cause, and who may cause it."""

    source: State
    cause: str
    target: State
    by: By


EDGES: Final[tuple[Edge, ...]] = (
    Edge("pending", "start", "active", "two people"),
    Edge("pending", "cancel", "cancelled", "officer"),
    Edge("active", "window closed", "deciding", "calendar"),
    Edge("active", "doubt", "held", "machine"),
    Edge("active", "overdue", "held", "calendar"),
    Edge("active", "hold", "held", "officer"),
    Edge("active", "breach", "held critical", "machine"),
    Edge("active", "roll back", "rolling back", "two people"),
    Edge("active", "end date", "rolling back", "calendar"),
    Edge("deciding", "pass", "passed", "two people"),
    Edge("deciding", "extend", "active", "two people"),
    Edge("deciding", "finish", "finished", "two people"),
    Edge("deciding", "roll back", "rolling back", "two people"),
    Edge("deciding", "doubt", "held", "machine"),
    Edge("deciding", "late return", "held", "machine"),
    Edge("deciding", "changed plan", "held", "machine"),
    Edge("deciding", "overdue", "held", "calendar"),
    Edge("deciding", "hold", "held", "officer"),
    Edge("deciding", "breach", "held critical", "machine"),
    Edge("deciding", "end date", "rolling back", "calendar"),
    Edge("held", "resume", "active", "two people"),
    Edge("held", "roll back", "rolling back", "two people"),
    Edge("held", "breach", "held critical", "machine"),
    Edge("held", "end date", "rolling back", "calendar"),
    Edge("held critical", "pre-authorised", "rolling back", "machine"),
    Edge("held critical", "roll back", "rolling back", "duty officer"),
    Edge("held critical", "resume", "active", "three people"),
    Edge("held critical", "end date", "rolling back", "calendar"),
    Edge("rolling back", "unwound", "rolled back", "officer"),
    Edge("rolling back", "overdue", "stuck", "calendar"),
    Edge("rolling back", "cannot unwind", "stuck", "officer"),
    Edge("stuck", "revise", "rolling back", "two people"),
)
_BY_PLACE: Final = {(e.source, e.cause): e for e in EDGES}


def edge(state: State, cause: str) -> Edge | None:
    """The way out of a state on a cause, or None where the table has none."""
    return _BY_PLACE.get((state, cause))


def causes(state: State) -> tuple[Edge, ...]:
    """Every way out of a state."""
    return tuple(e for e in EDGES if e.source == state)
