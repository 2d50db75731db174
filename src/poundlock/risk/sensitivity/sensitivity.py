"""What moves the tail: derivative of an expected shortfall in every exposure and every buffer, by one transposed solve
a scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array, csr_array

from poundlock.contagion.engine import as_model, propagate
from poundlock.contagion.flat import Floats, Whole
from poundlock.contagion.lanes import COUNT
from poundlock.contagion.model import Model
from poundlock.contagion.valuation import OWN
from poundlock.risk.sensitivity.transposed import (
    Ledger,
    Scenarios,
    Sums,
    added,
    derivatives,
    entries,
    ledger_of,
    product,
    solve_transposed,
)
from poundlock.system.balance import System

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ENOUGH = 1e-10
"""Gap of the weights, as a share of a scenario's largest, at which its transposed sweeps end."""
AT_ONCE = 4096  # scenarios; fewer where they would take more than MEMORY
MEMORY = 1 << 29


class Change(NamedTuple):
    """One unit of money less lent by creditor to debtor in a layer, or, debtor and layer empty, one more in the
    creditor's buffer, and by how much that lowers the statistic. amount: of the exposure now, which bounds the cut;
    infinite for a buffer."""

    what: str
    layer: str
    creditor: str
    debtor: str
    lowers: float
    amount: float


@dataclass(frozen=True, repr=False)
class Sensitivity:
    """Derivatives of `value`, the expected shortfall at `level` of what `statistic` says, by unit of money; losses
    positive.

    by_exposure: by layer, (n, n), where the layer has entries: i lends j one more in cash, so that external assets of
    i fall by one and those of j rise by one, and nobody's equity before the shock moves; of a stake, i buys it from an
    owner outside. by_buffer: (n,), one more in external assets, which adds one to equity. by_outside: (n,), one more
    in external liabilities. Losses on external assets stay as given, in money. converged: every equilibrium in the
    tail and every transposed system; rounds, gap: the worst of the transposed sweeps, gap as a share of the scenario's
    largest weight; direct: scenarios of the tail solved by linear systems instead. near_kink: share of tail scenarios
    in which an institution is within `kink` (a share of its size) of failing, of paying nothing or of another bend of
    its valuation. boundary: distance in value from the last draw of the tail to the first outside, infinite where all
    draws count; at nought the derivative is one-sided.
    """

    value: float
    by_exposure: tuple[csr_array, ...] = field(repr=False)
    by_buffer: Floats = field(repr=False)
    by_outside: Floats = field(repr=False)
    statistic: str
    level: float
    draws: int
    tail_draws: int
    converged: bool
    rounds: int
    gap: float
    direct: int
    near_kink: float
    kink: float
    boundary: float
    model: Model = field(repr=False)

    def at_face(self, layer: str) -> csr_array:
        """As by_exposure, without cash: the claim is there or not, the equity of both moves. (n, n). Raises
        KeyError."""
        names = [one.name for one in self.model.system.layers]
        if layer not in names:
            raise KeyError(f"no layer '{layer}'; layers: {', '.join(names)}")
        number = names.index(layer)
        found = csr_array(self.by_exposure[number], copy=True)
        rows = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr))
        owes = self.model.system.layers[number].kind == "debt"
        found.data = found.data + self.by_buffer[rows] - owes * self.by_buffer[found.indices]
        return found

    def along(
        self,
        d_exposures: Mapping[str, ArrayLike | csr_array] | None = None,
        d_external_assets: ArrayLike | None = None,
        *,
        cash: bool = True,
    ) -> float:
        """Derivative along a direction. d_exposures: layer to (n, n), dense or sparse, money; d_external_assets: (n,).
        cash: whoever lends pays in external assets, beside d_external_assets; False: balance sheets as they are given.
        Raises KeyError for an unknown layer, ValueError for a pair that the layer has no entry for (store a nought
        there to have its derivative)."""
        total = 0.0
        for name, given in (d_exposures or {}).items():
            face = self.at_face(name)
            number = [one.name for one in self.model.system.layers].index(name)
            total += _product(self.by_exposure[number] if cash else face, given, name, self.model.system.ids)
        if d_external_assets is not None:
            total += float(np.sum(self.by_buffer * _vector(d_external_assets, len(self.by_buffer))))
        return total

    def toward(self, changed: System) -> float:
        """Derivative along the whole way to another System of the same institutions and layers: exposures, external
        assets and external liabilities as they stand there. Its size is a first guess of the change in `value`. Raises
        ValueError."""
        system = self.model.system
        shape = [(one.name, one.kind, one.rank, one.valuation) for one in system.layers]
        if changed.ids != system.ids or [(x.name, x.kind, x.rank, x.valuation) for x in changed.layers] != shape:
            raise ValueError("the changed system has other institutions or layers; expected other amounts alone")
        pairs = zip(system.layers, changed.layers, strict=True)
        moved = {one.name: csr_array(other.amounts - one.amounts) for one, other in pairs}
        outside = float(np.sum(self.by_outside * (changed.external_liabilities - system.external_liabilities)))
        return self.along(moved, changed.external_assets - system.external_assets, cash=False) + outside

    def through(self, control: Callable[[float], System], setting: float, step: float) -> float:
        """Derivative by the setting of a control, a cap for instance: control maps a setting to the System under it,
        and control(setting) is the one that was measured. step: how far the systems on both sides are set; no
        re-run."""
        if not step > 0.0:
            raise ValueError(f"step is {step:g}; expected above 0")
        return (self.toward(control(setting + step)) - self.toward(control(setting - step))) / (2.0 * step)

    def largest(self, count: int = 10) -> tuple[Change, ...]:
        """The changes that lower the tail most by unit of money: exposures cut, buffers added; ranked. Only what
        lowers it."""
        from poundlock.risk.sensitivity.wording import largest  # noqa: PLC0415

        return largest(self, count)

    def to_arrow(self) -> pa.Table:
        """A row for each exposure and each buffer: what, layer, creditor, debtor, amount, derivative."""
        import pyarrow as pa  # noqa: PLC0415

        system, none = self.model.system, np.full(len(self.by_buffer), np.nan)
        columns: dict[str, list[Any]] = {name: [] for name in ("what", "layer", "creditor", "debtor")}
        amounts, found = [], []
        for layer, by in zip(system.layers, self.by_exposure, strict=True):
            listed, amount = coo_array(by), entries(layer.amounts)
            columns["what"] += ["exposure"] * by.nnz
            columns["layer"] += [layer.name] * by.nnz
            columns["creditor"] += [system.ids[i] for i in listed.row]
            columns["debtor"] += [system.ids[j] for j in listed.col]
            amounts.append(amount.data)
            found.append(listed.data)
        for what, values in (("buffer", self.by_buffer), ("external liabilities", self.by_outside)):
            columns["what"] += [what] * len(system)
            columns["layer"] += [None] * len(system)
            columns["creditor"] += list(system.ids)
            columns["debtor"] += [None] * len(system)
            amounts.append(none)
            found.append(values)
        return pa.table({**columns, "amount": np.concatenate(amounts), "derivative": np.concatenate(found)})

    def to_pandas(self) -> pd.DataFrame:
        """`to_arrow` as a data frame; needs pandas."""
        return self.to_arrow().to_pandas()

    def chart(self) -> Any:
        """An Altair chart: the ten changes that lower the tail most by unit of money."""
        from poundlock.figure import styled  # noqa: PLC0415
        from poundlock.risk.sensitivity.wording import bars  # noqa: PLC0415

        return styled(bars(self))

    def explain(self) -> str:
        """The rule, its inputs, the numbers, and what would change them."""
        from poundlock.risk.sensitivity.wording import explained  # noqa: PLC0415

        return explained(self)

    def __repr__(self) -> str:
        from poundlock.risk.sensitivity.wording import told  # noqa: PLC0415

        return "\n".join(told(self))

    def _repr_html_(self) -> str:
        from poundlock.risk.sensitivity.wording import in_html  # noqa: PLC0415

        return in_html(self)


def sensitivity(
    system: Any,
    losses: ArrayLike,
    *,
    level: float = 0.99,
    members: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    counts: ArrayLike | None = None,
    kink: float = 1e-6,
    tolerance: float = 1e-12,
    max_rounds: int = 1_000,
    threads: int | None = None,
    **model: Any,
) -> Sensitivity:
    """Expected shortfall of equity lost, and its derivative in every exposure and every buffer at once, without
    re-runs.

    system, model: as in `propagate`. losses: (s, n), on external assets in money, taken as given. level: within [0,
    1); 0 is the mean. members: (n,), mask; the statistic is their equity lost over their initial equity (default:
    all), and moves with the latter. weights: (n,), >= 0, instead: the sum of weight times equity lost. Equity lost
    counts up to what there was. counts: (s,), instead of level: how much each draw counts, adding up to one, for draws that
    are a tail already. kink: share of an institution's size within which it counts as near a kink. tolerance:
    of the equilibria. max_rounds: sweeps of a transposed system before it is solved directly. threads: default all
    processors; no bit depends on it.

    The tail and its weights are held fixed, which is right for the first derivative (Acerbi and Tasche 2002; envelope
    theorem). The derivative is that of the statistic of these draws, away from kinks. Where claims jump at default
    (default costs, default only) it leaves out that a change moves somebody across the jump, which an average over
    ever more draws would contain. Raises ValueError for own valuations, guarantees, payments that an outage keeps
    back, sales and funding; for shapes that disagree, a level without a draw, and members without equity. Method:
    `adjoint`; METHODS G.
    """
    made = as_model(system, **model)
    _refuse(made)
    hit = np.atleast_2d(np.asarray(losses, dtype=np.float64))
    if hit.ndim != 2 or hit.shape[1] != len(made.initial) or not len(hit):
        raise ValueError(f"losses have shape {hit.shape}; expected (scenarios, {len(made.initial)})")
    weight, whole, counted = _weights(made, members, weights)
    ledger = ledger_of(made, weight, kink)
    how = _How(made, ledger, _at_once(made, ledger), tolerance, max_rounds, threads)
    tail, chance, boundary = None, np.full(len(hit), 1.0 / len(hit)), np.inf
    if counts is not None:
        chance, level = _counts(counts, len(hit)), 0.0
    elif level != 0.0:
        tail, chance, boundary = _tail(_all_losses(how, hit), level)
    found, value, settled = _over_tail(how, hit, tail, chance)
    per_equity = counted * (value / whole if whole else 0.0)
    buffer, outside, exposures = derivatives(made, ledger, found, per_equity)
    return Sensitivity(
        value=value,
        by_exposure=exposures,
        by_buffer=buffer,
        by_outside=outside,
        statistic=_named(weights, counted),
        level=float(level),
        draws=len(hit),
        tail_draws=len(chance),
        converged=settled and bool((found.gap <= ENOUGH).all()),
        rounds=int(found.rounds.max(initial=0)),
        gap=float(found.gap.max(initial=0.0)),
        direct=found.direct,
        near_kink=float(found.near.mean()),
        kink=float(kink),
        boundary=boundary,
        model=made,
    )


def _counts(given: ArrayLike, draws: int) -> Floats:
    counts = np.asarray(given, dtype=np.float64)
    if counts.shape != (draws,) or not np.all(counts >= 0.0) or not np.isclose(counts.sum(), 1.0):
        raise ValueError(
            f"counts of shape {counts.shape} that add up to {counts.sum():g}; expected ({draws},), adding up to 1"
        )
    return counts


class _How(NamedTuple):
    """What every pass over draws needs; step: scenarios to a call."""

    made: Model
    ledger: Ledger
    step: int
    tolerance: float
    max_rounds: int
    threads: int | None


def _product(by: csr_array, given: Any, name: str, ids: tuple[str, ...]) -> float:
    """Sum of derivative times direction; every pair that changes must have a derivative."""
    if np.shape(given) != by.shape:
        raise ValueError(f"shapes disagree: change of layer '{name}' {np.shape(given)}; expected {by.shape}")
    total, missing = product(by, csr_array(given))
    if len(missing):
        i, j = missing[0]
        raise ValueError(
            f"layer '{name}' has no entry of '{ids[i]}' on '{ids[j]}'; store a nought there to have its derivative"
        )
    return total


def _refuse(made: Model) -> None:
    unknown = []
    if any(group.code == OWN for group in made.groups):
        unknown.append("an own valuation, whose slope is not known")
    if len(made.promises.kind):
        unknown.append("guarantees or payments through a provider")
    if made.markets is not None:
        unknown.append("sales or funding, which depend on the way")
    if unknown:
        raise ValueError(f"no derivative with {', and '.join(unknown)}; expected claims and stakes alone")


def _weights(made: Model, members: ArrayLike | None, weights: ArrayLike | None) -> tuple[Floats, float, Floats]:
    """Weight of each institution's equity lost, all equity that it is a share of (0: none), and whose. (n,), number,
    (n,)."""
    n, own = len(made.initial), np.maximum(made.initial, 0.0)
    if weights is not None:
        if members is not None:
            raise ValueError("members and weights given; expected one of them")
        given = _vector(weights, n)
        if not (np.isfinite(given).all() and (given >= 0.0).all()):
            raise ValueError("weights that are negative or not finite; expected 0 or more")
        return given, 0.0, np.zeros(n)
    mask = np.ones(n, dtype=bool) if members is None else np.asarray(members, dtype=bool)
    if mask.shape != (n,):
        raise ValueError(f"shapes disagree: members {mask.shape}; expected ({n},)")
    whole = float(own[mask].sum())
    if whole <= 0.0:
        raise ValueError("no member has equity; expected one at least")
    counted = (mask & (own > 0.0)).astype(np.float64)
    return counted / whole, whole, counted


def _vector(values: ArrayLike, n: int) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if found.shape != (n,):
        raise ValueError(f"shapes disagree: {found.shape}; expected ({n},)")
    return found


def _named(weights: ArrayLike | None, counted: Floats) -> str:
    if weights is not None:
        return "weighted equity lost"
    return f"equity lost, share of the initial equity of {np.count_nonzero(counted):,} institutions"


def _at_once(made: Model, ledger: Ledger) -> int:
    """Scenarios to a call, whole blocks of them, so that results and sums stay within MEMORY."""
    n, slots = len(made.initial), made.at_risk.shape[1]
    each = 8.0 * (2 * n + slots + (len(ledger.amount) + 2 * n + 5 * slots) / COUNT)
    return int(np.clip(MEMORY / each, COUNT, AT_ONCE)) // COUNT * COUNT


def weighted_losses(made: Model, weight: Floats, equity: Floats) -> Floats:
    """Weighted equity lost by scenario, a few at a time so that they stay in the cache. (s,)."""
    most = np.maximum(made.initial, 0.0)
    parts = [
        np.einsum("si,i->s", np.clip(made.initial - equity[k : k + COUNT], 0.0, most), weight)
        for k in range(0, len(equity), COUNT)
    ]
    return np.concatenate(parts)


def _tail(lost: Floats, level: float) -> tuple[Whole, Floats, float]:
    """Draws of the tail, worst first, their weights, which add up to one, and the distance to the first draw
    outside."""
    size = round((1.0 - level) * len(lost), 9)
    if not 0.0 < level < 1.0 or size < 1.0:
        raise ValueError(
            f"{len(lost)} draws leave no tail at level {level:g}; expected 0 <= level < 1 and a draw beyond it at least"
        )
    whole = int(np.floor(size))
    count = whole + (size > whole)
    order = np.argsort(-lost, kind="stable")
    chance = np.full(count, 1.0 / size)
    chance[whole:] = (size - whole) / size
    edges = {whole, count} - {len(lost)}
    steps = [float(lost[order[k - 1]] - lost[order[k]]) for k in edges]
    return order[:count], chance, min(steps, default=np.inf)


def _all_losses(how: _How, hit: Floats) -> Floats:
    """Weighted equity lost in every draw. (s,)."""
    parts = []
    for k in range(0, len(hit), how.step):
        result = propagate(how.made, hit[k : k + how.step], tolerance=how.tolerance, threads=how.threads)
        parts.append(weighted_losses(how.made, how.ledger.weight, result.equity))
    return np.concatenate(parts)


def _over_tail(how: _How, hit: Floats, tail: Whole | None, chance: Floats) -> tuple[Sums, float, bool]:
    """Equilibria and transposed systems of the tail's draws (None: all of them), some at a time: sums, the mean loss,
    and whether all equilibria were reached."""
    parts, value, settled = [], 0.0, True
    for k in range(0, len(chance), how.step):
        here = slice(k, k + how.step)
        losses = np.ascontiguousarray(hit[here] if tail is None else hit[tail[here]])
        result = propagate(how.made, losses, tolerance=how.tolerance, threads=how.threads)
        lost = weighted_losses(how.made, how.ledger.weight, result.equity)
        order = np.argsort(-lost, kind="stable")  # draws of like severity end together
        asked = Scenarios(order, result.equity, losses, chance[here])
        parts.append(solve_transposed(how.made, how.ledger, asked, ENOUGH, how.max_rounds, how.threads))
        value += float(np.sum(lost * chance[here]))
        settled &= bool(result.converged.all())
    return added(parts), value, settled
