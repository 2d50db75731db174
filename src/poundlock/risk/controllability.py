"""Can the risk be held? The loosest setting of one control at which every tolerance holds, with its certificate.

Verdicts (DESIGN: controllable risk): controlled, when every tolerance holds at today's setting; controllable, when some
permitted setting makes all hold; not controllable, when even the tightest does not; undecided, when simulation error
straddles a limit so that neither can be said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from poundlock.risk.statistics import Estimate
from poundlock.rollout.plan import Tolerance

ControlVerdict = Literal["controlled", "controllable", "not controllable", "undecided"]
Standing = Literal["holds", "straddles", "broken"]


def standing(tolerance: Tolerance, estimate: Estimate) -> Standing:
    """A tolerance holds when the upper end of the interval is at most its limit, is broken when the lower end is above.
    A tail that is too thin for its interval to be trusted never holds."""
    if estimate.high <= tolerance.at_most and not estimate.thin:
        return "holds"
    return "broken" if estimate.low > tolerance.at_most else "straddles"


@dataclass(frozen=True)
class CapPoint:
    """One setting tried: each tolerance's estimate and standing, in the plan's order, what credit it leaves (money), and
    whether every scenario converged."""

    setting: float
    estimates: tuple[Estimate, ...]
    standings: tuple[Standing, ...]
    granted: float
    converged: bool

    @property
    def holds(self) -> bool:
        """Every tolerance holds here."""
        return all(s == "holds" for s in self.standings)


@dataclass(frozen=True)
class CapSearch:
    """verdict and its certificate. setting: the loosest that holds, None when none does. next_looser: the tightest
    setting tried above it that does not hold, None when the loosest of the range holds. today: at today's setting.
    points: everything tried, by setting. monotone: no tolerance's statistic fell when the cap was loosened, beyond its
    error; if False, the search may have missed a setting: one that was found still holds, but where none was found the
    verdict is undecided."""

    verdict: ControlVerdict
    setting: float | None
    next_looser: float | None
    today: CapPoint
    points: tuple[CapPoint, ...] = field(repr=False)
    monotone: bool

    @property
    def converged(self) -> bool:
        """Every simulation behind the search converged."""
        return all(p.converged for p in self.points)


def loosest_cap(
    evaluate: Callable[[float], tuple[Sequence[Estimate], float, bool]],
    tolerances: Sequence[Tolerance],
    *,
    today: float,
    tightest: float,
    loosest: float,
    resolution: float,
) -> CapSearch:
    """Bisection for the loosest cap in [tightest, loosest] that holds every tolerance.

    evaluate: setting -> (estimate of each tolerance, credit granted in money, converged), on common draws for all settings.
    Ends after about log2((loosest - tightest) / resolution) evaluations.
    """
    tried: dict[float, CapPoint] = {}

    def at(setting: float) -> CapPoint:
        if setting not in tried:
            estimates, granted, converged = evaluate(setting)
            tried[setting] = CapPoint(
                setting,
                tuple(estimates),
                tuple(standing(t, e) for t, e in zip(tolerances, estimates, strict=True)),
                granted,
                converged,
            )
        return tried[setting]

    now = at(today)
    setting, next_looser = _bisect(at, tightest, loosest, resolution)
    points = tuple(sorted(tried.values(), key=lambda p: p.setting))
    monotone = _monotone(points)
    return CapSearch(_verdict(now, setting, points, monotone), setting, next_looser, now, points, monotone)


def _bisect(
    at: Callable[[float], CapPoint], tightest: float, loosest: float, resolution: float
) -> tuple[float | None, float | None]:
    if at(loosest).holds:
        return loosest, None
    if not at(tightest).holds:
        return None, tightest
    low, high = tightest, loosest
    while high - low > resolution:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if at(middle).holds else (low, middle)
    return low, high


def _monotone(points: tuple[CapPoint, ...]) -> bool:
    """Looser never lowers a statistic by more than twice the larger standard error."""
    for tighter, looser in pairwise(points):
        for a, b in zip(tighter.estimates, looser.estimates, strict=True):
            if b.value < a.value - 2.0 * max(a.standard_error, b.standard_error) - 1e-12:
                return False
    return True


def _verdict(now: CapPoint, setting: float | None, points: tuple[CapPoint, ...], monotone: bool) -> ControlVerdict:
    if now.holds:
        return "controlled"
    if setting is not None:
        return "controllable"
    broken_at_tightest = "broken" in points[0].standings
    return "not controllable" if broken_at_tightest and monotone else "undecided"
