"""Many settings of one system on the same scenarios, over an ensemble of networks; only scenarios that can matter are looked at.

If a looser setting never lowers a loss, then what a scenario loses lies between its losses at the tightest and at the loosest
setting. Scenarios whose loss at the loosest is below the boundary of the tail at the tightest are in no tail between; those
without an event at the loosest have none between, those with one at the tightest always have it. They need not be looked at,
and every estimate stays exact. A looser setting
may lower some losses a little (a margin earned, risk spread wider); so the boundary is drawn a tenth lower, it is checked each
time that no scenario strays from between the ends by more, and what a search ends with is simulated in full.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from poundlock.contagion import prepare
from poundlock.contagion.model import Model
from poundlock.risk.draws import BLOCK, REPLICATES
from poundlock.risk.scenarios import EMPTY, ScenarioModel, Shocks, draw_blocks, drivers, joined, rows_of
from poundlock.risk.statistics import CONFIDENCE, Estimate
from poundlock.risk.tail import Hits, HitsKeeper, Tail, TailKeeper, Whole, keeper_for
from poundlock.risk.tolerances import estimate, groups_of, measured, spread_of
from poundlock.rollout.plan import ExpectedShortfall, Tolerance
from poundlock.system.balance import Floats, System

MARGIN = 0.1  # of the boundary of a tail; losses may stray so far from between the two ends
Setting = tuple[float, ...]
Keeper = TailKeeper | HitsKeeper


@dataclass(frozen=True)
class Trial:
    """One setting on one network. estimates: of each tolerance. monotone: no scenario that was looked at strays from between its
    losses at the tightest and at the loosest setting by more than was allowed for."""

    estimates: tuple[Estimate, ...]
    converged: bool
    monotone: bool = True


@dataclass(frozen=True)
class _Bound:
    """Loss from which on a scenario can matter, how far losses may stray, and the events that are there at any setting."""

    least: float
    margin: float
    sure: Hits | None


@dataclass(frozen=True)
class Narrowed:
    """What one network makes of the scenarios that can matter. bounds: by tolerance. low, high: by tolerance, losses or events at the
    tightest and at the loosest setting, of those scenarios in their order."""

    bounds: list[_Bound] = field(repr=False)
    low: list[Floats] = field(repr=False)
    high: list[Floats] = field(repr=False)


@dataclass
class _Kept:
    """Gathers the scenarios that can matter in any network: the same for all, since they stand for most of the memory and networks
    differ little in which they are. bounds: by network and tolerance."""

    bounds: list[list[_Bound]]
    blocks: list[Shocks] = field(default_factory=list)
    draws: list[Whole] = field(default_factory=list)
    values: list[list[list[Floats]]] = field(default_factory=list)

    def add(self, block: Shocks, values: list[list[Floats]]) -> None:
        """values: by network and tolerance, (b,) each."""
        draws = block.first + np.arange(len(block.weight))
        near = np.zeros(len(draws), dtype=bool)
        for of, bounds in zip(values, self.bounds, strict=True):
            for value, bound in zip(of, bounds, strict=True):
                near |= (value >= bound.least) & ~np.isin(draws, bound.sure.draws if bound.sure else [])
        rows = np.flatnonzero(near)
        self.blocks.append(rows_of(block, rows))
        self.draws.append(draws[rows])
        self.values.append([[value[rows] for value in of] for of in values])

    def high(self) -> list[list[Floats]]:
        """By network and tolerance, of all that was gathered."""
        return [[np.concatenate(parts) for parts in zip(*of, strict=True)] for of in zip(*self.values, strict=True)]


class Trials:
    """Settings tried on common draws. system_of: setting and number of a network to a System; it changes exposures and balances,
    never who there is. networks: how many. without: by network, what was gathered without any measure, for tolerances on what is
    added, by tolerance id. shifts, behaviour: as for `simulate`. confidence: of intervals. progress: called with the number of scenarios of each finished piece."""

    def __init__(
        self,
        system_of: Callable[[Setting, int], System],
        networks: int,
        model: ScenarioModel,
        tolerances: Sequence[Tolerance],
        *,
        without: Sequence[Mapping[str, Tail | Hits]] = (),
        shifts: Floats = EMPTY,
        behaviour: dict[str, Any] | None = None,
        confidence: float = CONFIDENCE,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.system_of, self.networks, self.model = system_of, networks, model
        self.tolerances, self.without = tuple(tolerances), tuple(without)
        self.shifts, self.behaviour, self.confidence = shifts, behaviour or {}, confidence
        self.progress = progress or (lambda done: None)
        self.near: Shocks | None = None
        self.draws: Whole = np.zeros(0, dtype=np.int64)
        self.narrowed: tuple[Narrowed, ...] = ()
        self._spread = 0.0
        self.looked_at = 0

    def narrow(self, tightest: Setting, loosest: Setting) -> tuple[list[Trial], list[Trial]]:
        """Simulate both ends in full, all networks on the same draws, and keep what can matter between them."""
        tight, found = self.in_full(tightest)
        kept = _Kept([[_boundary(one) for one in of] for of in found])
        loose, _ = self.in_full(loosest, kept)
        self.near, self.draws = joined(kept.blocks), np.concatenate(kept.draws)
        self.narrowed = tuple(
            Narrowed(bounds, self._values(self._made(tightest, k), self.near)[0], high)
            for k, (bounds, high) in enumerate(zip(kept.bounds, kept.high(), strict=True))
        )
        return tight, loose

    def at(self, setting: Setting, network: int) -> Trial:
        """Every tolerance's estimate, from the scenarios that can matter."""
        chosen, near, draws = self.narrowed[network], self.near, self.draws
        if near is None:
            raise ValueError("no scenarios to look at yet; narrow to the ends of the settings first")
        values, converged = self._values(self._made(setting, network), near)
        ends = zip(values, chosen.low, chosen.high, chosen.bounds, strict=True)
        monotone = all(bool(np.all((v >= low - b.margin) & (v <= high + b.margin))) for v, low, high, b in ends)
        estimates = []
        for tolerance, value, bound in zip(self.tolerances, values, chosen.bounds, strict=True):
            keeper, new = self._keeper(tolerance), np.ones(len(draws), dtype=bool)
            if bound.sure is not None:
                keeper.add(bound.sure.draws, np.ones(len(bound.sure.draws)), bound.sure.weights)
                new = ~np.isin(draws, bound.sure.draws)
            keeper.add(draws[new], value[new], near.weight[new])
            estimates.append(self._estimate(tolerance, keeper, network))
        self.looked_at += len(draws)
        self.progress(len(draws))
        return Trial(tuple(estimates), converged, monotone)

    def in_full(self, setting: Setting, kept: _Kept | None = None) -> tuple[list[Trial], list[list[Keeper]]]:
        """All scenarios of all networks at one setting, drawn once: a trial for each network, and what was gathered."""
        keepers, converged = self._gathered(setting, kept)
        trials = [
            Trial(tuple(self._estimate(t, keeper, k) for t, keeper in zip(self.tolerances, of, strict=True)), good)
            for k, (of, good) in enumerate(zip(keepers, converged, strict=True))
        ]
        return trials, keepers

    def found(self, setting: Setting) -> list[dict[str, Tail | Hits]]:
        """By network, what is gathered for each tolerance at one setting, from all scenarios; for `without` of other trials."""
        keepers, _ = self._gathered(setting)
        return [{t.id: keeper.gathered() for t, keeper in zip(self.tolerances, of, strict=True)} for of in keepers]

    def _gathered(self, setting: Setting, kept: _Kept | None = None) -> tuple[list[list[Keeper]], list[bool]]:
        made = [self._made(setting, k) for k in range(self.networks)]
        keepers = [[self._keeper(t) for t in self.tolerances] for _ in made]
        converged, self._spread = [True] * len(made), 0.0
        for block in draw_blocks(drivers(made[0].system, self.model), self.model, self.shifts):
            draws = block.first + np.arange(len(block.weight))
            self._spread += float(block.weight @ block.weight)
            values = []
            for k, one in enumerate(made):
                found, good = self._values(one, block)
                converged[k] &= good
                for keeper, value in zip(keepers[k], found, strict=True):
                    keeper.add(draws, value, block.weight)
                values.append(found)
            if kept:
                kept.add(block, values)
            self.looked_at += len(draws) * len(made)
            self.progress(len(draws) * len(made))
        for keeper in (one for of in keepers for one in of if isinstance(one, HitsKeeper)):
            keeper.spread = self._spread
        return keepers, converged

    def _made(self, setting: Setting, network: int) -> Model:
        system = self.system_of(setting, network)
        return prepare(system, valuation=self.model.valuation, recovery=self.model.recovery, **self.behaviour)

    def _values(self, made: Model, shocks: Shocks) -> tuple[list[Floats], bool]:
        """What each tolerance looks at, (s,) each, and whether all converged; a piece at a time, so that little is held at once."""
        groups, found, converged = groups_of(made.system, self.tolerances), [], True
        for first in range(0, max(len(shocks.weight), 1), BLOCK):
            result = spread_of(made, rows_of(shocks, slice(first, first + BLOCK)))
            converged &= bool(result.converged.all())
            found.append(measured(self.tolerances, groups, result.equity_lost, result.default))
        return [np.concatenate(parts) for parts in zip(*found, strict=True)], converged

    def _keeper(self, tolerance: Tolerance) -> Keeper:
        level = tolerance.level if isinstance(tolerance, ExpectedShortfall) else None
        return keeper_for(level, self.model.count, REPLICATES if self.model.draws == "sobol" else 1)

    def _estimate(self, tolerance: Tolerance, keeper: Keeper, network: int) -> Estimate:
        if isinstance(keeper, HitsKeeper):
            keeper.spread = self._spread
        base = self.without[network].get(tolerance.id) if self.without else None
        return estimate(tolerance, keeper.gathered(), base, self.confidence)


def _boundary(keeper: Keeper) -> _Bound:
    """What can matter beyond what was gathered at the tightest setting: losses from the smallest of the tail on, less a margin; events
    that are not there yet."""
    found = keeper.gathered()
    if isinstance(found, Hits):
        return _Bound(0.5, 0.0, found)
    margin = MARGIN * float(found.losses[-1])
    return _Bound(float(found.losses[-1]) - margin, margin, None)
