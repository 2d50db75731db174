"""The least injection in one scenario by its active set: who is rescued, who fails, who pays; fast where nearly all is clear.

At the answer a unit given to i is worth l_i = price weight_i + (share' l)_i while i fails and nought once it pays; who is worth
its cost is brought up to its debts, the others fail. So, but for a few, each institution is in one of four states, and two
linear systems on those that fail give payments and multipliers. A first-order method (Chambolle and Pock 2011, J. Math. Imaging
and Vision 40) on the saddle min over p, max over l of price weight'(owed - p) + l'(p - share p - left), 0 <= p <= owed,
0 <= l <= cost, guesses the states roughly. Those near a tie stay open in a small linear programme; those that fail are
eliminated from it, their feedback to first order, the rest as a defect at the last answer, on payments and multipliers alike,
so that its fixed point is exact. Whoever the answer puts into another state than assumed is opened too. It ends when
nobody is and weak duality closes the gap.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import block_array, csr_array, eye_array

from poundlock.risk.rescue.case import CLOSE, Case, least_cost, settled
from poundlock.risk.rescue.programme import Found
from poundlock.system.balance import Floats

FEW = 60  # up to here all that fail stay open: nothing to guess
DROPPED = 2e-3  # of feedback through those that fail: the defect makes up for it
STEPS = 250
REACH = 0.03  # by how much the price may move in a round: far off, states mean nothing
TIE = 1e-9


class Guess(NamedTuple):
    """paid, worth: (n,), payments, and what a unit given is worth. price: of a unit of loss."""

    paid: Floats
    worth: Floats
    price: float


class States(NamedTuple):
    """Places of institutions: open, in the small programme; failing, without help or with all it may get; rescued, brought up
    to its debts; solvent. given: (n,), what those that fail get."""

    open: NDArray[np.int64]
    failing: NDArray[np.int64]
    rescued: NDArray[np.int64]
    solvent: NDArray[np.int64]
    given: Floats


class Inside(NamedTuple):
    """inner (f, f), between (f, o), to_open (o, f): shares of what the failing pay to one another, the open to the failing, the
    failing to the open; back: transposed. base (n,): what is left, given, and got from those that pay in full. saved (n,): cost
    of the rescued that a unit paid by i spares. cost_saved, loss_saved (o,): by a unit paid by the open, through the failing too.
    """

    inner: csr_array
    back: csr_array
    between: csr_array
    between_back: csr_array
    to_open: csr_array
    to_open_back: csr_array
    base: Floats
    saved: Floats
    cost_saved: Floats
    loss_saved: Floats


def injection_by_active_set(case: Case, rounds: int = 40, near: float = 0.006, few: int = FEW) -> Found:
    """One scenario. near: how near to a tie, as a share of debt or cost, a state is left open. few: up to so many failures,
    all are. Not solved where the rounds run out or the states have no solution; the caller then asks the whole programme."""
    start = _swept(case, 50)
    guess = _rough(case, start)
    failing = start < case.owed
    kept, often = (
        np.where(failing, rounds if np.count_nonzero(failing) <= few else 0, 0),
        np.zeros(len(start), dtype=int),
    )
    reach, hops, last = REACH, 0, np.inf
    for number in range(1, rounds + 1):
        states = _states(case, guess, near, kept > 0)
        after = _refined(case, guess, states, reach, hops)
        if after is None:
            break
        wrong = _wrong(case, after, states)
        moved = abs(np.log(after.price / guess.price)) >= 0.999 * np.log(1.0 + reach)
        often += wrong
        kept = np.where(wrong, 2**often, kept - 1)
        guess, reach = after, 2.0 * reach if moved else REACH
        found, gap = _proved(case, guess, number)
        if not wrong.any():
            if found is not None:
                return found
            hops, last = min(2 * hops + 1, 63) if gap > 0.1 * last else hops, gap
    return Found(None, np.zeros(1), np.zeros((1, len(start))), number, False, "its states did not settle")


def _proved(case: Case, guess: Guess, number: int) -> tuple[Found | None, float]:
    """The answer, if the payments are possible, hold the limit, and cost no more than the bound, else None; and what is missing."""
    asked = guess.paid - case.share @ guess.paid - case.left[0]
    injected = np.clip(asked, 0.0, case.most)
    spent, loss = float(case.cost @ injected), float(case.weight @ (case.owed - guess.paid))
    price, worth = np.array([guess.price]), guess.worth[None, :]
    gap = spent - least_cost(case, price, worth)
    missed = max(float((asked - case.most).max(initial=0.0)), loss - case.limit)
    proved = gap <= CLOSE * max(1.0, spent) and missed <= CLOSE
    return Found(injected, price, worth, number, True, "solved") if proved else None, max(gap, missed)


def _swept(case: Case, sweeps: int) -> Floats:
    """Payments without help, from above. (n,)."""
    paid = case.owed
    for _ in range(sweeps):
        paid = np.minimum(case.left[0] + case.share @ paid, case.owed)
    return paid


def _rough(case: Case, paid: Floats) -> Guess:
    """Steps of the first-order method, the price moved by how far the loss is from its limit."""
    share, back, unit = case.share, case.share_back, 0.3 / float(case.cost.mean())
    down = unit / (1.0 + np.asarray(share.sum(axis=0)).ravel())
    up = 1.0 / unit / (1.0 + np.asarray(share.sum(axis=1)).ravel())
    worth, counted = np.zeros(len(paid)), case.weight > 0.0
    price = 0.5 * float(np.median(case.cost[counted] / case.weight[counted]))
    aim = max(case.limit, 0.05 * float(case.weight @ (case.owed - paid)))
    for _ in range(STEPS):
        after = np.clip(paid - down * (worth - back @ worth - price * case.weight), 0.0, case.owed)
        ahead = 2.0 * after - paid
        paid = after
        moved = worth + up * (ahead - share @ ahead - case.left[0])
        beyond = np.maximum(case.cost, moved - up * case.most)
        worth = np.clip(np.where(moved > case.cost, beyond, moved), 0.0, None)
        price *= float(np.exp(0.02 * np.clip((case.weight @ (case.owed - ahead) - case.limit) / aim, -1.0, 1.0)))
    return Guess(paid, worth, price)


def _margins(case: Case, guess: Guess) -> tuple[Floats, Floats]:
    """How much each is short of without help of its own, and what a unit given to it is worth if it fails. Both (n,)."""
    short = case.owed - case.left[0] - case.share @ guess.paid
    return short, guess.price * case.weight + case.share_back @ guess.worth


def _states(case: Case, guess: Guess, near: float, opened: NDArray[np.bool_]) -> States:
    short, worth = _margins(case, guess)
    fails, dear = short > 0.0, worth > case.cost
    tie = np.abs(short) <= near * case.owed
    tie |= fails & (np.abs(worth - case.cost) <= near * case.cost)
    tie |= fails & dear & (np.abs(short - case.most) <= near * case.owed)
    left_open = (tie | opened) & (case.owed > 0.0)
    if not left_open.any() and fails.any():
        left_open[np.argmin(np.where(fails, np.abs(worth - case.cost), np.inf))] = True
    capped = fails & dear & (short > case.most)
    rescued = fails & dear & ~capped & ~left_open
    failing = fails & ~rescued & ~left_open
    solvent = ~fails & ~left_open
    given = np.where(capped & failing, case.most, 0.0)
    parts = [np.flatnonzero(part) for part in (left_open, failing, rescued, solvent)]
    return States(parts[0], parts[1], parts[2], parts[3], given)


def _wrong(case: Case, guess: Guess, states: States) -> NDArray[np.bool_]:
    """Whom the answer puts into another state than was assumed. (n,)."""
    short, worth = _margins(case, guess)
    capped = states.given > 0.0
    close, fair = TIE * np.maximum(case.owed, 1.0), TIE * case.cost
    found = np.zeros(len(short), dtype=bool)
    found[states.solvent] = (short > close)[states.solvent]
    off = (short < -close) | (short > case.most + close) | (worth < case.cost - fair)
    found[states.rescued] = off[states.rescued]
    off = np.where(
        capped, (short < case.most - close) | (worth < case.cost - fair), (worth > case.cost + fair) & (case.most > 0.0)
    )
    found[states.failing] = ((short < -close) | off)[states.failing]
    return found


def _refined(case: Case, guess: Guess, states: States, reach: float, hops: int) -> Guess | None:
    """Payments and multipliers for these states, from those before; None where they have none."""
    try:
        inside = _inside(case, states)
        solved = _open_programme(case, guess, states, inside, reach, hops)
        return None if solved is None else _whole(case, guess, states, inside, solved)
    except RuntimeError:  # a circle of failures that no money leaves
        return None


def _inside(case: Case, states: States) -> Inside:
    o, f, rescued = states.open, states.failing, states.rescued
    full = np.concatenate([rescued, states.solvent])
    to_failing, to_open = case.share[f], case.share[o][:, f]
    inner, between = csr_array(to_failing[:, f]), csr_array(to_failing[:, o])
    back, between_back = csr_array(inner.T), csr_array(between.T)
    saved = case.share_back[:, rescued] @ case.cost[rescued]
    base = case.left[0] + states.given + case.share[:, full] @ case.owed[full]
    return Inside(
        inner,
        back,
        between,
        between_back,
        csr_array(to_open),
        csr_array(to_open.T),
        base,
        saved,
        saved[o] + between_back @ settled(back, saved[f]),
        case.weight[o] + between_back @ settled(back, case.weight[f]),
    )


def _feedback(inside: Inside, hops: int) -> csr_array:
    """What of a unit paid by the open comes back to the open through the failing, over this many more of them; the small dropped."""
    through = along = inside.between
    for _ in range(hops):
        along = inside.inner @ along
        through = through + along
    found = csr_array(inside.to_open @ through)
    found.data[found.data < DROPPED / 10.0**hops] = 0.0
    found.eliminate_zeros()
    return found


def _open_programme(case: Case, guess: Guess, states: States, inside: Inside, reach: float, hops: int) -> Guess | None:
    """Columns: payments and injections of the open, loss above the limit and below it. These cost and earn a price (1 + reach)
    times the last one, and that less; without limits where all are open. Returns payments, multipliers, (o,), and the price."""
    o, f = states.open, states.failing
    paid, worth, count = guess.paid[o], guess.worth[o], len(o)
    paid_failing = settled(inside.inner, inside.base[f] + inside.between @ paid, guess.paid[f])
    through = settled(inside.back, inside.to_open_back @ worth)
    feedback = _feedback(inside, hops)
    own = eye_array(count) - case.share[o][:, o] - feedback
    right = inside.base[o] + inside.to_open @ paid_failing - feedback @ paid
    defect = feedback.T @ worth - inside.between_back @ through
    loss = case.weight[o] @ (case.owed[o] - paid) + case.weight[f] @ (case.owed[f] - paid_failing)
    free = np.inf if len(f) + len(states.rescued) else 0.0
    beyond = csr_array(np.array([[-1.0, 1.0]]))
    solved = linprog(
        np.concatenate(
            [defect - inside.cost_saved, case.cost[o], guess.price * np.array([1.0 + reach, -1.0 / (1.0 + reach)])]
        ),
        A_ub=block_array(
            [[own, -eye_array(count), None], [csr_array(-inside.loss_saved[None, :]), None, beyond]], format="csr"
        ),
        b_ub=np.append(right, case.limit - loss - inside.loss_saved @ paid),
        bounds=np.stack([np.zeros(2 * count + 2), np.concatenate([case.owed[o], case.most[o], [free, free]])], axis=1),
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if solved.status != 0:
        return None
    dual = np.maximum(-solved.ineqlin.marginals, 0.0)
    return Guess(np.clip(solved.x[:count], 0.0, case.owed[o]), dual[:-1], max(float(dual[-1]), 1e-9 * guess.price))


def _whole(case: Case, guess: Guess, states: States, inside: Inside, solved: Guess) -> Guess:
    """The answer of the open ones brought to all."""
    o, f = states.open, states.failing
    paid, worth = case.owed.copy(), np.zeros(len(case.owed))
    paid[o], worth[o] = solved.paid, solved.worth
    paid[f] = settled(inside.inner, inside.base[f] + inside.between @ solved.paid, guess.paid[f])
    worth[states.rescued] = case.cost[states.rescued]
    right = solved.price * case.weight[f] + inside.saved[f] + inside.to_open_back @ solved.worth
    worth[f] = settled(inside.back, right, guess.worth[f])
    return Guess(paid, worth, solved.price)
