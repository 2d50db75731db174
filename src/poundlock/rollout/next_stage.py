"""Where next: among regions that consent, those that would teach most under the risk still within tolerance. Proposes with reasons; people choose."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from poundlock.rollout.schedule import Power, staggered, stepped_wedge
from poundlock.rollout.sites import k_median

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
TIE: Final = 1e-9
NO_CONSENT: Final = "it has not consented"
WEAK: Final = 1.0 / 3.0
"""Regions whose strength lies in the lowest third of all are weak."""
COMMON: Final = 100.0
"""Variance of the effect that all regions share, before any is tried, in that of effects among regions: nothing is known of it."""


@dataclass(frozen=True)
class Candidates:
    """All regions, tried or not. names (n,). characteristics (n, k). tried, consented (n,). strength (n,): by which they are weak or strong. risk (n,): what each would add, in the
    unit of the room for it, NaN where unknown; None where risk is not counted."""

    names: tuple[str, ...]
    characteristics: Floats = field(repr=False)
    tried: Mask = field(repr=False)
    consented: Mask = field(repr=False)
    strength: Floats = field(repr=False)
    risk: Floats | None = field(repr=False, default=None)


class Chosen(NamedTuple):
    """A region of the proposed stage. teaches: share of what is unknown of the regions left that it removes, after those above it. risk: that it adds. weak: on purpose."""

    name: str
    teaches: float
    risk: float | None
    weak: bool
    reason: str


@dataclass(frozen=True)
class Proposal:
    """A stage, by rank. passed: regions that were passed over, and why. teaches: share of what is unknown of the regions left that all of them remove. risk, room: together, and
    what there is; exceeds: chance that it is exceeded. alike: so many regions of the candidates' mean risk could start at once. started: of all that consent, how many by
    each wave. power: of that roll-out, None with fewer than two. notes: what a reader must know. seed: of the order among equals."""

    chosen: tuple[Chosen, ...]
    passed: tuple[tuple[str, str], ...]
    teaches: float
    risk: float | None
    room: float | None
    exceeds: float | None
    alike: float | None
    started: tuple[int, ...]
    power: Power | None
    notes: tuple[str, ...]
    chosen_by: str
    seed: int


def unknown(
    characteristics: ArrayLike, tried: ArrayLike, *, among: float, noise: float, explained: float = 0.5
) -> Floats:
    """Variance of the effect in every region once those tried have told theirs, (n,).

    characteristics: (n, k), standardised here. tried: (n,), mask. among: standard deviation of effects among regions, of whose variance characteristics explain the share
    `explained`, linearly. noise: standard error of an effect measured in one region. A Gaussian prior, with a mean of which nothing is known; see Rasmussen
    and Williams 2006, Gaussian Processes for Machine Learning, section 2.2.
    """
    prior = _prior(np.asarray(characteristics, dtype=np.float64), among, explained)
    return _left(prior, np.asarray(tried, dtype=bool), noise)


def _prior(x: Floats, among: float, explained: float) -> Floats:
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ValueError(f"characteristics {x.shape} with gaps or not a table; expected (regions, k), all known")
    if not (among > 0.0 and 0.0 <= explained <= 1.0):
        raise ValueError(f"among {among:g}, explained {explained:g}; expected above 0, and a share")
    spread = x.std(axis=0)
    z = (x - x.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    by = z @ z.T / x.shape[1]
    return np.asarray(among**2 * (COMMON + explained * by + (1.0 - explained) * np.eye(len(x))))


def _left(prior: Floats, tried: Mask, noise: float) -> Floats:
    if not tried.any():
        return np.diag(prior).copy()
    known = prior[np.ix_(tried, tried)] + noise**2 * np.eye(int(tried.sum()))
    across = prior[:, tried]
    return np.asarray(np.diag(prior) - np.einsum("ij,ij->i", across, np.linalg.solve(known, across.T).T))


def wave_size(harm_mean: float, harm_sd: float, noise_sd: float, left: float, delta: float) -> float:
    """Most units in the next wave for which the chance that their harm exceeds what is left of the budget stays at delta or below, and for any fewer too; infinite where
    no number does.

    harm_mean, harm_sd: of what is believed of the mean harm a unit; noise_sd: of one unit around it. m units harm by N(m harm_mean, m^2 harm_sd^2 + m noise_sd^2). Raises
    ValueError for spreads below nought and delta outside (0, 0.5). Source: Li, Mao and Bojinov 2023, Balancing Risk and Reward, NeurIPS, section 3.
    """
    if not (harm_sd >= 0.0 and noise_sd >= 0.0 and 0.0 < delta < 0.5 and np.isfinite([harm_mean, left]).all()):
        raise ValueError(
            f"harm_sd {harm_sd:g}, noise_sd {noise_sd:g}, delta {delta:g}; expected none below 0, and delta within (0, 0.5)"
        )
    if left <= 0.0:
        return 0.0
    z = float(norm.ppf(1.0 - delta))
    mean, sd, noise = harm_mean / left, z * harm_sd / left, z * noise_sd / left  # the budget is one
    half = mean + noise**2 / 2.0  # (mean^2 - sd^2) m^2 - 2 half m + 1 = 0 where the chance is delta
    under = noise**2 * (mean + noise**2 / 4.0) + sd**2  # half^2 - (mean^2 - sd^2), without what cancels
    if under < 0.0 or half + np.sqrt(under) <= 0.0:
        return float("inf")
    return float(np.floor((1.0 + 1e-12) / (half + np.sqrt(under))))


def chance_to_exceed(risks: ArrayLike, room: float, *, error: float, own: float) -> float:
    """Chance that regions together add more than there is room for. risks (m,): expected. error: relative standard error that they share; own: relative standard deviation of
    each around its own."""
    r = np.asarray(risks, dtype=np.float64)
    spread = float(np.hypot(error * r.sum(), own * np.sqrt(np.sum(r**2))))
    if spread == 0.0:
        return float(r.sum() > room)
    return float(norm.sf((room - r.sum()) / spread))


def next_stage(
    of: Candidates,
    *,
    regions: int,
    waves: int,
    among: float,
    noise: float,
    within: float,
    between: float,
    room: float | None = None,
    risk_error: float = 0.0,
    risk_own: float = 0.25,
    exceed: float = 0.05,
    weak_wanted: bool = True,
    choose_by: Literal["learning", "k-median"] = "learning",
    seed: int = 1,
) -> Proposal:
    """Propose up to `regions` regions for the next stage.

    Only regions that consent and were not tried; never so many that the chance of exceeding `room` passes `exceed`. weak_wanted: one of them must be weak, as in a second stage,
    where strong places alone would teach little of the rest. among, noise: see `unknown`. within, between: standard deviations of the outcome in one region and
    period, and of regions' levels, for the power of the roll-out. risk_error, risk_own: see `chance_to_exceed`. choose_by: what they teach, or the sites nearest to all
    regions. Raises ValueError for shapes that disagree, values missing, and a count below one.
    """
    _checked(of, regions, waves)
    known = _Known(_prior(of.characteristics, among, 0.5), of.tried, noise)
    notes = list[str]()
    if of.risk is None or room is None:
        notes.append("Risk is not counted: it was not measured.")
    able, passed = _able(of, room)
    limit = _Limit(of.risk if room is not None else None, room or 0.0, risk_error, risk_own, exceed)
    order = np.empty(len(of.names), dtype=np.int64)  # of names, so that the order of rows does not matter
    order[np.argsort(of.names)] = np.random.default_rng(seed).permutation(len(of.names))
    first = _weakest(of, able, limit, notes) if weak_wanted else []
    chosen = [_best(known, [], first, order)] if first else list[int]()
    pool = list[int]()
    while len(chosen) < regions:
        fitting = [k for k in able if k not in chosen and limit.holds([*chosen, k])]
        if not fitting:
            break
        if choose_by == "k-median":
            pool = [k for k in pool if k in fitting] or _representative(of, fitting, regions, chosen, order)
            fitting = pool
        chosen.append(_best(known, chosen, fitting, order))
    started, power = _roll_out(int(np.sum(of.consented & ~of.tried)), waves, within, between)
    counted = limit.risk is not None
    return Proposal(
        chosen=tuple(_told(of, known, chosen, k, limit, bool(first) and k == 0, choose_by) for k in range(len(chosen))),
        passed=(*passed, *_left_over(of, able, chosen, limit)),
        teaches=known.removed([], chosen),
        risk=float(limit.risk[chosen].sum()) if limit.risk is not None else None,
        room=limit.room if counted else None,
        exceeds=limit.chance(chosen) if counted else None,
        alike=_alike(of, limit),
        started=started,
        power=power,
        notes=tuple(notes),
        chosen_by=choose_by,
        seed=seed,
    )


class _Known(NamedTuple):
    """What is believed of the effect in every region: prior (n, n), who was tried, and the standard error that each told with."""

    prior: Floats
    tried: Mask
    noise: float

    def removed(self, earlier: list[int], new: list[int]) -> float:
        """Share of what is unknown of the regions left that new ones remove, after earlier ones."""
        known = self.tried.copy()
        known[earlier] = True
        before = _left(self.prior, known, self.noise)
        known[new] = True
        after, rest = _left(self.prior, known, self.noise), ~known
        return float(1.0 - after[rest].sum() / before[rest].sum()) if rest.any() else 0.0


class _Limit(NamedTuple):
    risk: Floats | None
    room: float
    error: float
    own: float
    exceed: float

    def chance(self, chosen: list[int]) -> float:
        """That these together exceed the room."""
        return (
            0.0 if self.risk is None else chance_to_exceed(self.risk[chosen], self.room, error=self.error, own=self.own)
        )

    def holds(self, chosen: list[int]) -> bool:
        return self.chance(chosen) <= self.exceed


def _checked(of: Candidates, regions: int, waves: int) -> None:
    n = len(of.names)
    shapes = [a.shape[:1] for a in (of.characteristics, of.tried, of.consented, of.strength)]
    shapes += [of.risk.shape[:1]] if of.risk is not None else []
    if any(shape != (n,) for shape in shapes):
        raise ValueError(f"{n} names and arrays of {sorted({s[0] for s in shapes})} rows; expected one row a region")
    if len(set(of.names)) < n:
        raise ValueError(
            f"{next(name for name in of.names if of.names.count(name) > 1)} twice; expected each region once"
        )
    if regions < 1 or waves < 1:
        raise ValueError(f"{regions} regions in {waves} waves; expected one of each at least")
    missing = np.flatnonzero(~np.isfinite(of.strength))
    if len(missing):
        raise ValueError(f"strength of {of.names[missing[0]]} is missing; expected a number")


def _able(of: Candidates, room: float | None) -> tuple[list[int], list[tuple[str, str]]]:
    """Regions that may be chosen; and those that may not, with the reason."""
    able, passed = [], []
    for k, name in enumerate(of.names):
        if of.tried[k]:
            passed.append((name, "it is tried already"))
        elif not of.consented[k]:
            passed.append((name, NO_CONSENT))
        elif of.risk is not None and room is not None and not np.isfinite(of.risk[k]):
            passed.append((name, "its risk was not measured"))
        else:
            able.append(k)
    return able, passed


def _weakest(of: Candidates, able: list[int], limit: _Limit, notes: list[str]) -> list[int]:
    """Weak regions that fit the room for risk; where there is none, a note says which way."""
    weak = of.strength <= np.quantile(of.strength, WEAK)
    fitting = [k for k in able if weak[k] and limit.holds([k])]
    if not fitting:
        which = "that consents fits the room for risk" if any(weak[able]) else "has consented that is not tried yet"
        notes.append(f"No weak region {which}: the stage would teach little of weak ones.")
    return fitting


def _best(known: _Known, chosen: list[int], fitting: list[int], order: NDArray[np.int64]) -> int:
    """The one that teaches most after those chosen; equals in the drawn order."""
    values = {k: known.removed(chosen, [k]) for k in fitting}
    most = max(values.values())
    equal = [k for k, value in values.items() if value >= most - TIE]
    return min(equal, key=lambda k: int(order[k]))


def _representative(
    of: Candidates, fitting: list[int], regions: int, chosen: list[int], order: NDArray[np.int64]
) -> list[int]:
    """The sites nearest to all regions, beside those that there are; equals in the drawn order."""
    spread = of.characteristics.std(axis=0)
    z = of.characteristics / np.where(spread > 0.0, spread, 1.0)
    distances = np.sqrt(((z[:, None, :] - z[None, :, :]) ** 2).sum(axis=2))
    allowed = np.zeros(len(of.names), dtype=bool)
    allowed[fitting] = True
    turned = np.argsort(order)
    fixed = tuple(order[[*np.flatnonzero(of.tried), *chosen]].tolist())
    count = min(regions - len(chosen), len(fitting))
    found = k_median(distances[np.ix_(turned, turned)], count, allowed=allowed[turned], fixed=fixed)
    return [int(turned[k]) for k in found.chosen]


def _left_over(of: Candidates, able: list[int], chosen: list[int], limit: _Limit) -> list[tuple[str, str]]:
    """Regions that could have been chosen and were not."""
    passed = []
    for k in able:
        if k not in chosen:
            fits = limit.holds([*chosen, k])
            passed.append((of.names[k], "others come first" if fits else "with it the room for risk could be exceeded"))
    return passed


def _roll_out(able: int, waves: int, within: float, between: float) -> tuple[tuple[int, ...], Power | None]:
    """How many of those that consent should have started by each wave, after a period in which none has, and what that could find."""
    if able < 2 or waves < 2:
        return (able,), None
    schedule = staggered(able, waves)
    started = tuple(int(n) for n in schedule.sum(axis=0))
    if within <= 0.0 or len(set(started)) < 2:
        return started, None
    treated = np.hstack([np.zeros((able, 1), dtype=bool), schedule])
    return started, stepped_wedge(treated, within=within, between=between)


def _alike(of: Candidates, limit: _Limit) -> float | None:
    """How many regions of the candidates' mean risk could start at once."""
    if limit.risk is None:
        return None
    own = limit.risk[of.consented & ~of.tried]
    own = own[np.isfinite(own)]
    if not len(own):
        return None
    mean = float(own.mean())
    return wave_size(mean, limit.error * mean, limit.own * mean, limit.room, limit.exceed)


def _told(of: Candidates, known: _Known, chosen: list[int], place: int, limit: _Limit, weak: bool, by: str) -> Chosen:
    one, earlier = chosen[place], chosen[:place]
    reason = "of those that consent and fit, it teaches most" + (" after those above" if earlier else "")
    if by == "k-median":
        reason = "it is among the sites nearest to all regions"
    if weak:
        reason = "weak on purpose: its strength lies in the lowest third of all regions; " + reason
    risk = float(limit.risk[one]) if limit.risk is not None else None
    return Chosen(of.names[one], known.removed(earlier, [one]), risk, weak, reason)
