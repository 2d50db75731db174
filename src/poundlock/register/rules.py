"""The rules that a register keeps: the book of the roll-out machine, as the storage wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from poundlock.register.acts import ERASED, Act
from poundlock.rollout.machine import book
from poundlock.rollout.machine.people import People
from poundlock.rollout.refusal import Refused

_REMOVED: Final = '"removed"'
_APART: Final = "entry:"
"""Objects of acts that remove a payload: they have a state of one word."""


class Rules:
    """Steps of the machine. The last text of each object is kept with its state, so that an office at work reads nothing twice."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, book.State]] = {}

    def reads(self, object: str) -> tuple[str, ...]:
        """A programme's acts need the people."""
        return book.reads(object)

    def checkpoints(self, act: Act) -> bool:
        """After every decision and order."""
        return book.signs(act.name)

    def state(self, object: str, text: str) -> book.State | str:
        """A state from its text."""
        if object.startswith(_APART):
            return text
        known = self._known.get(object)
        if known is None or known[0] != text:
            known = self._known[object] = (text, book.load(object, text))
        return known[1]

    def text(self, state: book.State | str) -> str:
        """Text of a state."""
        return state if isinstance(state, str) else book.dump(state)

    def step(self, states: Mapping[str, book.State | None], act: Act, number: int, at: str) -> book.State | str:
        """The new state. Raises Refused."""
        if act.name == ERASED:
            if act.payload is None:
                raise Refused("refused: the reason of a removal stays; only words about persons can be removed")
            people = states.get(book.PEOPLE)
            if not isinstance(people, People):
                raise Refused("refused: the register was not founded; nothing can be removed")
            book.may_erase(people, act.actor, act.role, at)
            return _REMOVED
        if act.payload is None and not book.erasable(act.name):
            raise Refused(f"refused: '{act.name}' holds what rules rest on; only words about persons can be removed")
        return book.step(states, act.object, act.actor, act.role, act.name, act.text or act.payload, number, at)
