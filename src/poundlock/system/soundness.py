"""What no system can be: shapes, signs, shares, ranks and cross-holdings. Each mistake names the first offender and its value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from poundlock.system.balance import VALUATIONS, Floats, Layer, System, equity
from poundlock.system.contingent import COVERS, Guarantee, covered_too_often

ROUNDING = 1e-9
About = Literal["system", "institution", "layer", "pool", "guarantee"]


@dataclass(frozen=True)
class Mistake:
    """found, expected: without a full stop. about, number: which institution, layer, pool or guarantee, counted from 0."""

    found: str
    expected: str
    about: About = "system"
    number: int = 0

    def __str__(self) -> str:
        return f"{self.found}; expected {self.expected}"


def mistakes(system: System) -> list[Mistake]:
    """Everything that is wrong, as far as it can be told at once: shapes first, then amounts and rules, then sums."""
    for checks in ((_shapes,), (_amounts, _layers, _ranks, _guarantees, _covers, _own_limits), (_stakes, _totals)):
        found = [mistake for check in checks for mistake in check(system)]
        if found:
            return found
    return []


def check_system(system: System) -> None:
    """Raises ValueError with every mistake, a line each."""
    if found := mistakes(system):
        raise ValueError("\n".join(str(mistake) for mistake in found))


def _shapes(system: System) -> Iterator[Mistake]:
    n, k = len(system), len(system.asset_classes)
    if n == 0:
        yield Mistake("an empty system", "at least one institution")
    if len(set(system.ids)) < n:
        yield Mistake("two institutions of one name", "each name once")
    for name in ("names", "kinds", "regions"):
        if len(getattr(system, name)) != n:
            yield Mistake(f"shapes disagree: {len(getattr(system, name))} {name} for {n} institutions", "one for each")
    vectors = ("external_assets", "external_liabilities", "safe_assets")
    reported = ("runnable", "leverage_limit", "leverage_buffer", "volatility", "income", "risk_weighted_assets")
    for name in (*vectors, *reported):
        values = getattr(system, name)
        if values is not None and np.shape(values) != (n,):
            yield Mistake(f"shapes disagree: {name} {np.shape(values)}", f"({n},), a number for each institution")
    if np.shape(system.holdings) != (n, k):
        yield Mistake(f"shapes disagree: holdings {np.shape(system.holdings)}", f"({n}, {k})")
    if system.commitments is not None and np.shape(system.commitments) != (n, k):
        yield Mistake(f"shapes disagree: commitments {np.shape(system.commitments)}", f"({n}, {k})")
    matrices = [
        (f"{name} of layer '{layer.name}'", getattr(layer, name))
        for layer in system.layers
        for name in ("amounts", "recovery", "maturity_days")
    ]
    if system.dependences is not None:
        matrices += [(name, getattr(system.dependences, name)) for name in ("daily_margin", "daily_flow")]
    for name, matrix in matrices:
        if matrix is not None and matrix.shape != (n, n):
            yield Mistake(f"shapes disagree: {name} {matrix.shape}", f"({n}, {n})")


def _amounts(system: System) -> Iterator[Mistake]:
    for name in ("external_assets", "external_liabilities", "safe_assets", "runnable", "volatility"):
        values = getattr(system, name)
        if values is not None:
            yield from _not_negative(system, name, values)
    for k, pool in enumerate(system.asset_classes):
        yield from _not_negative(system, f"holding of '{pool.id}'", system.holdings[:, k])
        if pool.depth is not None and not pool.depth > 0.0:
            yield Mistake(f"market depth of '{pool.id}' is {pool.depth:g}", "above 0", "pool", k)
        if not 0.0 <= pool.floor < 1.0:
            expected = "a share of the first price, below 1"
            yield Mistake(f"price floor of '{pool.id}' is {pool.floor:g}", expected, "pool", k)
    if system.dependences is not None:
        for name in ("daily_margin", "daily_flow"):
            yield from _entries(system, name, getattr(system.dependences, name))


def _not_negative(system: System, name: str, values: Floats) -> Iterator[Mistake]:
    bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0.0)))
    if len(bad):
        i = int(bad[0])
        found = f"{name} of '{system.ids[i]}' is {values[i]:g}{_more(bad)}"
        yield Mistake(found, "finite amounts, not negative", "institution", i)


def _entries(system: System, name: str, amounts: csr_array, number: int = -1) -> Iterator[Mistake]:
    """Matrix entries that are negative, not finite, or on the diagonal."""
    about: About = "layer" if number >= 0 else "system"
    rows = np.repeat(np.arange(len(system), dtype=np.int32), np.diff(amounts.indptr))
    bad = np.flatnonzero(~(np.isfinite(amounts.data) & (amounts.data >= 0.0)))
    if len(bad):
        i, j = rows[bad[0]], amounts.indices[bad[0]]
        at = f"[{i}, {j}] ('{system.ids[i]}' on '{system.ids[j]}')"
        found = f"{name}{at} is {amounts.data[bad[0]]:g}{_more(bad)}"
        yield Mistake(found, "finite amounts, not negative", about, max(number, 0))
    own = np.flatnonzero((rows == amounts.indices) & (amounts.data != 0.0))
    if len(own):
        found = f"'{system.ids[rows[own[0]]]}' has an exposure to itself in {name}{_more(own)}"
        yield Mistake(found, "two institutions", about, max(number, 0))


def _more(bad: NDArray[np.int64]) -> str:
    return f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""


def _layers(system: System) -> Iterator[Mistake]:
    for number, layer in enumerate(system.layers):
        yield from _entries(system, f"exposures of layer '{layer.name}'", layer.amounts, number)
        for found, expected in _layer(layer):
            yield Mistake(f"layer '{layer.name}' has {found}", expected, "layer", number)


def _layer(layer: Layer) -> Iterator[tuple[str, str]]:
    if layer.valuation is not None and layer.valuation not in VALUATIONS:
        yield f"unknown valuation '{layer.valuation}'", f"one of {', '.join(VALUATIONS)}"
    if layer.rank != int(layer.rank) or layer.rank < 1:
        yield f"rank {layer.rank}", "1 (paid first), 2, ..."
    if layer.recovery is not None:
        known = layer.recovery.data[~np.isnan(layer.recovery.data)]
        wrong = known[(known < 0.0) | (known > 1.0)]
        if len(wrong):
            yield f"recovery {wrong[0]:g}", "a share within [0, 1]"
    if layer.maturity_days is not None and np.any(layer.maturity_days.data < 0.0):
        yield f"a maturity of {layer.maturity_days.data.min():g} days", "0 or more"


def _ranks(system: System) -> Iterator[Mistake]:
    debts = {layer.rank for layer in system.layers if layer.kind == "debt"}
    used = debts | {system.external_rank} | {g.rank for g in system.guarantees} | {c.rank for c in system.covers}
    missing = sorted(set(range(1, max(used) + 1)) - used)
    if missing:
        ranks = ", ".join(str(rank) for rank in sorted(used))
        yield Mistake(f"seniority with gaps: ranks {ranks}, none at {missing[0]}", "1, 2, ... without a gap")


def _guarantees(system: System) -> Iterator[Mistake]:
    sound = True
    for number, g in enumerate(system.guarantees):
        for found, expected in _guarantee(g, len(system)):
            sound = False
            yield Mistake(f"guarantee {number + 1}: {found}", expected, "guarantee", number)
    if sound:
        for number, total in covered_too_often(system.guarantees):
            g = system.guarantees[number]
            found = f"guarantees for '{system.ids[g.beneficiary]}' that promise {total:g} of one loss ({g.covers})"
            yield Mistake(found, "at most the loss", "guarantee", number)


def _guarantee(g: Guarantee, n: int) -> Iterator[tuple[str, str]]:
    if g.covers not in COVERS:
        yield f"it covers '{g.covers}'", f"one of {', '.join(COVERS)}"
    named = (g.guarantor, g.beneficiary, *((g.debtor,) if g.covers == "claims" else ()))
    if any(not 0 <= i < n for i in named):
        yield f"institutions {named} of {n}", "numbers of institutions"
    elif len(set(named)) < len(named):
        yield f"institutions {named}", "different ones as guarantor, beneficiary and debtor"
    if not 0.0 <= g.share <= 1.0:
        yield f"share {g.share:g}", "within [0, 1]"
    if not (g.deductible >= 0.0 and g.limit >= 0.0 and np.isfinite(g.deductible)):
        yield f"deductible {g.deductible:g}, limit {g.limit:g}", "amounts, not negative"


def _covers(system: System) -> Iterator[Mistake]:
    n, k = len(system), len(system.asset_classes)
    for number, c in enumerate(system.covers):
        if not (0 <= c.payer < n and 0 <= c.payee < n and c.payer != c.payee):
            yield Mistake(f"cover {number + 1}: institutions {c.payer} and {c.payee} of {n}", "two different ones")
        if not (0 <= c.pool < k or c.of >= 0) or c.of >= number:
            yield Mistake(f"cover {number + 1}: asset class {c.pool}, cover {c.of}", "a class, or an earlier cover")
        amounts, least = (c.amount, c.share, c.limit), -c.amount if c.on == "gain" else 0.0
        if not all(x >= 0.0 for x in amounts) or not np.isfinite((c.amount, c.share, c.deductible)).all():
            yield Mistake(f"cover {number + 1}: amount, share, limit {amounts}", "not negative")
        elif c.deductible < least:
            expected = f"at least {least:g}: what is gained is never less than all that there is"
            yield Mistake(f"cover {number + 1}: deductible {c.deductible:g}", expected)


def _own_limits(system: System) -> Iterator[Mistake]:
    limit, buffer = system.leverage_limit, system.leverage_buffer
    if limit is not None and np.any(limit <= 1.0):
        i = int(np.flatnonzero(limit <= 1.0)[0])
        found = f"leverage limit of '{system.ids[i]}' is {limit[i]:g}"
        yield Mistake(found, "total assets over equity, above 1", "institution", i)
    if buffer is not None and limit is not None and np.any(buffer > limit):
        i = int(np.flatnonzero(buffer > limit)[0])
        found = f"leverage buffer of '{system.ids[i]}' is {buffer[i]:g}, above its limit"
        yield Mistake(found, f"at most {limit[i]:g}", "institution", i)


def _stakes(system: System) -> Iterator[Mistake]:
    """Stakes beyond the whole of an institution, and groups of institutions that nobody outside owns any part of."""
    stakes = [layer.amounts for layer in system.layers if layer.kind == "stake"]
    if not stakes:
        return
    own = equity(system)
    owned = csr_array(sum(stakes[1:], start=stakes[0]))
    held = np.asarray(owned.sum(axis=0)).ravel()
    beyond = np.flatnonzero((held > 0.0) & (held > own * (1.0 + ROUNDING)))
    if len(beyond):
        j = int(beyond[0])
        found = f"stakes in '{system.ids[j]}' add up to {held[j]:,.6g}, its equity is {own[j]:,.6g}{_more(beyond)}"
        yield Mistake(found, "cross-holdings within the equity", "institution", j)
        return
    closed = (held > 0.0) & (held >= own * (1.0 - ROUNDING))
    while True:  # whoever is owned by someone outside is not part of a closed group
        outside = np.asarray((owned.T @ (~closed).astype(np.float64)) > 0.0)
        if not np.any(closed & outside):
            break
        closed &= ~outside
    if closed.any():
        names = ", ".join(system.ids[j] for j in np.flatnonzero(closed)[:3])
        found = f"cross-holdings of {names} sum to one: each is owned by the others alone"
        yield Mistake(found, "an owner outside", "institution", int(np.flatnonzero(closed)[0]))


def _totals(system: System) -> Iterator[Mistake]:
    held = system.holdings.sum(axis=1) + system.safe_assets
    over = np.flatnonzero(held > system.external_assets * (1.0 + ROUNDING) + ROUNDING * held)
    if len(over):
        i = int(over[0])
        found = (
            f"'{system.ids[i]}' holds {held[i]:,.6g} in asset classes and safe assets, its external assets are "
            f"{system.external_assets[i]:,.6g}{_more(over)}"
        )
        yield Mistake(found, "holdings within external assets", "institution", i)
    if system.runnable is not None:
        over = np.flatnonzero(system.runnable > system.external_liabilities * (1.0 + ROUNDING))
        if len(over):
            i = int(over[0])
            found = (
                f"runnable balances of '{system.ids[i]}' are {system.runnable[i]:,.6g}, its external liabilities "
                f"{system.external_liabilities[i]:,.6g}{_more(over)}"
            )
            yield Mistake(found, "part of them", "institution", i)
