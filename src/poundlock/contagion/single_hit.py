"""DebtRank as it was first: each institution passes its loss on once (Battiston, Puliga, Kaushik, Tasca, Caldarelli 2012)."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from poundlock.contagion.compiled import door
from poundlock.contagion.flat import Floats
from poundlock.contagion.model import Model
from poundlock.contagion.outcome import Propagation
from poundlock.contagion.threads import share_out
from poundlock.contagion.valuation import LINEAR_DEBTRANK

EMPTY = np.zeros((0, 0))


def single_hit(model: Model, losses: Floats, *, threads: int | None = None) -> Propagation:
    """h_i(t) = min(1, h_i(t - 1) + sum of W_ij h_j(t - 1) over the j that are hit for the first time), W_ij = min(1, X_ij / E_i).

    h: loss of i relative to its initial equity, from the shock at first, gains as nought. model: claims alone, one group.
    losses: (s, n), money. An institution without equity has nothing to lose and passes nothing on. `value` of a claim on j is
    1 - h_j as it was passed on. Source: Scientific Reports 2:541, Methods.
    Raises ValueError where layers bring valuations, stakes, guarantees or markets of their own.
    """
    if (
        len(model.groups) != 1
        or len(model.promises.kind)
        or model.markets is not None
        or model.groups[0].code != LINEAR_DEBTRANK
    ):
        raise ValueError("DebtRank with one hit each needs debts alone, without ranks, stakes, guarantees or markets")
    own = np.maximum(model.initial, 0.0)
    inverse = np.divide(1.0, own, out=np.zeros_like(own), where=own > 0.0)
    by_debtor = model.at_risk.tocsc()
    relative = np.clip(losses * inverse, 0.0, 1.0)
    passed = np.zeros_like(relative)
    rounds = np.zeros(len(losses), dtype=np.int64)
    starts, creditors = by_debtor.indptr.astype(np.int64), by_debtor.indices.astype(np.int32)
    impact = np.minimum(1.0, by_debtor.data * inverse[by_debtor.indices])

    def work(thread: int, of: int) -> None:
        n = len(own)
        scratch = (np.empty(n), np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64), np.empty(n, dtype=np.uint8))
        spread_once(starts, creditors, impact, thread, of, *scratch, relative, passed, rounds)

    share_out(work, len(losses), 1, threads)
    equity = np.where(own > 0.0, own * (1.0 - relative), model.initial)
    nothing, gap = np.zeros((len(losses), 0)), np.zeros(len(losses))
    return Propagation(
        model, equity, passed, nothing, losses, EMPTY, EMPTY, None, rounds, gap, 0.0, name="debtrank, one hit each"
    )


@door
def spread_once(starts, creditors, impact, thread, threads, before, hit, next_hit, seen, relative, passed, rounds):
    """Spread from those with a loss to those not yet hit, step by step; all of one step at once. Ends after n steps at most."""
    n = len(starts) - 1
    for s in range(thread, len(relative), threads):
        count = 0
        for i in range(n):
            seen[i] = 1 if relative[s, i] > 0.0 else 0
            if seen[i]:
                hit[count] = i
                count += 1
        while count > 0:
            rounds[s] += 1
            for k in range(count):
                before[hit[k]] = relative[s, hit[k]]
                passed[s, hit[k]] = before[hit[k]]
            fresh = 0
            for k in range(count):
                j = hit[k]
                for e in range(starts[j], starts[j + 1]):
                    i = creditors[e]
                    relative[s, i] = min(1.0, relative[s, i] + impact[e] * before[j])
                    if seen[i] == 0 and relative[s, i] > 0.0:
                        seen[i] = 1
                        next_hit[fresh] = i
                        fresh += 1
            for k in range(fresh):
                hit[k] = next_hit[k]
            count = fresh
