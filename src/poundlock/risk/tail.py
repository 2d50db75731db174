"""The part of a stream of losses that its statistics rest on: the worst draws, or the draws in which an event happened.

Exact, and no larger than the tail itself, however long the stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poundlock.system.balance import Floats

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Tail:
    """The worst draws of `total`, by falling loss; their weights add up to at least 1 - level of all. losses, weights: (k,).
    draws: (k,), numbers in the stream. replicates: in how many equal parts the stream was scrambled apart; 1: all draws are
    independent. nonzero: draws of the whole stream that lose anything."""

    level: float
    total: int
    losses: Floats = field(repr=False)
    weights: Floats = field(repr=False)
    draws: Whole = field(repr=False)
    replicates: int
    nonzero: int


@dataclass(frozen=True)
class Hits:
    """The draws of `total` in which an event happened. weights, draws: (k,), by number. spread: sum of all squared weights."""

    total: int
    weights: Floats = field(repr=False)
    draws: Whole = field(repr=False)
    replicates: int
    spread: float


@dataclass
class TailKeeper:
    """Gathers a Tail from blocks in any order."""

    level: float
    total: int
    replicates: int = 1
    nonzero: int = 0
    _losses: list[Floats] = field(default_factory=list, repr=False)
    _weights: list[Floats] = field(default_factory=list, repr=False)
    _draws: list[Whole] = field(default_factory=list, repr=False)
    _floor: float = -np.inf
    _waiting: int = 0

    def add(self, draws: Whole, losses: Floats, weights: Floats) -> None:
        """Losses and weights of draws, (b,) each."""
        self.nonzero += int(np.count_nonzero(losses))
        chosen = np.flatnonzero(losses >= self._floor)
        self._losses.append(losses[chosen])
        self._weights.append(weights[chosen])
        self._draws.append(draws[chosen])
        self._waiting += len(chosen)
        if self._waiting > max(65_536, 2 * len(self._losses[0])):
            self._shorten()

    def _shorten(self) -> None:
        losses, weights = np.concatenate(self._losses), np.concatenate(self._weights)
        draws = np.concatenate(self._draws)
        order = np.lexsort((draws, -losses))
        enough = np.searchsorted(np.cumsum(weights[order]), (1.0 - self.level) * self.total) + 1
        kept = order[: int(enough)]
        self._losses, self._weights, self._draws = [losses[kept]], [weights[kept]], [draws[kept]]
        self._waiting = 0
        if enough <= len(order) and len(kept):
            self._floor = float(losses[kept[-1]])

    def state(self) -> dict[str, Floats]:
        """As arrays, for `restore`."""
        self._shorten()
        found = self._losses[0], self._weights[0], self._draws[0].astype(np.float64)
        return dict(zip(("losses", "weights", "draws"), found, strict=True)) | {"nonzero": np.array([self.nonzero])}

    def restore(self, state: dict[str, Floats]) -> None:
        """What `state` gave."""
        self.nonzero = int(state["nonzero"][0])
        self._losses, self._weights = [state["losses"]], [state["weights"]]
        self._draws = [state["draws"].astype(np.int64)]
        self._shorten()

    def gathered(self) -> Tail:
        """What was gathered, when all draws have been added."""
        self._shorten()
        found = self._losses[0], self._weights[0], self._draws[0]
        return Tail(self.level, self.total, *found, self.replicates, self.nonzero)


@dataclass
class HitsKeeper:
    """Gathers Hits from blocks in any order."""

    total: int
    replicates: int = 1
    spread: float = 0.0
    _weights: list[Floats] = field(default_factory=list, repr=False)
    _draws: list[Whole] = field(default_factory=list, repr=False)

    def add(self, draws: Whole, events: NDArray[Any], weights: Floats) -> None:
        """Whether the event happened, and weights, of draws, (b,) each."""
        self.spread += float(weights @ weights)
        chosen = np.flatnonzero(events)
        self._weights.append(weights[chosen])
        self._draws.append(draws[chosen])

    def state(self) -> dict[str, Floats]:
        """As arrays, for `restore`."""
        weights, draws = np.concatenate(self._weights), np.concatenate(self._draws).astype(np.float64)
        return {"weights": weights, "draws": draws, "spread": np.array([self.spread])}

    def restore(self, state: dict[str, Floats]) -> None:
        """What `state` gave."""
        self.spread = float(state["spread"][0])
        self._weights, self._draws = [state["weights"]], [state["draws"].astype(np.int64)]

    def gathered(self) -> Hits:
        """What was gathered, when all draws have been added."""
        weights, draws = np.concatenate(self._weights), np.concatenate(self._draws)
        order = np.argsort(draws)
        return Hits(self.total, weights[order], draws[order], self.replicates, self.spread)


def keeper_for(level: float | None, total: int, replicates: int) -> TailKeeper | HitsKeeper:
    """Of a tail beyond `level`, or, where there is none, of an event."""
    return HitsKeeper(total, replicates) if level is None else TailKeeper(level, total, replicates)
