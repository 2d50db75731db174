"""The least money as one linear programme over scenarios, and as a mixed-integer one where rescues are whole, by HiGHS.

Tail variables: the mean of the worst share is the least of eta + sum_s max(0, loss_s - eta) / ((1 - level) s) over eta
(Rockafellar and Uryasev 2000, Journal of Risk 2(3), theorem 1). Payments are free below what clearing allows (`clearing_case`).
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import block_array, csr_array, eye_array, kron

from poundlock.risk.rescue.case import Case
from poundlock.system.balance import Floats

Solver = Literal["highs", "highs-ds", "highs-ipm"]
SAID = {
    0: "solved",
    1: "stopped at its limit of time or rounds",
    2: "infeasible",
    3: "unbounded",
    4: "stopped by its numbers",
}


class Found(NamedTuple):
    """injected: (n,), or (s, n) from a fund, in the case's unit; None where there is no answer. price (s,), multipliers (s, n):
    of the losses' rows and the payments' rows, for the bound. rounds: of the solver. bound: its own, where it has one."""

    injected: Floats | None
    price: Floats
    multipliers: Floats
    rounds: int
    solved: bool
    said: str
    bound: float = float("nan")


def injection_by_programme(case: Case, solver: Solver = "highs", time_limit: float | None = None) -> Found:
    """Columns: injected (n), payments (s, n), excesses over eta (s), eta."""
    s, n = case.left.shape
    rows = _rows(case, csr_array(kron(np.ones((s, 1)), -eye_array(n))))
    cost = np.concatenate([case.cost, np.zeros(s * n + s + 1)])
    return _solve(case, cost, rows, _bounds(case, case.most), n, solver, time_limit)


def fund_by_programme(case: Case, solver: Solver = "highs", time_limit: float | None = None) -> Found:
    """Columns: size (1), paid out (s, n), payments (s, n), excesses (s), eta; the last rows: no more is paid than there is."""
    s, n = case.left.shape
    matrix, right = _rows(case, csr_array(block_array([[csr_array((s * n, 1)), -eye_array(s * n)]])))
    each = csr_array(
        block_array([[csr_array(-np.ones((s, 1))), kron(eye_array(s), np.ones((1, n))), csr_array((s, s * n + s + 1))]])
    )
    matrix, right = csr_array(block_array([[matrix], [each]])), np.concatenate([right, np.zeros(s)])
    cost = np.concatenate([[1.0], np.zeros(2 * s * n + s + 1)])
    bounds = _bounds(case, np.full(1 + s * n, np.inf))
    found = _solve(case, cost, (matrix, right), bounds, 1 + s * n, solver, time_limit)
    return found if found.injected is None else found._replace(injected=found.injected[1:].reshape(s, n))


def whole_rescues(case: Case, needs: Floats, time_limit: float) -> Found:
    """Columns: rescued or not (n), payments (s, n), excesses (s), eta. needs: (n,), what a rescued one gets, in the case's unit."""
    s, n = case.left.shape
    matrix, right = _rows(case, csr_array(kron(np.ones((s, 1)), csr_array(np.diag(-needs)))))
    low, high = _bounds(case, np.where(needs > 0.0, 1.0, 0.0)).T
    whole = np.concatenate([np.ones(n), np.zeros(s * n + s + 1)])
    solved = milp(
        np.concatenate([case.cost * needs, np.zeros(s * n + s + 1)]),
        integrality=whole,
        bounds=Bounds(low, high),
        constraints=LinearConstraint(matrix, ub=right),
        options={"time_limit": time_limit, "mip_rel_gap": 0.0},
    )
    chosen = None if solved.x is None else np.where(solved.x[:n] > 0.5, needs, 0.0)
    bound = -np.inf if solved.mip_dual_bound is None else float(solved.mip_dual_bound)
    nothing = np.zeros((s, n))
    rounds = int(solved.mip_node_count or 0)
    return Found(
        chosen, np.zeros(s), nothing, rounds, solved.status == 0, SAID.get(solved.status, "stopped"), max(bound, 0.0)
    )


def _rows(case: Case, given: csr_array) -> tuple[csr_array, Floats]:
    """given (s * n, g): minus what each scenario's institutions get of the first g columns. Rows: payments, excesses, limit."""
    s, n = case.left.shape
    pays = kron(eye_array(s), eye_array(n) - case.share)
    excess = kron(eye_array(s), -case.weight[None, :])
    matrix = block_array(
        [
            [given, pays, None, None],
            [None, excess, -eye_array(s), csr_array(-np.ones((s, 1)))],
            [None, None, csr_array(np.full((1, s), 1.0 / case.worst)), csr_array(np.ones((1, 1)))],
        ]
    )
    owed = float(case.weight @ case.owed)
    return csr_array(matrix), np.concatenate([case.left.ravel(), np.full(s, -owed), [case.limit]])


def _bounds(case: Case, most: Floats) -> Floats:
    """(columns, 2): the first ones at most `most`, then payments, excesses, eta."""
    s = len(case.left)
    high = np.concatenate([most, np.tile(case.owed, s), np.full(s + 1, np.inf)])
    low = np.concatenate([np.zeros(len(high) - 1), [-np.inf]])
    return np.stack([low, high], axis=1)


def _solve(
    case: Case,
    cost: Floats,
    rows: tuple[csr_array, Floats],
    bounds: Floats,
    first: int,
    solver: Solver,
    time_limit: float | None,
) -> Found:
    s, n = case.left.shape
    options: dict[str, Any] = {} if time_limit is None else {"time_limit": time_limit}
    solved = linprog(cost, A_ub=rows[0], b_ub=rows[1], bounds=bounds, method=solver, options=options)
    said = SAID.get(solved.status, "stopped")
    if solved.status != 0 or solved.x is None:
        return Found(None, np.zeros(s), np.zeros((s, n)), int(solved.nit), False, said)
    dual = -solved.ineqlin.marginals
    price, found = dual[s * n : s * n + s], dual[: s * n].reshape(s, n)
    return Found(np.maximum(solved.x[:first], 0.0), price, found, int(solved.nit), True, said)
