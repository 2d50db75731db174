"""The least money over many scenarios by cutting planes: the large programme is never built.

The loss of each scenario is convex in what is injected, and one clearing and one transposed solve on those that fail give a plane
below it (`clearing_case.multipliers`, `intercepts`). A small programme over these planes proposes what to inject, the
engine clears all scenarios with it, the scenarios of the tail that lose more than was thought each give a new plane, until none
does (Benders 1962, Numerische Mathematik 4; a plane for each scenario: Birge and Louveaux 1988, EJOR 34). The tail half way to
the best that holds gives planes too, deeper ones (Ben-Ameur and Neto 2007, Networks 49); planes that have not mattered for some
rounds go. What the small programme costs is a bound from below all the way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import block_array, csr_array, eye_array

from poundlock.risk.rescue.case import CLOSE, Case, intercepts, multipliers, tail_mean, unpaid
from poundlock.risk.rescue.programme import SAID, Found
from poundlock.system.balance import Floats

IDLE = 10  # rounds after which a plane without weight goes
FAILS = 1e-11  # of the mean debt: unpaid above this is a failure, not rounding


@dataclass
class Planes:
    """loss of scenario[k] >= intercept[k] - slope[k] . x, with x what is injected (n,) or the size of a fund (1,). behind: the
    multipliers (n,) that each stands on. idle: rounds since it last had weight."""

    scenario: list[int] = field(default_factory=list)
    intercept: list[float] = field(default_factory=list)
    slope: list[Floats] = field(default_factory=list)
    behind: list[Floats] = field(default_factory=list)
    idle: list[int] = field(default_factory=list)

    def add(self, scenario: int, intercept: float, slope: Floats, behind: Floats) -> None:
        """One more."""
        for name, value in zip(vars(self), (scenario, intercept, slope, behind, 0), strict=True):
            getattr(self, name).append(value)

    def weighed(self, weight: Floats) -> None:
        """Forget those that have had no weight for a while. weight: (planes,)."""
        self.idle = [0 if w > 0.0 else rounds + 1 for w, rounds in zip(weight, self.idle, strict=True)]
        keep = [k for k, rounds in enumerate(self.idle) if rounds <= IDLE]
        for name in vars(self):
            setattr(self, name, [getattr(self, name)[k] for k in keep])


class Proposal(NamedTuple):
    """x (k,): to try. thought (s,): what each scenario loses at least, if the planes are all there is. price (s,), behind (s, n):
    the small programme's multipliers brought back to scenarios."""

    x: Floats
    thought: Floats
    price: Floats
    behind: Floats


def injection_by_cuts(case: Case, rounds: int) -> Found:
    """Planes in the n amounts injected. The answer holds the limit even when the rounds run out: then it is moved towards one
    that does, and costs more than the bound."""
    planes, holds, said = Planes(), case.most, "its rounds ran out"
    at = _first(case, len(case.owed))
    for number in range(1, rounds + 1):
        held, new, short = _tried(case, at.x, at.thought)
        if held:
            return Found(at.x, at.price, at.behind, number, True, "solved")
        if not len(new):
            said = "no plane helps any more"
            break
        _cut(case, planes, new, short)
        if number > 1:
            between = 0.5 * (at.x + holds)
            held, new, short = _tried(case, between, np.full(len(case.left), -np.inf))
            holds = between if held else holds
            _cut(case, planes, new[:0] if held else new, short)
        proposed = _propose(case, planes, case.cost, case.most)
        if proposed is None:
            said = "the small programme stopped by its numbers"
            break
        at = proposed
    return Found(_held(case, at.x, holds), at.price, at.behind, number, False, said)


def _first(case: Case, columns: int) -> Proposal:
    return Proposal(
        np.zeros(columns), np.full(len(case.left), -np.inf), np.zeros(len(case.left)), np.zeros(case.left.shape)
    )


def _tried(case: Case, injected: Floats, thought: Floats) -> tuple[bool, NDArray[np.int64], Floats]:
    """Whether the limit holds; the scenarios of the tail that lose more than was thought, and what all leave unpaid in them."""
    short = unpaid(case, injected)
    loss = short @ case.weight
    tail = _worst(case, loss)
    new = tail[loss[tail] > thought[tail] + 0.1 * CLOSE]
    return tail_mean(loss, case.level) <= case.limit + CLOSE, new, short[new]


def _cut(case: Case, planes: Planes, scenarios: NDArray[np.int64], short: Floats) -> None:
    found = multipliers(case, short[: len(scenarios)] > FAILS)
    level = intercepts(case, np.ones(len(scenarios)), found, case.left[scenarios])
    for t, scenario in enumerate(scenarios):
        planes.add(int(scenario), float(level[t]), found[t], found[t])


def fund_by_cuts(case: Case, rounds: int) -> Found:
    """Planes in one number, the size of the fund; each scenario's best use of it is a programme of its own."""
    planes, said, at = Planes(), "its rounds ran out", _first(case, 1)
    before = unpaid(case, np.zeros(len(case.owed))) @ case.weight
    for number in range(1, rounds + 1):
        loss, paid, found = _best_uses(case, float(at.x[0]), before)
        if tail_mean(loss, case.level) <= case.limit + CLOSE:
            return Found(paid, at.price, at.behind, number, True, "solved")
        tail = _worst(case, loss)
        new = tail[loss[tail] > at.thought[tail] + 0.1 * CLOSE]
        if not len(new):
            said = "no plane helps any more"
            break
        for t, level in zip(new, intercepts(case, np.ones(len(new)), found[new], case.left[new]), strict=True):
            planes.add(int(t), float(level), np.array([found[t].max()]), found[t])
        proposed = _propose(case, planes, np.ones(1), np.full(1, np.inf))
        if proposed is None:
            said = "the small programme stopped by its numbers"
            break
        at = proposed
    return Found(None, at.price, at.behind, number, False, said)


def _worst(case: Case, loss: Floats) -> NDArray[np.int64]:
    return np.argsort(-loss, kind="stable")[: int(np.ceil(round(case.worst, 9)))]


def _propose(case: Case, planes: Planes, cost: Floats, most: Floats) -> Proposal | None:
    """The small programme: x (k), excesses over eta of the scenarios that have planes (m), eta."""
    told, where = np.unique(planes.scenario, return_inverse=True)
    k, m, count = len(cost), len(told), len(where)
    slopes = csr_array(-np.array(planes.slope))
    which = csr_array((-np.ones(count), (np.arange(count), where)), shape=(count, m))
    share, one = csr_array(np.full((1, m), 1.0 / case.worst)), csr_array(np.ones((1, 1)))
    solved = linprog(
        np.concatenate([cost, np.zeros(m + 1)]),
        A_ub=csr_array(block_array([[slopes, which, csr_array(-np.ones((count, 1)))], [None, share, one]])),
        b_ub=np.concatenate([-np.array(planes.intercept), [case.limit]]),
        bounds=np.stack([np.append(np.zeros(k + m), -np.inf), np.concatenate([most, np.full(m + 1, np.inf)])], axis=1),
        method="highs",
    )
    if solved.status != 0:
        return None
    thought = np.full(len(case.left), float(solved.x[-1]))
    thought[told] += solved.x[k : k + m]
    weight = np.maximum(-solved.ineqlin.marginals[:count], 0.0)
    price, behind = np.zeros(len(case.left)), np.zeros(case.left.shape)
    for plane in np.flatnonzero(weight):
        price[planes.scenario[plane]] += weight[plane]
        behind[planes.scenario[plane]] += weight[plane] * planes.behind[plane]
    planes.weighed(weight)
    return Proposal(np.clip(solved.x[:k], 0.0, most), thought, price, behind)


def _held(case: Case, injected: Floats, holds: Floats) -> Floats:
    """Moved towards one that holds the limit until it does, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = 0.5 * (low + high)
        trial = injected + middle * (holds - injected)
        held = tail_mean(unpaid(case, trial) @ case.weight, case.level) <= case.limit
        low, high = (low, middle) if held else (middle, high)
    return np.asarray(injected + high * (holds - injected))


def _best_uses(case: Case, size: float, before: Floats) -> tuple[Floats, Floats, Floats]:
    """Losses (s,), what is paid to whom (s, n) and multipliers (s, n) when each scenario has `size` to give. Scenarios that lose
    less than the tail even without help keep their loss before it."""
    loss, paid, found = before.copy(), np.zeros(case.left.shape), np.zeros(case.left.shape)
    tail = int(np.ceil(round(case.worst, 9)))
    seen: list[float] = []
    for s in np.argsort(-before, kind="stable"):
        if len(seen) >= tail and before[s] <= sorted(seen)[-tail]:
            break
        paid[s], found[s] = _best_use(case, case.left[s], size)
        seen.append(float(_unpaid_in(case, int(s), paid[s]) @ case.weight))
        loss[s] = seen[-1]
    return loss, paid, found


def _unpaid_in(case: Case, s: int, given: Floats) -> Floats:
    """What each leaves unpaid in one scenario, by sweeps. (n,)."""
    paid = case.owed.copy()
    for _ in range(100_000):
        after = np.clip(case.left[s] + given + case.share @ paid, 0.0, case.owed)
        if float(np.abs(after - paid).max(initial=0.0)) <= 1e-14:
            break
        paid = after
    return np.asarray(case.owed - after)


def _best_use(case: Case, left: Floats, size: float) -> tuple[Floats, Floats]:
    """Least loss of one scenario with this much to give: what each gets, and the payments' multipliers. Both (n,)."""
    n = len(left)
    pays = csr_array(eye_array(n) - case.share)
    solved = linprog(
        np.concatenate([np.zeros(n), -case.weight]),
        A_ub=csr_array(block_array([[-eye_array(n), pays], [csr_array(np.ones((1, n))), None]])),
        b_ub=np.append(left, size),
        bounds=np.stack([np.zeros(2 * n), np.append(np.full(n, np.inf), case.owed)], axis=1),
        method="highs",
    )
    if solved.status != 0:
        raise RuntimeError(f"best use of a fund: {SAID.get(solved.status, 'stopped')}")
    return np.maximum(solved.x[:n], 0.0), np.maximum(-solved.ineqlin.marginals[:n], 0.0)
