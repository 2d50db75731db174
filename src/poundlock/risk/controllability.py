"""Can the risk be held? The cheapest setting of the permitted controls at which every tolerance holds, with its certificate.

Verdicts (DESIGN: controllable risk): controlled, when every tolerance holds at today's setting; controllable, when some
permitted setting makes all hold; not controllable, when even the tightest does not; undecided, when simulation error
straddles a limit so that neither can be said. With an ensemble of networks a tolerance holds where it does in a stated
share of them, and is broken where it surely is in more than the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from poundlock.risk.search_wording import explained, in_html, told
from poundlock.risk.statistics import Estimate
from poundlock.rollout.plan import Tolerance

ControlVerdict = Literal["controlled", "controllable", "not controllable", "undecided"]
Standing = Literal["holds", "straddles", "broken"]
Setting = tuple[float, ...]
GRID = 5  # values of an outer control that are tried first
FINER = 3  # times that the grid is then halved around the cheapest


def standing(tolerance: Tolerance, estimate: Estimate) -> Standing:
    """A tolerance holds when the upper end of the interval is at most its limit, is broken when the lower end is above.
    A tail that is too thin for its interval to be trusted never holds."""
    if estimate.high <= tolerance.at_most and not estimate.thin:
        return "holds"
    return "broken" if estimate.low > tolerance.at_most else "straddles"


@dataclass(frozen=True)
class Range:
    """Of one control. Looser is towards `loosest`, whichever is the larger number."""

    tightest: float
    loosest: float
    resolution: float

    def between(self, share: float) -> float:
        """The value at a share of the way from the tightest to the loosest."""
        return self.tightest + share * (self.loosest - self.tightest)

    @property
    def steps(self) -> float:
        """Length in units of the resolution."""
        return abs(self.loosest - self.tightest) / self.resolution


@dataclass(frozen=True)
class Tried:
    """What `evaluate` says of a setting. estimates: by network, of each tolerance. granted: credit left, money. cost: a year, money.
    converged: every scenario. monotone: no scenario lost less than at a tighter setting, as far as was looked. networks: how many
    there are, where not all had to be looked at; 0: as many as estimates."""

    estimates: tuple[tuple[Estimate, ...], ...]
    granted: float
    cost: float
    converged: bool
    monotone: bool = True
    networks: int = 0


@dataclass(frozen=True)
class Point:
    """One setting tried. estimates: of each tolerance in the first network. standings: of each over all networks. share: of the
    networks, in which every tolerance is known to hold. holds: in at least as many as was asked for."""

    setting: Setting
    estimates: tuple[Estimate, ...]
    standings: tuple[Standing, ...]
    share: float
    holds: bool
    granted: float
    cost: float
    converged: bool
    monotone: bool


@dataclass(frozen=True, repr=False)
class ControlSearch:
    """verdict and its certificate. setting: the cheapest that holds, None when none does. next_looser: by control, the tightest value
    tried above it, all else equal, at which not all hold; None where the loosest of the range holds. today: at today's setting.
    points: everything tried, from tight to loose. frontier: settings that hold and of which no control can be loosened alone.
    monotone: no tolerance's statistic fell when a control was loosened, beyond its error; if False, the search may have missed a
    setting: one that was found still holds, but where none was found the verdict is undecided. networks, share: how many, and in which
    share of them all must hold. tolerances, names: of the tolerances and of the controls."""

    verdict: ControlVerdict
    setting: Setting | None
    next_looser: tuple[float | None, ...]
    today: Point
    points: tuple[Point, ...] = field(repr=False)
    frontier: tuple[Point, ...] = field(repr=False)
    monotone: bool
    networks: int = 1
    share: float = 1.0
    tolerances: tuple[Tolerance, ...] = field(default=(), repr=False)
    names: tuple[str, ...] = ()

    @property
    def converged(self) -> bool:
        """Every simulation behind the search converged."""
        return all(p.converged for p in self.points)

    @property
    def held(self) -> Point | None:
        """The point of the setting that was found."""
        return next((p for p in self.points if p.setting == self.setting), None)

    def explain(self) -> str:
        """The rule, its inputs, the numbers, and what would change them."""
        return explained(self)

    def __repr__(self) -> str:
        return "\n".join(told(self))

    def _repr_html_(self) -> str:
        return in_html(self)


class _Search:
    """Everything tried so far, and the ways to try more."""

    def __init__(
        self,
        evaluate: Callable[[Setting], Tried],
        tolerances: Sequence[Tolerance],
        ranges: Sequence[Range],
        cost: Callable[[Setting], float],
        share: float,
    ) -> None:
        self.evaluate, self.tolerances, self.ranges = evaluate, tuple(tolerances), tuple(ranges)
        self.cost, self.share = cost, share
        self.tried: dict[Setting, Point] = {}
        self.frontier: list[Point] = []
        self.networks = 1

    def at(self, setting: Setting) -> Point:
        if setting not in self.tried:
            found = self.evaluate(setting)
            self.networks = found.networks or len(found.estimates)
            self.tried[setting] = judged(setting, found, self.tolerances, self.share)
        return self.tried[setting]

    def loosest(self, before: Setting, known: float | None = None) -> Setting | None:
        """With the first controls fixed and the others but one at their loosest: the loosest value of the last that holds. known: a value
        of it that holds there (the search begins at it)."""
        last = self.ranges[-1]
        if self.at((*before, last.loosest)).holds:
            return (*before, last.loosest)
        low = last.tightest if known is None else known
        if not self.at((*before, low)).holds:
            return None
        high = last.loosest
        while abs(high - low) > last.resolution:
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self.at((*before, middle)).holds else (low, middle)
        return (*before, low)

    def cheapest(self, before: Setting = ()) -> Setting | None:
        """The cheapest that holds with the first controls fixed."""
        here = len(before)
        if here == len(self.ranges) - 1:
            found = self.loosest(before)
            if found is not None:
                self.frontier.append(self.at(found))
            return found
        own = self.ranges[here]
        rest = tuple(r.loosest for r in self.ranges[here + 1 :])
        done: dict[float, Setting | None] = {}
        best: Setting | None = None
        shares, step = [1.0 - k / (GRID - 1) for k in range(GRID)], 1.0 / (GRID - 1)
        for _ in range(FINER + 1):
            for share in shares:
                value = own.between(share)
                if value in done or (best is not None and self.cost((*before, value, *rest)) >= self.cost(best)):
                    continue  # even with all others at their loosest it would not be cheaper
                done[value] = found = self.cheapest((*before, value))
                if found is not None and (best is None or self.cost(found) < self.cost(best)):
                    best = found
            if best is None or step * own.steps <= 1.0:
                break
            step *= 0.5
            at = (best[here] - own.tightest) / (own.loosest - own.tightest)
            shares = [x for x in (at + step, at - step) if 0.0 <= x <= 1.0]
        return best

    def next_looser(self, setting: Setting) -> tuple[float | None, ...]:
        """By control, one step of its resolution looser than the setting, where that does not hold."""
        found: list[float | None] = []
        for k, own in enumerate(self.ranges):
            values = sorted(
                (p.setting[k] for p in self.tried.values() if _but_for(p.setting, setting, k) and not p.holds),
                key=lambda v: abs(v - own.tightest),
            )
            looser = [v for v in values if abs(v - own.tightest) > abs(setting[k] - own.tightest)]
            if not looser and setting[k] != own.loosest:
                step = own.resolution if own.loosest > own.tightest else -own.resolution
                value = setting[k] + step
                value = min(value, own.loosest) if step > 0 else max(value, own.loosest)
                if not self.at((*setting[:k], value, *setting[k + 1 :])).holds:
                    looser = [value]
            found.append(looser[0] if looser else None)
        return tuple(found)


def judged(setting: Setting, found: Tried, tolerances: Sequence[Tolerance], share: float) -> Point:
    """Where every tolerance stands at a setting, over all networks; those that were not looked at count for nothing."""
    n = found.networks or len(found.estimates)
    by_network = [[standing(t, e) for t, e in zip(tolerances, estimates, strict=True)] for estimates in found.estimates]
    standings = tuple(_together([of[k] for of in by_network], share, n) for k in range(len(tolerances)))
    held = sum(all(s == "holds" for s in of) for of in by_network) / n
    rest = (found.granted, found.cost, found.converged, found.monotone)
    return Point(setting, found.estimates[0], standings, held, held >= share - 1e-12, *rest)


def _together(standings: list[Standing], share: float, n: int) -> Standing:
    if standings.count("holds") / n >= share - 1e-12:
        return "holds"
    return "broken" if standings.count("broken") / n > 1.0 - share + 1e-12 else "straddles"


class Networks:
    """An ensemble looked at only as far as a setting's standing needs. at: setting and network to estimates, whether converged, whether
    monotone. Networks that failed most often come first, after the first of all, whose estimates are shown."""

    def __init__(
        self,
        at: Callable[[Setting, int], tuple[tuple[Estimate, ...], bool, bool]],
        count: int,
        tolerances: Sequence[Tolerance],
        share: float,
    ) -> None:
        self.at, self.count, self.tolerances, self.share = at, count, tuple(tolerances), share
        self.failed = [0] * count

    def tried(self, setting: Setting, granted: float, cost: float) -> Tried:
        """Look at networks until enough hold, or too many fail."""
        order = [0, *sorted(range(1, self.count), key=lambda k: -self.failed[k])]
        needed, found, holds = self.share * self.count - 1e-9, [], 0
        converged = monotone = True
        for number, k in enumerate(order, 1):
            estimates, good, straight = self.at(setting, k)
            found.append(estimates)
            converged, monotone = converged and good, monotone and straight
            if all(standing(t, e) == "holds" for t, e in zip(self.tolerances, estimates, strict=True)):
                holds += 1
            else:
                self.failed[k] += 1
            if holds >= needed or holds + self.count - number < needed:
                break
        return Tried(tuple(found), granted, cost, converged, monotone, self.count)


def _but_for(one: Setting, other: Setting, k: int) -> bool:
    return all(a == b for j, (a, b) in enumerate(zip(one, other, strict=True)) if j != k)


def cheapest_setting(
    evaluate: Callable[[Setting], Tried],
    tolerances: Sequence[Tolerance],
    ranges: Sequence[Range],
    *,
    today: Setting,
    cost: Callable[[Setting], float] | None = None,
    share: float = 1.0,
    names: Sequence[str] = (),
) -> ControlSearch:
    """Nested search for the cheapest setting of one to four controls that holds every tolerance in a share of the networks.

    evaluate: setting -> Tried, on common draws for all settings. cost: of a setting, a year, without a simulation; it must not fall
    when a control is tightened; default: tighter is dearer. names: of the controls, for what is printed. The last control is bisected for its loosest value that holds; each
    earlier one is tried on a grid that is halved around the cheapest, so that with two or more the answer is the cheapest to
    within the last of these steps. Raises ValueError without controls, with more than four, or for a share outside (0, 1].
    """
    if not 1 <= len(ranges) <= 4 or len(today) != len(ranges):
        raise ValueError(f"{len(ranges)} controls with {len(today)} settings of today; expected one to four of both")
    if not 0.0 < share <= 1.0:
        raise ValueError(f"share of networks is {share:g}; expected a share above 0, at most 1")

    def tightness(setting: Setting) -> float:
        return sum(abs(v - r.loosest) / abs(r.tightest - r.loosest) for v, r in zip(setting, ranges, strict=True))

    search = _Search(evaluate, tolerances, ranges, cost or tightness, share)
    now = search.at(today)
    tightest = search.at(tuple(r.tightest for r in ranges))
    setting = search.cheapest() if tightest.holds or search.at(tuple(r.loosest for r in ranges)).holds else None
    looser = search.next_looser(setting) if setting is not None else tuple(r.tightest for r in ranges)
    points = tuple(sorted(search.tried.values(), key=lambda p: -tightness(p.setting)))
    monotone = all(p.monotone for p in points) and _monotone(points, ranges)
    verdict = _verdict(now, setting, tightest, monotone)
    return ControlSearch(
        verdict,
        setting,
        looser,
        now,
        points,
        tuple(search.frontier),
        monotone,
        search.networks,
        share,
        tuple(tolerances),
        tuple(names) or tuple(f"control {k + 1}" for k in range(len(ranges))),
    )


def _monotone(points: tuple[Point, ...], ranges: Sequence[Range]) -> bool:
    """Loosening one control alone never lowers a statistic by more than twice the larger standard error."""
    for k, own in enumerate(ranges):
        lines: dict[Setting, list[Point]] = {}
        for p in points:
            lines.setdefault((*p.setting[:k], *p.setting[k + 1 :]), []).append(p)
        for line in lines.values():
            line.sort(key=lambda p, k=k, own=own: abs(p.setting[k] - own.tightest))  # type: ignore[misc]
            for tighter, looser in pairwise(line):
                for a, b in zip(tighter.estimates, looser.estimates, strict=True):
                    if b.value < a.value - 2.0 * max(a.standard_error, b.standard_error) - 1e-12:
                        return False
    return True


def _verdict(now: Point, setting: Setting | None, tightest: Point, monotone: bool) -> ControlVerdict:
    if now.holds:
        return "controlled"
    if setting is not None:
        return "controllable"
    return "not controllable" if "broken" in tightest.standings and monotone else "undecided"
