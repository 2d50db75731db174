"""The upper storey: checks, coerces, allocates, calls the kernels, returns a frozen record."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from poundlock.contagion.blocks import solve_blocks, trade_blocks
from poundlock.contagion.exact import finish_exactly
from poundlock.contagion.flat import Floats, Settings, new_block, new_trading
from poundlock.contagion.lanes import COUNT
from poundlock.contagion.model import Model, prepare
from poundlock.contagion.outcome import Propagation, Trade
from poundlock.contagion.single_hit import single_hit
from poundlock.contagion.threads import block_width, physical_memory, share_out
from poundlock.system.arrays import system_from_arrays
from poundlock.system.balance import System
from poundlock.system.covers import pairs_of

EMPTY = np.zeros((0, 0))
EQUITY_ENOUGH = ("default-only", "linear-debtrank", "exponential-debtrank")


def propagate(
    system: System | Model | ArrayLike | csr_array,
    losses: ArrayLike | None = None,
    *,
    outages: ArrayLike | None = None,
    runs: ArrayLike | None = None,
    dues: ArrayLike | None = None,
    tolerance: float = 1e-12,
    max_rounds: int = 10_000,
    exact: bool = False,
    bracket: bool = False,
    extrapolate: bool = True,
    threads: int | None = None,
    **model: Any,
) -> Propagation:
    """All channels that the system and the caller name, for every scenario: claims by the greatest fixed point of
    E = E(0) - loss - sum_l sum_j X^l_ij (1 - V^l_j(E_j)), guarantees, outages, and rounds of calls, sales and prices around it.

    system: a System; a Model from `prepare`, to save its making; or the exposure matrix X (n, n), dense or scipy sparse, with
    X[i, j] what i may lose on j; then external_assets and external_liabilities, (n,), are required (or equity alone where
    the valuation needs no more). losses: (s, n) or (n,), loss on external assets in money, negative for a gain. outages:
    (s, n), days for which an institution stops serving those that depend on it. runs: (s, n), share of runnable balances
    that customers withdraw from outside. dues: (s, m), what falls due in each scenario under the system's covers, by pair of
    payer and payee as `system.covers.pairs_of` lists them; left out: nothing. model: what `prepare` takes (valuation, recovery, alpha, beta, exponent, horizon_days,
    stops_when_failed_days, sales, funding), and with a plain matrix external_rank, volatility, obligations (checked against
    the claims) and other fields of System.

    Sweeps start from V = 1, in place; the map is monotone, so they fall to the greatest solution. A scenario ends when what is
    still to come, judged by the pace of the last sweeps, is at most `tolerance` in any V, or at `max_rounds`: then `converged`
    is False and equity is an upper bound. exact: finish by linear systems on those that fail (clearing, default costs, linear
    DebtRank). bracket: find the least solution too. extrapolate: skip ahead by what is surely still to come (see kernels).
    threads: default all processors; no bit depends on it. Losses are not capped in `equity`; `equity_lost` is.

    Raises ValueError for shapes that disagree, amounts that are negative or not finite, self-exposures, shares outside [0, 1],
    ranks with gaps, cross-holdings that sum to one or more, and more scenarios than fit into memory.
    Source: Barucca et al. 2020, Mathematical Finance 30(4), eq. 2 and theorem 1; order of rounds: `sales`.
    """
    made = as_model(system, **model)
    direct, stopped, withdrawn, stated = _scenarios(made, losses, outages, runs, dues)
    if not (tolerance > 0.0 and max_rounds >= 1):
        raise ValueError(f"tolerance {tolerance:g}, max_rounds {max_rounds}; expected above 0 and at least 1")
    settings = Settings(float(tolerance), int(max_rounds), bool(extrapolate and made.extrapolates), True, made.own)
    found = _solve(made, direct, stopped, withdrawn, stated, settings, threads)
    if exact:
        found = finish_exactly(found)
    if bracket:
        found = found.with_least(_least(made, direct, stopped, stated, settings, threads))
    return found


def clear(system: Any, losses: ArrayLike, *, alpha: float = 1.0, beta: float = 1.0, **options: Any) -> Propagation:
    """Clearing: a defaulter pays its creditors, external ones too, pro rata within each rank (Eisenberg and Noe 2001).

    alpha, beta: shares that a defaulter realises of its external assets and of what it recovers from others (Rogers and
    Veraart 2013); 1: no cost of default. External claims rank with the first unless external_rank says otherwise. `exact`
    gives machine precision, `bracket` the least clearing vector too. Everything else as in `propagate`.
    """
    valuation = "clearing" if alpha == 1.0 and beta == 1.0 else "default-costs"
    return propagate(system, losses, **{"valuation": valuation, "alpha": alpha, "beta": beta, **options})


def debtrank(
    system: Any, losses: ArrayLike, *, exponent: float = 0.0, recovery: float = 0.0, once: bool = False, **options: Any
) -> Propagation:
    """DebtRank: claims lose value as the debtor's equity falls, relative to what it was, capped at one.

    exponent: 0 is linear DebtRank (Bardoscia et al. 2015), which passes on every further loss; above 0, exponential DebtRank
    (Bardoscia et al. 2016), nearer to default only. once: each institution passes its loss on once, the first time that it has
    any (Battiston et al. 2012, Scientific Reports 2:541); impacts are capped at one exposure by exposure. recovery: share of a
    claim that a failed debtor leaves. Everything else as in `propagate`.
    """
    if once:
        settings = {k: options.pop(k) for k in ("threads",) if k in options}
        made = as_model(system, valuation="linear-debtrank", recovery=recovery, **options)
        return single_hit(made, _scenarios(made, losses, None, None, None)[0], **settings)
    valuation = "linear-debtrank" if exponent == 0.0 else "exponential-debtrank"
    return propagate(system, losses, **{"valuation": valuation, "exponent": exponent, "recovery": recovery, **options})


def cascade(system: Any, losses: ArrayLike, *, recovery: float = 0.0, **options: Any) -> Propagation:
    """Default cascade: a claim keeps its value until the debtor's equity is below zero, then `recovery` is left of it
    (Furfine 2003). Everything else as in `propagate`."""
    return propagate(system, losses, **{"valuation": "default-only", "recovery": recovery, **options})


def as_model(
    system: Any,
    *,
    external_assets: ArrayLike | None = None,
    external_liabilities: ArrayLike | None = None,
    equity: ArrayLike | None = None,
    obligations: ArrayLike | None = None,
    **rest: Any,
) -> Model:
    """A Model as it is, a System prepared, or plain arrays made into a System first; see `propagate`."""
    mechanism = {k: rest.pop(k) for k in tuple(rest) if k in Model.MECHANISM}
    given = {"external_assets": external_assets, "external_liabilities": external_liabilities, "equity": equity}
    named = [name for name, value in {**given, "obligations": obligations, **rest}.items() if value is not None]
    if isinstance(system, Model | System):
        if named:
            raise ValueError(f"{', '.join(named)} given beside a {type(system).__name__}; expected them in it")
        return system.like(**mechanism) if isinstance(system, Model) else prepare(system, **mechanism)
    exposures = csr_array(system if hasattr(system, "tocsr") else np.atleast_2d(np.asarray(system, dtype=np.float64)))
    assets, outside = _outside(exposures, mechanism.get("valuation", "clearing"), **given)
    _agree(exposures, assets, outside, obligations)
    return prepare(system_from_arrays(exposures, assets, outside, **rest), **mechanism)


def _outside(
    exposures: csr_array,
    valuation: Any,
    external_assets: ArrayLike | None,
    external_liabilities: ArrayLike | None,
    equity: ArrayLike | None,
) -> tuple[Floats, Floats]:
    """External assets and liabilities as given; or from equity, as if all that is left over were external."""
    if equity is not None and external_assets is None and external_liabilities is None:
        if valuation not in EQUITY_ENOUGH:
            raise ValueError(
                f"valuation '{valuation}' needs external_assets and external_liabilities, not equity alone"
            )
        own = np.atleast_1d(np.asarray(equity, dtype=np.float64))
        if exposures.shape != (len(own), len(own)):
            raise ValueError(f"shapes disagree: exposures {exposures.shape}, equity {own.shape}")
        inside = np.asarray(exposures.sum(axis=1)).ravel() - np.asarray(exposures.sum(axis=0)).ravel()
        return np.maximum(own - inside, 0.0), np.maximum(inside - own, 0.0)
    if equity is not None or external_assets is None or external_liabilities is None:
        raise ValueError("with a plain matrix, give external_assets and external_liabilities (or equity alone)")
    return (
        np.atleast_1d(np.asarray(external_assets, dtype=np.float64)),
        np.atleast_1d(np.asarray(external_liabilities, dtype=np.float64)),
    )


def _agree(exposures: csr_array, assets: Floats, outside: Floats, obligations: ArrayLike | None) -> None:
    n = len(assets)
    if exposures.shape != (n, n) or outside.shape != (n,) or assets.ndim != 1:
        raise ValueError(
            f"shapes disagree: exposures {exposures.shape}, external_assets {assets.shape}, external_liabilities {outside.shape}"
        )
    if obligations is None:
        return
    owed = np.atleast_1d(np.asarray(obligations, dtype=np.float64))
    if owed.shape != (n,):
        raise ValueError(f"shapes disagree: obligations {owed.shape}; expected ({n},)")
    claimed = np.asarray(exposures.sum(axis=0)).ravel()
    wrong = np.flatnonzero(~(np.abs(owed - claimed) <= 1e-9 * np.maximum(np.abs(owed), claimed)))
    if len(wrong):
        j = wrong[0]
        raise ValueError(f"obligations without claims: {j} owes {owed[j]:,.6g}, claims on it are {claimed[j]:,.6g}")


def _scenarios(made: Model, losses: Any, outages: Any, runs: Any, dues: Any) -> tuple[Floats, Floats, Floats, Floats]:
    """Direct losses by shock, days of outage and runs, each (s, n), the last two empty where not given; and dues, (s, m)."""
    n = len(made.system)
    shapes = {
        name: np.atleast_2d(np.asarray(x)).shape
        for name, x in (("losses", losses), ("outages", outages), ("runs", runs))
        if x is not None
    }
    for name, shape in shapes.items():
        if len(shape) != 2 or shape[1] != n:
            raise ValueError(f"{name} have shape {shape}; expected (scenarios, {n})")
    if len(set(shapes.values())) > 1:
        raise ValueError("shapes disagree: " + ", ".join(f"{name} {shape}" for name, shape in shapes.items()))
    count = next(iter(shapes.values()), (1, n))[0]
    _fits(made, count)
    direct = np.zeros((count, n)) if losses is None else _finite("losses", losses)
    stopped, withdrawn = (
        EMPTY if x is None else _finite(name, x) for name, x in (("outages", outages), ("runs", runs))
    )
    if outages is not None and made.system.dependences is None:
        raise ValueError("outages given, but nobody in the system depends on a provider; expected dependences in it")
    if runs is not None and (made.system.runnable is None or made.mechanism.funding is None):
        raise ValueError(
            "runs given, but no runnable balances or no funding; expected runnable in the system, and funding"
        )
    for name, values, most in (("outages", stopped, np.inf), ("runs", withdrawn, 1.0)):
        wrong = np.argwhere((values < 0.0) | (values > most))
        if len(wrong):
            expected = "days, not negative" if name == "outages" else "a share within [0, 1]"
            raise ValueError(
                f"{name}[{wrong[0][0]}, {wrong[0][1]}] is {values[tuple(wrong[0])]:g}; expected {expected}"
            )
    return direct, stopped, withdrawn, _stated(made, dues, count)


def _stated(made: Model, dues: Any, count: int) -> Floats:
    """What falls due under covers. (s, m)."""
    pairs = len(pairs_of(made.system.covers))
    if dues is None:
        return np.zeros((count, pairs))
    stated = _finite("dues", dues)
    if stated.shape != (count, pairs) or np.any(stated < 0.0):
        expected = f"({count}, {pairs}), money for each pair of payer and payee, not negative"
        raise ValueError(f"dues have shape {stated.shape}, least {stated.min(initial=0.0):g}; expected {expected}")
    return stated


def _finite(name: str, values: Any) -> Floats:
    found = np.ascontiguousarray(np.atleast_2d(np.asarray(values, dtype=np.float64)))
    if not np.isfinite(found.sum()) and not np.isfinite(found).all():  # a sum of finite numbers may overflow
        where = np.argwhere(~np.isfinite(found))[0]
        raise ValueError(f"{name}[{where[0]}, {where[1]}] is {found[tuple(where)]}; expected finite numbers")
    return found


def _fits(made: Model, count: int) -> None:
    per_scenario = 8 * len(made.system) * (2 + len(made.groups) + (2 if made.markets else 0))
    needed, memory = count * per_scenario, physical_memory()
    if needed > 0.8 * memory:
        blocks = int(0.2 * memory // per_scenario)
        raise ValueError(
            f"{count:,} scenarios of {len(made.system):,} institutions need {needed / 1e9:,.1f} GB, this machine has "
            f"{memory / 1e9:,.1f}; stream them: call this with {blocks:,} at a time and keep what you need of each result"
        )


def _solve(
    made: Model,
    direct: Floats,
    stopped: Floats,
    withdrawn: Floats,
    stated: Floats,
    settings: Settings,
    threads: int | None,
) -> Propagation:
    """Allocate, run the kernels over all blocks, and put the record together."""
    count, n, groups = len(direct), len(made.system), len(made.groups)
    outage = stopped @ made.system.dependences.daily_margin.T if made.system.dependences and len(stopped) else EMPTY
    hit = direct + outage if len(outage) else direct
    markets = made.markets
    shapes = [(count, n), (count, n * groups)] + ([(count, n), (count, n)] if markets else [])
    equity, lost, *traded = _arrays(shapes)
    due = np.zeros((count, len(made.promises.kind)))
    sweeps, gap = np.zeros(count, dtype=np.int64), np.zeros(count)
    order = np.argsort(hit.sum(axis=1), kind="stable")  # scenarios of like severity end together
    found = (equity, lost, due, sweeps, gap)
    where = (made.initial, hit, direct, stopped, stated)
    trade = None
    if markets is None:
        width = block_width(count)

        def work(thread: int, of: int) -> None:
            block = new_block(n, groups, len(made.promises.kind), width)
            solve_blocks(made.network, made.promises, *where, order, settings, block, thread, of, *found)
    else:
        width, assets = COUNT, len(markets.depth)
        price_loss, short = traded
        trade = Trade(price_loss, short, np.ones((count, assets)), np.zeros(count), np.zeros(count, dtype=np.int64))

        def work(thread: int, of: int) -> None:
            block, trading = new_block(n, groups, len(made.promises.kind), width), new_trading(n, assets, width)
            asked = (*where, withdrawn, order, settings, block, trading, thread, of)
            trade_blocks(made.network, made.promises, markets, *asked, *found, *trade)

    share_out(work, count, width, threads)
    return Propagation(made, equity, lost, due, direct, outage, stopped, trade, sweeps, gap, settings.tolerance)


def _arrays(shapes: list[tuple[int, int]]) -> list[Floats]:
    """Arrays of these shapes in one piece of memory: the system clears large pieces page by page when they are first touched,
    and hands a piece back as a whole to who asks for as much again."""
    ends = np.cumsum([rows * columns for rows, columns in shapes])
    whole = np.empty(ends[-1])
    return [part.reshape(shape) for part, shape in zip(np.split(whole, ends[:-1]), shapes, strict=True)]


def _least(
    made: Model, direct: Floats, stopped: Floats, stated: Floats, settings: Settings, threads: int | None
) -> Propagation:
    if made.markets is not None:
        raise ValueError("a bracket needs claims alone: prices and calls depend on the way, not only on the values")
    from_below = settings._replace(rising=False, extrapolate=False)
    return _solve(made, direct, stopped, EMPTY, stated, from_below, threads)
