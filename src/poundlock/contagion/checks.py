"""What no system can be: shapes, signs, shares, ranks and cross-holdings, each refused with the first offending name and value."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from poundlock.contagion.valuation import VALUATIONS
from poundlock.system.balance import Floats, Layer, System, equity
from poundlock.system.contingent import COVERS, Guarantee, covered_too_often

ROUNDING = 1e-9


def check_system(system: System) -> None:
    """Raises ValueError with every mistake, a line each."""
    mistakes = list(_shapes(system)) or [
        *_amounts(system),
        *(said for layer in system.layers for said in _layer(system, layer)),
        *_ranks(system),
        *_guarantees(system),
        *_own_limits(system),
    ]
    if not mistakes:
        mistakes = [*_stakes(system), *_totals(system)]
    if mistakes:
        raise ValueError("\n".join(mistakes))


def _shapes(system: System) -> Iterator[str]:
    n, k = len(system), len(system.asset_classes)
    if n == 0:
        yield "an empty system; expected at least one institution"
    if len(set(system.ids)) < n:
        yield "two institutions of one name; expected each name once"
    for name in ("names", "kinds", "regions"):
        if len(getattr(system, name)) != n:
            yield f"shapes disagree: {len(getattr(system, name))} {name} for {n} institutions"
    vectors = ("external_assets", "external_liabilities", "safe_assets")
    reported = ("runnable", "leverage_limit", "leverage_buffer", "volatility")
    for name in (*vectors, *reported):
        values = getattr(system, name)
        if values is not None and np.shape(values) != (n,):
            yield f"shapes disagree: {name} {np.shape(values)}; expected ({n},), a number for each institution"
    if np.shape(system.holdings) != (n, k):
        yield f"shapes disagree: holdings {np.shape(system.holdings)}; expected ({n}, {k})"
    matrices = [
        (f"{name} of layer '{layer.name}'", getattr(layer, name))
        for layer in system.layers
        for name in ("amounts", "recovery", "maturity_days")
    ]
    if system.dependences is not None:
        matrices += [(name, getattr(system.dependences, name)) for name in ("daily_margin", "daily_flow")]
    for name, matrix in matrices:
        if matrix is not None and matrix.shape != (n, n):
            yield f"shapes disagree: {name} {matrix.shape}; expected ({n}, {n})"


def _amounts(system: System) -> Iterator[str]:
    for name in ("external_assets", "external_liabilities", "safe_assets", "runnable", "volatility"):
        values = getattr(system, name)
        if values is not None:
            yield from _not_negative(system, name, values)
    for k, pool in enumerate(system.asset_classes):
        yield from _not_negative(system, f"holding of '{pool.id}'", system.holdings[:, k])
        if pool.depth is not None and not pool.depth > 0.0:
            yield f"market depth of '{pool.id}' is {pool.depth:g}; expected above 0"
        if not 0.0 <= pool.floor < 1.0:
            yield f"price floor of '{pool.id}' is {pool.floor:g}; expected a share of the first price, below 1"
    if system.dependences is not None:
        for name in ("daily_margin", "daily_flow"):
            yield from _entries(system, name, getattr(system.dependences, name))


def _not_negative(system: System, name: str, values: Floats) -> Iterator[str]:
    bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0.0)))
    if len(bad):
        yield f"{name} of '{system.ids[bad[0]]}' is {values[bad[0]]:g}; expected finite amounts, not negative{_more(bad)}"


def _entries(system: System, name: str, amounts: csr_array, own: bool = False) -> Iterator[str]:
    """Matrix entries that are negative, not finite, or on the diagonal."""
    rows = np.repeat(np.arange(len(system)), np.diff(amounts.indptr))
    bad = np.flatnonzero(~(np.isfinite(amounts.data) & (amounts.data >= 0.0)))
    if len(bad):
        i, j = rows[bad[0]], amounts.indices[bad[0]]
        at = f"[{i}, {j}] ('{system.ids[i]}' on '{system.ids[j]}')"
        yield f"{name}{at} is {amounts.data[bad[0]]:g}; expected finite amounts, not negative{_more(bad)}"
    itself = np.flatnonzero((rows == amounts.indices) & (amounts.data != 0.0))
    if len(itself) and not own:
        yield f"'{system.ids[rows[itself[0]]]}' has an exposure to itself in {name}; expected two institutions{_more(itself)}"


def _more(bad: NDArray[np.int64]) -> str:
    return f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""


def _layer(system: System, layer: Layer) -> Iterator[str]:
    yield from _entries(system, f"exposures of layer '{layer.name}'", layer.amounts)
    if layer.valuation is not None and layer.valuation not in VALUATIONS:
        yield f"layer '{layer.name}' has unknown valuation '{layer.valuation}'; known: {', '.join(VALUATIONS)}"
    if layer.rank != int(layer.rank) or layer.rank < 1:
        yield f"layer '{layer.name}' has rank {layer.rank}; expected 1 (paid first), 2, ..."
    if layer.recovery is not None:
        known = layer.recovery.data[~np.isnan(layer.recovery.data)]
        if np.any((known < 0.0) | (known > 1.0)):
            worst = known[(known < 0.0) | (known > 1.0)][0]
            yield f"recovery in layer '{layer.name}' is {worst:g}; expected a share within [0, 1]"
    if layer.maturity_days is not None and np.any(layer.maturity_days.data < 0.0):
        yield f"maturity in layer '{layer.name}' is {layer.maturity_days.data.min():g} days; expected 0 or more"


def _ranks(system: System) -> Iterator[str]:
    debts = {layer.rank for layer in system.layers if layer.kind == "debt"}
    used = debts | {system.external_rank} | {g.rank for g in system.guarantees}
    missing = sorted(set(range(1, max(used) + 1)) - used)
    if missing:
        found = ", ".join(str(rank) for rank in sorted(used))
        yield f"seniority with gaps: ranks {found}, none at {missing[0]}; expected 1, 2, ... without a gap"


def _guarantees(system: System) -> Iterator[str]:
    n = len(system)
    sound = True
    for number, g in enumerate(system.guarantees):
        for said in _guarantee(g, n):
            sound = False
            yield f"guarantee {number + 1}: {said}"
    if sound:
        for g, total in covered_too_often(system.guarantees):
            name = system.ids[g.beneficiary]
            yield f"guarantees for '{name}' promise {total:g} of one loss ({g.covers}); expected at most the loss"


def _guarantee(g: Guarantee, n: int) -> Iterator[str]:
    if g.covers not in COVERS:
        yield f"it covers '{g.covers}'; expected one of {', '.join(COVERS)}"
    named = (g.guarantor, g.beneficiary, *((g.debtor,) if g.covers == "claims" else ()))
    if any(not 0 <= i < n for i in named):
        yield f"institutions {named} of {n}; expected numbers of institutions"
    elif len(set(named)) < len(named):
        yield f"institutions {named}; expected different ones as guarantor, beneficiary and debtor"
    if not 0.0 <= g.share <= 1.0:
        yield f"share {g.share:g}; expected within [0, 1]"
    if not (g.deductible >= 0.0 and g.limit >= 0.0 and np.isfinite(g.deductible)):
        yield f"deductible {g.deductible:g}, limit {g.limit:g}; expected amounts, not negative"


def _own_limits(system: System) -> Iterator[str]:
    limit, buffer = system.leverage_limit, system.leverage_buffer
    if limit is not None and np.any(limit <= 1.0):
        worst = int(np.flatnonzero(limit <= 1.0)[0])
        yield f"leverage limit of '{system.ids[worst]}' is {limit[worst]:g}; expected total assets over equity, above 1"
    if buffer is not None and limit is not None and np.any(buffer > limit):
        worst = int(np.flatnonzero(buffer > limit)[0])
        yield f"leverage buffer of '{system.ids[worst]}' is above its limit; expected at most {limit[worst]:g}"


def _stakes(system: System) -> Iterator[str]:
    """Stakes beyond the whole of an institution, and groups of institutions that nobody outside owns any part of."""
    stakes = [layer.amounts for layer in system.layers if layer.kind == "stake"]
    if not stakes:
        return
    own = equity(system)
    owned = csr_array(sum(stakes[1:], start=stakes[0]))
    held = np.asarray(owned.sum(axis=0)).ravel()
    for j in np.flatnonzero((held > 0.0) & (held > own * (1.0 + ROUNDING)))[:1]:
        yield (
            f"stakes in '{system.ids[j]}' add up to {held[j]:,.6g}, its equity is {own[j]:,.6g}; "
            "expected cross-holdings within the equity"
        )
        return
    closed = (held > 0.0) & (held >= own * (1.0 - ROUNDING))
    while True:  # whoever is owned by someone outside is not part of a closed group
        outside = np.asarray((owned.T @ (~closed).astype(np.float64)) > 0.0)
        if not np.any(closed & outside):
            break
        closed &= ~outside
    if closed.any():
        names = ", ".join(system.ids[j] for j in np.flatnonzero(closed)[:3])
        yield f"cross-holdings of {names} sum to one: each is owned by the others alone; expected an owner outside"


def _totals(system: System) -> Iterator[str]:
    held = system.holdings.sum(axis=1) + system.safe_assets
    over = np.flatnonzero(held > system.external_assets * (1.0 + ROUNDING) + ROUNDING * held)
    if len(over):
        yield (
            f"'{system.ids[over[0]]}' holds {held[over[0]]:,.6g} in asset classes and safe assets, its external assets are "
            f"{system.external_assets[over[0]]:,.6g}; expected holdings within external assets{_more(over)}"
        )
    if system.runnable is not None:
        over = np.flatnonzero(system.runnable > system.external_liabilities * (1.0 + ROUNDING))
        if len(over):
            yield (
                f"runnable balances of '{system.ids[over[0]]}' are {system.runnable[over[0]]:,.6g}, its external liabilities "
                f"{system.external_liabilities[over[0]]:,.6g}; expected part of them{_more(over)}"
            )
