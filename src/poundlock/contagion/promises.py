"""Guarantees, support and unsettled payments of a System as the flat arrays of the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import coo_array, csc_array

from poundlock.contagion.flat import ON_CLAIMS, ON_OWN_LOSS, ON_SHORTFALL, STATED, UNSETTLED, Promises
from poundlock.system.balance import System
from poundlock.system.contingent import Guarantee, towers
from poundlock.system.covers import pairs_of

KINDS = {"claims": ON_CLAIMS, "own-loss": ON_OWN_LOSS, "shortfall": ON_SHORTFALL}
Row = tuple[int, int, int, int, int, float, float, float, int]
"""Payee, kind, payer, group, rank, share, deductible, limit, column of what is stated."""


def promises_of(system: System, group_of_rank: dict[int, int], credit: list[int], at_risk: list[csc_array]) -> Promises:
    """group_of_rank: the group that promises of each rank belong to. credit: groups of debts. at_risk: (n, n) of each group."""
    n = len(system)
    rows: list[Row] = []
    covers: list[tuple[Any, Any]] = []
    for guarantee in towers(system.guarantees):
        group = group_of_rank[guarantee.rank]
        kind = KINDS[guarantee.covers]
        rows.append(
            (
                guarantee.beneficiary,
                kind,
                guarantee.guarantor,
                group,
                guarantee.rank,
                guarantee.share,
                guarantee.deductible,
                guarantee.limit,
                0,
            )
        )
        covers.append(_covered(guarantee, at_risk, credit) if kind == ON_CLAIMS else ([], []))
    if system.dependences is not None:
        flows = coo_array(system.dependences.daily_flow)
        for payee, provider, amount in zip(flows.row, flows.col, flows.data, strict=True):
            if amount > 0.0:
                rows.append((int(payee), UNSETTLED, int(provider), group_of_rank[1], 1, float(amount), 0.0, np.inf, 0))
                covers.append(([], []))
    for column, (payer, payee, rank) in enumerate(pairs_of(system.covers)):
        rows.append((payee, STATED, payer, group_of_rank[rank], rank, 1.0, 0.0, np.inf, column))
        covers.append(([], []))
    order = sorted(range(len(rows)), key=lambda c: (rows[c][0], rows[c][1] == ON_SHORTFALL))  # support comes last
    return _flat(n, [rows[c] for c in order], [covers[c] for c in order])


def _covered(guarantee: Guarantee, at_risk: list[csc_array], credit: list[int]) -> tuple[list[int], list[float]]:
    """Slots and amounts of the beneficiary's debts from the debtor, in every group."""
    slots, amounts = [], []
    for g in credit:
        column = at_risk[g]
        start, end = column.indptr[guarantee.debtor], column.indptr[guarantee.debtor + 1]
        for k in range(start, end):
            if column.indices[k] == guarantee.beneficiary:
                slots.append(guarantee.debtor * len(at_risk) + g)
                amounts.append(float(column.data[k]))
    return slots, amounts


def _flat(n: int, rows: list[Row], covers: list[tuple[Any, Any]]) -> Promises:
    payee, kind, payer, group, rank = (np.array([row[k] for row in rows], dtype=np.int64) for k in range(5))
    share, deductible, limit = (np.array([row[k] for row in rows], dtype=np.float64) for k in (5, 6, 7))
    column = np.array([row[8] for row in rows], dtype=np.int64)
    lengths = np.array([len(slots) for slots, _ in covers], dtype=np.int64)
    return Promises(
        _starts(payee, n),
        kind,
        payer,
        group,
        rank,
        share,
        deductible,
        limit,
        column,
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.array([q for slots, _ in covers for q in slots], dtype=np.int32),
        np.array([x for _, amounts in covers for x in amounts], dtype=np.float64),
        _starts(payer, n),
        np.argsort(payer, kind="stable").astype(np.int64),
    )


def _starts(of: Any, n: int) -> Any:
    return np.concatenate([[0], np.cumsum(np.bincount(of, minlength=n))]).astype(np.int64)
