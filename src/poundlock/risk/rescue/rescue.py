"""The cheapest money that holds a tail limit, under clearing: capital before the shock, a fund after it, rescues that are whole.

Each answer carries its certificate: a bound from below on what any answer costs, the gap to it, and the statistic found again by
the contagion engine. A case is one rank of debts (`clearing_case` says why, and what the loss must be); a limit on sampled
scenarios is a limit on those scenarios, without an interval.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from html import escape
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from poundlock.contagion.model import Model
from poundlock.risk.rescue.active_set import injection_by_active_set
from poundlock.risk.rescue.case import (
    CLOSE,
    Case,
    Measure,
    least_cost,
    least_fund_size,
    make_case,
    statistic,
    unpaid,
)
from poundlock.risk.rescue.cuts import fund_by_cuts, injection_by_cuts
from poundlock.risk.rescue.programme import Found, Solver, fund_by_programme, injection_by_programme, whole_rescues
from poundlock.system.balance import Floats, System

Method = Literal["auto", "active set", "cuts"] | Solver
FundMethod = Literal["auto", "cuts"] | Solver
SOLVERS: tuple[Solver, ...] = get_args(Solver)
ROUNDS = 500
SHOWN = 5


@dataclass(frozen=True, repr=False)
class Rescue:
    """What is injected and what that proves; money in the system's unit. kind: 'injection', 'fund' or 'rescues'.

    injections: (n,), before the shock, or (s, n) sparse for a fund, by scenario. cost: of all of them; of a fund, its size.
    fund: its size, None for the others. before, after: the limited statistic without and with them, by the engine. limit, level:
    after is held to at most limit. bound: no answer costs less; gap: cost - bound. price: cost saved by a unit more of limit,
    nought where not known. verified_miss: by how much `after` is above the limit, nought where it holds. converged: the
    certificate closes, one way or the other: the gap is at most a millionth and the limit holds, or it is proved that nothing
    permitted holds it. status: the same in words. rounds: of the method. ids, unit: of the system.
    """

    kind: Literal["injection", "fund", "rescues"]
    injections: Floats | csr_array = field(repr=False)
    cost: float
    fund: float | None
    before: float
    after: float
    limit: float
    level: float
    bound: float
    gap: float
    price: float
    verified_miss: float
    converged: bool
    status: str
    method: str
    rounds: int
    loss: str
    ids: tuple[str, ...] = field(repr=False)
    unit: str

    @property
    def holds(self) -> bool:
        """The limit is held, to a millionth of it and of the statistic before."""
        return self.verified_miss <= 1e-6 * max(self.limit, self.before)

    @property
    def largest(self) -> tuple[tuple[str, float], ...]:
        """Institutions with the largest injections, the mean over scenarios for a fund, and these."""
        total = np.asarray(self.injections.mean(axis=0)).ravel() if self.kind == "fund" else np.asarray(self.injections)
        first = np.argsort(-total, kind="stable")[:SHOWN]
        return tuple((self.ids[i], float(total[i])) for i in first if total[i] > 0.0)

    def __repr__(self) -> str:
        what = "fund of" if self.kind == "fund" else "cost"
        return "\n".join(
            [
                f"Cheapest {self.kind} by {self.method}: {self.status}",
                f"  {what:12} {_money(self.cost)} {self.unit}, at least {_money(self.bound)} (gap {self.gap:.1e})",
                f"  statistic    {self._rule()}: {_money(self.before)} before, {_money(self.after)} after, limit {_money(self.limit)}",
                f"  to whom      {', '.join(f'{name} {_money(amount)}' for name, amount in self.largest) or 'nobody'}",
                f"  {'verified' if self.holds else 'NOT held'}     by the engine, miss {self.verified_miss:.1e}",
            ]
        )

    def _rule(self) -> str:
        of = "mean" if self.level == 0.0 else f"expected shortfall at {self.level:.4g}"
        return f"{of} of {self.loss}"

    def explain(self) -> str:
        """The rule, the inputs, the numbers, and what would change them."""
        how = {
            "injection": "capital added to external assets before the shock, the same in every scenario",
            "fund": "money paid after the shock, scenario by scenario, from one fund of this size",
            "rescues": "institutions get what they need to pay all debts in every scenario, or nothing",
        }[self.kind]
        proof = "the solver's branch and bound" if self.kind == "rescues" else "weak duality, worked out anew"
        change = (
            (f"A limit higher by one saves about {self.price:.4g}. " if self.price > 0.0 and self.holds else "")
            + "More or other scenarios, another level, costs by institution or caps on what each may get change the answer."
        )
        return "\n".join(
            [
                f"Rule: the least cost such that the {self._rule()} is at most {_money(self.limit)} {self.unit}; {how}.",
                "Debts clear: a defaulter pays its creditors pro rata out of all that it has (Eisenberg and Noe 2001).",
                repr(self),
                f"Certificate: no answer costs less than {_money(self.bound)}, by {proof}; {_certified(self)}",
                f"What would change it: {change}",
            ]
        )

    def _repr_html_(self) -> str:
        rows = {
            "status": self.status,
            "cost": f"{_money(self.cost)} {self.unit}",
            "bound": f"{_money(self.bound)} (gap {self.gap:.1e})",
            self._rule(): f"{_money(self.before)} before, {_money(self.after)} after, limit {_money(self.limit)}",
            "to whom": ", ".join(f"{name} {_money(amount)}" for name, amount in self.largest) or "nobody",
            "miss": f"{self.verified_miss:.1e}",
        }
        body = "".join(f"<tr><th>{escape(name)}</th><td>{escape(said)}</td></tr>" for name, said in rows.items())
        return f"<table><caption>Cheapest {self.kind} by {escape(self.method)}</caption>{body}</table>"


def cheapest_injection(
    system: System | Model,
    losses: ArrayLike,
    *,
    limit: float,
    level: float = 0.99,
    of: Measure | ArrayLike = "unpaid",
    most: ArrayLike | None = None,
    cost: ArrayLike | None = None,
    method: Method = "auto",
    rounds: int = ROUNDS,
    time_limit: float | None = None,
) -> Rescue:
    """The least cost'c of capital c >= 0 added before the shock, so that the mean of the worst 1 - level share of the loss is
    at most `limit`.

    losses: (s, n), or (n,) for one scenario (then level 0), on external assets, money, at most the assets. of: 'unpaid', what all
    institutions leave unpaid, to one another too; 'unpaid outside', the part of it that creditors outside the system
    bear; or weights (n,), loss for a unit that i leaves unpaid. most: (n,), cap on each c; cost: (n,), of a unit, default 1.
    method: 'auto' is the active set for one scenario and cutting planes for more, and the whole linear programme where these do
    not close; 'highs', 'highs-ds', 'highs-ipm' build it at once. rounds: most of these methods. time_limit: seconds, of the
    programme. Raises ValueError as `clearing_case.make_case`, and for the active set with more than one scenario.
    """
    case = make_case(system, losses, limit, level, of, most, cost)
    _known(method, ("auto", "active set", "cuts", *SOLVERS))
    if method == "active set" and len(case.left) > 1:
        raise ValueError(f"the active set is for one scenario, not {len(case.left)}; expected method 'cuts' or 'highs'")
    nothing = np.zeros(len(case.owed))
    before = statistic(case, nothing)
    if before <= case.limit:
        return _made("injection", case, of, before, nothing, 0.0, _none_needed(case), "none needed")
    if most is not None and (least := statistic(case, case.most)) > case.limit + CLOSE:
        return _impossible("injection", case, of, before, least, case.most)
    found, by = _injection(case, method, rounds, time_limit)
    injected = case.most if found.injected is None else found.injected
    bound = least_cost(case, found.price, found.multipliers)
    return _made("injection", case, of, before, injected, bound, found, by)


def _injection(case: Case, method: Method, rounds: int, time_limit: float | None) -> tuple[Found, str]:
    found, by = None, ""
    if method in ("active set", "auto") and len(case.left) == 1:
        found, by = injection_by_active_set(case, min(rounds, 40)), "active set"
    elif method in ("cuts", "auto"):
        found, by = injection_by_cuts(case, rounds), "cutting planes"
    if found is not None and (found.solved or method != "auto"):
        return found, by
    solver = _solver(method)
    whole = injection_by_programme(case, solver, time_limit)
    if found is not None and whole.injected is None:
        return found, by
    return whole, f"linear programme ({solver}{f', after {by}: {found.said}' if found is not None else ''})"


def cheapest_fund(
    system: System | Model,
    losses: ArrayLike,
    *,
    limit: float,
    level: float = 0.99,
    of: Measure | ArrayLike = "unpaid",
    method: FundMethod = "auto",
    rounds: int = ROUNDS,
    time_limit: float | None = None,
) -> Rescue:
    """The smallest fund that holds the limit when it pays after the shock, to whom it likes, knowing the scenario, and in no
    scenario more than its size. Arguments as in `cheapest_injection`.

    method: 'auto' builds the whole programme where scenarios times institutions are at most 20,000, and cuts above: planes in one
    number, the size, and a programme for the best use in each scenario of the tail.
    """
    case = make_case(system, losses, limit, level, of)
    _known(method, ("auto", "cuts", *SOLVERS))
    nothing = np.zeros(case.left.shape)
    before = statistic(case, nothing)
    if before <= case.limit:
        return _made("fund", case, of, before, nothing, 0.0, _none_needed(case), "none needed")
    by_cuts = method == "cuts" or (method == "auto" and case.left.size > 20_000)
    solver = _solver(method)
    found = fund_by_cuts(case, rounds) if by_cuts else fund_by_programme(case, solver, time_limit)
    injected = (
        unpaid(case, nothing) if found.injected is None else found.injected
    )  # what all are short of holds any limit
    bound = least_fund_size(case, found.price, found.multipliers)
    by = "cutting planes" if by_cuts else f"linear programme ({solver})"
    return _made("fund", case, of, before, injected, bound, found, by)


def cheapest_rescues(
    system: System | Model,
    losses: ArrayLike,
    *,
    limit: float,
    level: float = 0.99,
    of: Measure | ArrayLike = "unpaid",
    needs: ArrayLike | None = None,
    cost: ArrayLike | None = None,
    time_limit: float = 60.0,
) -> Rescue:
    """The cheapest set of institutions to rescue whole: each gets its need before the shock, or nothing.

    needs: (n,), money; by default what brings it up to its debts in its worst scenario while nobody else is rescued. time_limit:
    seconds; then the best set found by then, or everybody, with the gap that is left. For up to about 50 institutions and 100
    scenarios. Other arguments as in `cheapest_injection`.
    """
    case = make_case(system, losses, limit, level, of, None, cost)
    n = len(case.owed)
    short = unpaid(case, np.zeros(n))
    before = statistic(case, np.zeros(n))
    asked = np.asarray(short.max(axis=0) if needs is None else np.asarray(needs, dtype=np.float64) / case.scale)
    if asked.shape != (n,) or not (np.isfinite(asked) & (asked >= 0.0)).all():
        raise ValueError(f"needs have shape {asked.shape}; expected ({n},), money, 0 or more")
    if before <= case.limit:
        return _made("rescues", case, of, before, np.zeros(n), 0.0, _none_needed(case), "none needed")
    if (least := statistic(case, asked)) > case.limit + CLOSE:
        return _impossible("rescues", case, of, before, least, asked)
    if not time_limit > 0.0:
        raise ValueError(f"time_limit is {time_limit:g}; expected seconds, above 0")
    found = whole_rescues(case, asked, time_limit)
    injected = asked if found.injected is None else found.injected
    return _made("rescues", case, of, before, injected, found.bound, found, "mixed-integer programme (highs)")


def _solver(method: str) -> Solver:
    return next((solver for solver in SOLVERS if solver == method), "highs")


def _known(method: str, known: tuple[str, ...]) -> None:
    if method not in known:
        raise ValueError(f"unknown method '{method}'; known: {', '.join(known)}")


def _none_needed(case: Case) -> Found:
    return Found(None, np.zeros(len(case.left)), np.zeros(case.left.shape), 0, True, "held already")


def _made(
    kind: Literal["injection", "fund", "rescues"],
    case: Case,
    of: Measure | ArrayLike,
    before: float,
    injected: Floats,
    bound: float,
    found: Found,
    method: str,
) -> Rescue:
    """The record in money, with the statistic found again by the engine."""
    after = statistic(case, injected)
    fund = float(injected.sum(axis=1).max()) if kind == "fund" else None
    spent = float(case.cost @ injected) if fund is None else fund
    miss, gap = max(after - case.limit, 0.0), spent - bound
    close = gap <= 1e-6 * max(spent, CLOSE) + CLOSE and miss <= 1e-6 * max(case.limit, before)
    said = found.said if close or not found.solved else f"{found.said}, but its certificate does not close"
    money = injected * case.scale
    return Rescue(
        kind=kind,
        injections=csr_array(money) if kind == "fund" else money,
        cost=spent * case.scale,
        fund=None if fund is None else fund * case.scale,
        before=before * case.scale,
        after=after * case.scale,
        limit=case.limit * case.scale,
        level=case.level,
        bound=bound * case.scale,
        gap=gap * case.scale,
        price=float(found.price.sum()),
        verified_miss=miss * case.scale,
        converged=close,
        status=said if close else f"NOT proved cheapest: {said}",
        method=method,
        rounds=found.rounds,
        loss=of if isinstance(of, str) else "unpaid, by own weights",
        ids=case.model.system.ids,
        unit=case.model.system.unit,
    )


def _impossible(
    kind: Literal["injection", "rescues"],
    case: Case,
    of: Measure | ArrayLike,
    before: float,
    least: float,
    injected: Floats,
) -> Rescue:
    """Even all that is permitted misses; the statistic never rises with what is injected, so one clearing proves it."""
    nothing = _none_needed(case)._replace(said="infeasible")
    found = _made(kind, case, of, before, injected, np.inf, nothing, "clearing with all that is permitted")
    missed = (least - case.limit) * case.scale
    return _told(found, f"infeasible: all that is permitted leaves {_money(missed)} {found.unit} above the limit")


def _told(found: Rescue, status: str) -> Rescue:
    return replace(found, status=status, converged=True, gap=0.0)


def _certified(found: Rescue) -> str:
    if not found.holds:
        return found.status + "."
    return f"this one costs {found.gap:.1e} more, and the engine finds the statistic {found.verified_miss:.1e} above the limit."


def _money(amount: float) -> str:
    return f"{amount:,.0f}" if abs(amount) >= 1000 else f"{amount:.4g}"
