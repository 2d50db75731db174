"""The life of a programme, as a table: from its draft to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Life = Literal[
    "draft",
    "submitted",
    "returned",
    "assessing",
    "public notice",
    "decision",
    "approved",
    "running",
    "exit review",
    "adopted",
    "winding down",
    "closed",
    "rejected",
    "withdrawn",
]
Who = Literal["applicant", "officer", "calendar", "two people"]
ENDED: Final[frozenset[Life]] = frozenset(("closed", "rejected", "withdrawn"))
EDITABLE: Final[frozenset[Life]] = frozenset(("draft", "returned"))
"""The applicant may change the plan; afterwards it is locked, and only two people can change it."""


@dataclass(frozen=True, slots=True)
class LifeEdge:
    """From one part of the life to another, on what cause, and who may cause it."""

    source: Life
    cause: str
    target: Life
    by: Who


LIFE_EDGES: Final[tuple[LifeEdge, ...]] = (
    LifeEdge("draft", "submit", "submitted", "applicant"),
    LifeEdge("returned", "submit", "submitted", "applicant"),
    LifeEdge("submitted", "accept", "assessing", "officer"),
    LifeEdge("submitted", "return", "returned", "officer"),
    LifeEdge("assessing", "return", "returned", "officer"),
    LifeEdge("assessing", "publish", "public notice", "officer"),
    LifeEdge("assessing", "reject", "rejected", "two people"),
    LifeEdge("public notice", "comments closed", "decision", "calendar"),
    LifeEdge("decision", "approve", "approved", "two people"),
    LifeEdge("decision", "reject", "rejected", "two people"),
    LifeEdge("decision", "return", "returned", "officer"),
    LifeEdge("approved", "start", "running", "two people"),
    LifeEdge("running", "review", "exit review", "officer"),
    LifeEdge("exit review", "adopt", "adopted", "two people"),
    LifeEdge("exit review", "wind down", "winding down", "two people"),
    LifeEdge("adopted", "close", "closed", "officer"),
    LifeEdge("winding down", "close", "closed", "officer"),
    *(
        LifeEdge(source, "withdraw", "withdrawn", "applicant")
        for source in ("draft", "submitted", "returned", "assessing", "public notice", "decision", "approved")
    ),
)
_BY_PLACE: Final = {(e.source, e.cause): e for e in LIFE_EDGES}


def life_edge(life: Life, cause: str) -> LifeEdge | None:
    """The way on from a part of the life on a cause, or None where the table has none."""
    return _BY_PLACE.get((life, cause))
