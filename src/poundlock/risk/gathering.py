"""What a simulation keeps of its scenarios: tails, events, curves and means; can be saved and taken up again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from poundlock.contagion import Propagation
from poundlock.risk.tail import Hits, Tail, Whole, keeper_for
from poundlock.rollout.plan import ExpectedShortfall, Tolerance
from poundlock.system.balance import Floats

BINS = 10_000


@dataclass(frozen=True)
class Curve:
    """How likely each share of equity is lost. weight: (BINS + 1,), of the scenarios in each bin of equal width, the last for a
    loss of all; quantiles are exact to 1 / BINS."""

    weight: Floats = field(repr=False)

    def quantile(self, chance: float) -> float:
        """The share that is lost or exceeded with this chance, the upper end of its bin (nought where nothing is lost)."""
        beyond = np.cumsum(self.weight[::-1])[::-1]
        reached = np.flatnonzero(beyond >= chance * beyond[0] * (1.0 - 1e-12))
        return float(reached[-1]) / BINS if len(reached) else 0.0


class Gathering:
    """Sums over scenarios for the tolerances of a plan."""

    def __init__(
        self,
        tolerances: Sequence[Tolerance],
        groups: int,
        institutions: int,
        count: int,
        replicates: int,
        digest: str = "",
    ) -> None:
        """digest: of everything that the sums depend on, so that no other run is taken up."""
        self.tolerances, self.count, self.digest = tuple(tolerances), count, digest
        levels = [t.level if isinstance(t, ExpectedShortfall) else None for t in tolerances]
        self._kept = [tuple(keeper_for(level, count, replicates) for _ in range(2)) for level in levels]
        self._curves = np.zeros((groups, BINS + 1))
        self.mean_lost, self.failed = np.zeros(institutions), np.zeros(institutions)
        self.converged, self.rounds, self.gap = True, 0, 0.0

    def add(self, draws: Whole, found: Sequence[Floats], at_once: Sequence[Floats], weights: Floats) -> None:
        """Losses or events of each tolerance, in all and by the shock alone, (b,) each, of draws."""
        for keepers, *values in zip(self._kept, found, at_once, strict=True):
            for keeper, value in zip(keepers, values, strict=True):
                keeper.add(draws, value, weights)

    def add_all(self, share: Floats, result: Propagation, weights: Floats) -> None:
        """Shares of equity lost by the groups, (b, g), and the whole outcome."""
        for g in range(len(self._curves)):
            bins = np.ceil(share[:, g] * BINS - 1e-9).astype(np.int64)
            self._curves[g] += np.bincount(np.clip(bins, 0, BINS), weights, minlength=BINS + 1)
        self.mean_lost += weights @ result.equity_lost / self.count
        self.failed += weights @ result.default / self.count
        self.converged = self.converged and bool(result.converged.all())
        self.rounds = max(self.rounds, int(result.rounds.max()))
        self.gap = max(self.gap, float(result.gap.max()))

    def curves(self) -> tuple[Curve, ...]:
        """By group."""
        return tuple(Curve(weight) for weight in self._curves)

    def found(self) -> tuple[dict[str, Tail | Hits], dict[str, Tail | Hits]]:
        """By tolerance id, in all and by the shock alone."""
        both: tuple[dict[str, Tail | Hits], dict[str, Tail | Hits]] = ({}, {})
        for tolerance, keepers in zip(self.tolerances, self._kept, strict=True):
            for into, keeper in zip(both, keepers, strict=True):
                into[tolerance.id] = keeper.gathered()
        return both

    def save(self, path: Path, pieces: int) -> None:
        """Write what was gathered from the first so many pieces, whole or not at all."""
        arrays: dict[str, Any] = {f"keeper{k}-{m}-{name}": array for k, m, name, array in self._states()}
        scalars = np.array([pieces, self.converged, self.rounds, self.gap], dtype=np.float64)
        new = path.with_suffix(".new")
        with new.open("wb") as file:
            np.savez(
                file,
                digest=np.array(self.digest),
                scalars=scalars,
                curves=self._curves,
                mean=self.mean_lost,
                failed=self.failed,
                **arrays,
            )
        new.replace(path)

    def resume(self, path: Path) -> int:
        """Take up what was saved; returns the number of pieces that it holds, nought where there is no file.

        Raises ValueError for a file that is not of this run."""
        if not path.exists():
            return 0
        try:
            with np.load(path, allow_pickle=False) as file:
                saved = {name: file[name] for name in file.files}
        except (BadZipFile, ValueError, OSError) as mistake:
            raise ValueError(f"{path} is no saved run; remove it, or name another file") from mistake
        if str(saved.get("digest", "")) != self.digest or "scalars" not in saved:
            raise ValueError(f"{path} was saved by another run; remove it, or name another file")
        for k, keepers in enumerate(self._kept):
            for m, keeper in enumerate(keepers):
                prefix = f"keeper{k}-{m}-"
                keeper.restore({n[len(prefix) :]: of for n, of in saved.items() if n.startswith(prefix)})
        self._curves, self.mean_lost, self.failed = saved["curves"], saved["mean"], saved["failed"]
        pieces, converged, rounds, self.gap = saved["scalars"]
        self.converged, self.rounds = bool(converged), int(rounds)
        return int(pieces)

    def _states(self) -> list[tuple[int, int, str, Floats]]:
        return [
            (k, m, name, array)
            for k, keepers in enumerate(self._kept)
            for m, keeper in enumerate(keepers)
            for name, array in keeper.state().items()
        ]
