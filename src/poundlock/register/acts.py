"""What the register is asked to keep, and what it asks of the rules that it knows nothing about."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from poundlock.rollout.canonical import Json, canonical
from poundlock.rollout.chain import ERASED

__all__ = ["ERASED", "Act", "Conflict", "Fold", "Unavailable", "as_replayed", "payload_text", "stamp"]
read: Final = json.JSONDecoder().decode
"""From a payload's text to the payload."""
LONGEST_NAME: Final = 500
LARGEST_PAYLOAD_BYTES: Final = 8 << 20
LARGEST_FILE_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does. actor, role: who, and as what. name: of what is done. object: to what, e.g. 'programme:zhejiang'.
    payload: in detail; None only where it was removed, when an entry is read or replayed. text: of the payload, canonical, once it was written."""

    actor: str
    role: str
    name: str
    object: str
    payload: Mapping[str, Json] | None
    text: str = field(default="", compare=False, repr=False)


class Fold(Protocol):
    """The rules: what an act makes of the state of its object. It must depend on nothing but what it is given."""

    def reads(self, object: str) -> tuple[str, ...]:
        """Objects whose states `step` needs beside that of `object`."""
        ...

    def state(self, object: str, text: str) -> Any:
        """A state from its text, as it is kept between steps."""
        ...

    def text(self, state: Any) -> str:
        """Text of a state: the same for equal states."""
        ...

    def step(self, states: Mapping[str, Any], act: Act, number: int, at: str) -> Any:
        """New state of act.object. states: of it and of what it reads; None where there is none yet.

        Raises Refused where the act is against the rules. An act whose payload was removed must still lead to a state, which holds
        nothing of that payload; where it cannot, Refused says so and the payload is not removed.
        """
        ...

    def checkpoints(self, act: Act) -> bool:
        """Whether a checkpoint is signed after the act. It must not look at the payload, which may be removed."""
        ...


class Conflict(Exception):  # noqa: N818 - it tells of a race that was lost, it is not a fault
    """Somebody was faster: the head is no longer what was expected. Nothing was written; read again and decide again."""


class Unavailable(Exception):  # noqa: N818 - the fault is the disk's or the server's
    """The storage cannot do what was asked: full, locked, read only, out of reach. The message says what was written."""


def stamp(at: datetime) -> str:
    """As 2026-11-26T21:04:05.123456Z. Raises ValueError for a time without a zone."""
    if at.tzinfo is None:
        raise ValueError(
            f"found time {at.isoformat()} without a zone; expected one with it. Cure: add UTC or an offset."
        )
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def payload_text(act: Act) -> str:
    """Canonical text of the payload, after its act was looked at. Raises ValueError or TypeError for what cannot be kept."""
    for what, text in (("actor", act.actor), ("role", act.role), ("act", act.name), ("object", act.object)):
        if not isinstance(text, str) or not 0 < len(text) <= LONGEST_NAME:
            raise ValueError(f"found {what} {text!r:.80}; expected a text of 1 to {LONGEST_NAME} characters")
        if any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
            raise ValueError(
                f"found {what} {text!r:.80} with a control character or a lone surrogate; expected plain text"
            )
    if not isinstance(act.payload, Mapping):
        raise TypeError(f"found a payload of {type(act.payload).__name__}; expected a mapping")
    text = canonical(act.payload).decode()
    if len(text) > LARGEST_PAYLOAD_BYTES:
        raise ValueError(
            f"found a payload of {len(text):,} characters; expected at most {LARGEST_PAYLOAD_BYTES:,}. Cure: keep it as a file."
        )
    return text


def as_replayed(act: Act, text: str) -> Act:
    """The act as every later replay sees it: its payload read from the text that is kept."""
    return Act(act.actor, act.role, act.name, act.object, read(text), text)
