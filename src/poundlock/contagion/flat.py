"""What the kernels read and write: plain arrays, grouped by what they stand for. Made by `model` and `threads`.

Slots: claims on institution j that are valued alike form a group g; slot j * groups + g holds the share that all of them lose.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Short = NDArray[np.int32]

ON_CLAIMS: Final = 0
ON_OWN_LOSS: Final = 1
ON_SHORTFALL: Final = 2
UNSETTLED: Final = 3
STATED: Final = 4


class Network(NamedTuple):
    """Amounts at risk of n institutions in g groups, and how each group is valued.

    starts (n + 1), slot, amount: by creditor, money. told_starts (n + 1), told: by debtor, whom a change of its value
    concerns. code, rank (g): valuation and seniority. first, second (g): alpha and beta of default costs; exponent. owed (n):
    all obligations. rank_owed, junior, scale (n, g): obligations of the group's rank and behind it; one over what the
    valuation divides by (Merton: the deviation; own: initial equity). initial (n): equity, a very large one where there
    is none. beyond (n): external assets less initial equity.
    """

    starts: Whole
    slot: Short
    amount: Floats
    told_starts: Whole
    told: Short
    code: Whole
    rank: Whole
    first: Floats
    second: Floats
    owed: Floats
    rank_owed: Floats
    junior: Floats
    scale: Floats
    initial: Floats
    beyond: Floats


class Promises(NamedTuple):
    """c contingent claims, sorted by payee and order. payee_starts (n + 1); kind, payer, group, rank, share, deductible, limit
    (c): group says how it is valued, rank where it stands among the payer's obligations; column (c): of the dues that are stated scenario by
    scenario; cover_starts (c + 1), cover_slot, cover_amount: the claims covered; payer_starts (n + 1), of_payer (c): by payer."""

    payee_starts: Whole
    kind: Whole
    payer: Whole
    group: Whole
    rank: Whole
    share: Floats
    deductible: Floats
    limit: Floats
    column: Whole
    cover_starts: Whole
    cover_slot: Short
    cover_amount: Floats
    payer_starts: Whole
    of_payer: Whole


class Markets(NamedTuple):
    """Marketable assets and short-term funding. starts (n + 1), asset, amount: holdings by institution, money at the first
    price. depth, floor (k), exponential (k): price impact. liabilities, limit, buffer, liquid (n): for leverage and calls;
    limit is infinite where nothing binds. lent_starts (n + 1), lent_to, lent: short-term lending by lender.
    runnable (n). The rest are the scalars of FireSales and Funding."""

    starts: Whole
    asset: Short
    amount: Floats
    depth: Floats
    floor: Floats
    exponential: NDArray[np.bool_]
    liabilities: Floats
    limit: Floats
    buffer: Floats
    liquid: Floats
    lent_starts: Whole
    lent_to: Short
    lent: Floats
    runnable: Floats
    realised: float
    failed_sell: bool
    withdrawn: float
    run: float
    stress_below: float
    margin: float
    price_tolerance: float
    max_rounds: int


OPEN, BIGGEST, BEFORE, PACE, LOWEST, ROOM, GAP, STEP = range(8)
"""Rows of Block.marks: 1 while a lane is moving; what the stop rule needs (largest rise of a slot in the sweep and in the one
before, their ratio before, gap) and the extrapolation (smallest ratio of rises, room to the ceiling, step)."""


class Block(NamedTuple):
    """Scratch for w scenarios at once, node-major. base (n, w): equity with all claims at face; equity (n, w). lost, rise
    (n * g, w): share lost, and its last rise. due (c, w): owed under promises. todo (n): 1 for those to visit.
    marks (8, w), rounds (w). row, share (w), extra, behind (g, w): scratch of one visit."""

    base: Floats
    equity: Floats
    lost: Floats
    rise: Floats
    due: Floats
    todo: NDArray[np.uint8]
    marks: Floats
    rounds: Whole
    row: Floats
    share: Floats
    extra: Floats
    behind: Floats


MOVED, ALIVE = range(2)


class Trading(NamedTuple):
    """State of markets in one block of w scenarios. price (k, w), sold (k, w): units at the first price. value (n, w): of
    the first holdings at present prices. left (n, w): share of them not sold. selling (n, w): share sold in this round; before
    that, 1 for who newly comes under stress.     aside (n, w): money raised. called (n, w): funding called. price_loss (n, w). stressed (n, w): 1 from the first stress on.
    pace (2, w): largest fall of a price in the round (MOVED), and 1 while a lane is in rounds (ALIVE); rounds (w)."""

    price: Floats
    sold: Floats
    value: Floats
    left: Floats
    selling: Floats
    aside: Floats
    called: Floats
    price_loss: Floats
    stressed: Floats
    pace: Floats
    rounds: Whole


class Settings(NamedTuple):
    """Stop rule and ways of working. rising: from no loss at all to the greatest values; else from all lost to the least.
    own: an own valuation function as a numba cfunc."""

    tolerance: float
    max_rounds: int
    extrapolate: bool
    rising: bool
    own: Any


def new_block(institutions: int, groups: int, promises: int, width: int) -> Block:
    """Scratch that a thread uses for one block after the other. Large arrays come from numpy, which asks for huge pages."""
    by_node, by_slot = (institutions, width), (institutions * groups, width)
    return Block(
        base=np.empty(by_node),
        equity=np.empty(by_node),
        lost=np.empty(by_slot),
        rise=np.empty(by_slot),
        due=np.empty((promises, width)),
        todo=np.empty(institutions, dtype=np.uint8),
        marks=np.zeros((8, width)),
        rounds=np.zeros(width, dtype=np.int64),
        row=np.empty(width),
        share=np.empty(width),
        extra=np.empty((groups, width)),
        behind=np.empty((groups, width)),
    )


def new_trading(institutions: int, assets: int, width: int) -> Trading:
    """The same for prices and funding."""
    by_node = (institutions, width)
    return Trading(
        price=np.empty((assets, width)),
        sold=np.empty((assets, width)),
        value=np.empty(by_node),
        left=np.empty(by_node),
        selling=np.empty(by_node),
        aside=np.empty(by_node),
        called=np.empty(by_node),
        price_loss=np.empty(by_node),
        stressed=np.empty(by_node),
        pace=np.empty((2, width)),
        rounds=np.empty(width, dtype=np.int64),
    )
