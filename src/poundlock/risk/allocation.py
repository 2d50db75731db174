"""Who bears the tail: the expected shortfall of a group's losses shared out to institutions, channels and exposures (Euler)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.special import ndtri

from poundlock.contagion import CHANNELS, prepare
from poundlock.risk.scenarios import EMPTY, ScenarioModel, Shocks, draw_blocks, drivers, joined, rows_of
from poundlock.risk.tail import Tail
from poundlock.risk.tolerances import groups_of, spread_of
from poundlock.rollout.plan import ExpectedShortfall
from poundlock.system.balance import Floats, System, Valuation

if TYPE_CHECKING:
    import pyarrow as pa

CREDIT = ("credit", "stakes")


@dataclass(frozen=True, repr=False)
class Allocation:
    """Parts of an expected shortfall that add up to `value`, all as shares of the group's initial equity, losses positive.

    by_institution, error: (n,), the part of each and its standard error; noughts outside the group. by_channel: (n,) each. by_exposure:
    (n, n), part of what i bears on its claims and stakes that came by each debtor. draws: in the tail. level: of the shortfall. ids: of
    the institutions.
    """

    value: float
    by_institution: Floats = field(repr=False)
    error: Floats = field(repr=False)
    by_channel: dict[str, Floats] = field(repr=False)
    by_exposure: csr_array = field(repr=False)
    draws: int
    level: float
    confidence: float
    ids: tuple[str, ...] = field(repr=False)
    names: tuple[str, ...] = field(repr=False)

    @property
    def low(self) -> Floats:
        """Lower end of each institution's interval. Shape (n,)."""
        return np.asarray(self.by_institution - float(ndtri(0.5 + self.confidence / 2)) * self.error)

    @property
    def high(self) -> Floats:
        """Upper end of each institution's interval. Shape (n,)."""
        return np.asarray(self.by_institution + float(ndtri(0.5 + self.confidence / 2)) * self.error)

    def largest_exposures(self, count: int = 10) -> list[tuple[int, int, float]]:
        """Creditor, debtor and part of the exposures that the tail comes by most."""
        found = coo_array(self.by_exposure)
        order = np.argsort(-found.data, kind="stable")[:count]
        return [(int(found.row[k]), int(found.col[k]), float(found.data[k])) for k in order if found.data[k] > 0.0]

    def to_arrow(self) -> pa.Table:
        """A row for each institution."""
        import pyarrow as pa  # noqa: PLC0415

        columns: dict[str, Any] = {"institution": list(self.ids), "part": self.by_institution, "error": self.error}
        columns |= {"low": self.low, "high": self.high}
        return pa.table(columns | {f"part_{channel}": part for channel, part in self.by_channel.items()})

    def explain(self) -> str:
        """The rule, its inputs, the numbers, and what would change them."""
        pairs = [f"  {self.names[i]} on {self.names[j]}: {part:.3%}" for i, j, part in self.largest_exposures(5)]
        rule = [
            "Rule: the part of each is its mean loss over the scenarios of the tail of all (Euler); parts add up to the whole.",
            "  By channel: each takes what those before it in the order of a round have left of the equity.",
            "Inputs: the scenarios of the tail, drawn again; the boundary draw counts with its part.",
            "What would change it: other scenarios in the tail; who holds which claim.",
        ]
        return "\n".join([repr(self), *(["By exposure:", *pairs] if pairs else []), "", *rule])

    def _repr_html_(self) -> str:
        order = np.argsort(-self.by_institution, kind="stable")[:10]
        rows = "".join(
            f"<tr><td>{escape(self.names[i])}</td><td>{self.by_institution[i]:.3%}</td>"
            f"<td>{self.low[i]:.3%} to {self.high[i]:.3%}</td></tr>"
            for i in order
        )
        head = "<tr><th>institution</th><th>part</th><th>interval</th></tr>"
        said = escape(repr(self).splitlines()[0])
        return f"<p><b>{said}</b></p><table><thead>{head}</thead><tbody>{rows}</tbody></table>"

    def __repr__(self) -> str:
        order = np.argsort(-self.by_institution, kind="stable")[:5]
        parts = [f"  {self.names[i]}: {self.by_institution[i]:.3%} ± {self.error[i]:.3%}" for i in order]
        channels = ", ".join(f"{name} {part.sum():.3%}" for name, part in self.by_channel.items() if part.any())
        head = f"Expected shortfall at {self.level:g}: {self.value:.3%} of equity, over {self.draws:,} scenarios of the tail"
        return "\n".join([head, f"  by channel: {channels}", *parts])


def tail_shocks(system: System, model: ScenarioModel, tail: Tail, shifts: Floats = EMPTY) -> tuple[Shocks, Floats]:
    """The scenarios of a tail, drawn again, and how much each counts: weights that add up to one, the boundary draw with its part."""
    chosen, blocks, numbers = np.sort(tail.draws), [], []
    for block in draw_blocks(drivers(system, model), model, shifts):
        rows = np.searchsorted(chosen, [block.first, block.first + len(block.weight)])
        if rows[1] > rows[0]:
            numbers.append(chosen[rows[0] : rows[1]])
            blocks.append(rows_of(block, chosen[rows[0] : rows[1]] - block.first))
    mass = (1.0 - tail.level) * tail.total
    reached = np.minimum(np.cumsum(tail.weights), mass)
    counts = dict(zip(tail.draws.tolist(), np.diff(reached, prepend=0.0) / mass, strict=True))
    return joined(blocks), np.array([counts[number] for number in np.concatenate(numbers).tolist()])


def allocate(
    system: System,
    model: ScenarioModel,
    tolerance: ExpectedShortfall,
    tail: Tail,
    *,
    valuation: Valuation | None = None,
    shifts: Floats = EMPTY,
    behaviour: dict[str, Any] | None = None,
    confidence: float = 0.95,
) -> Allocation:
    """Euler parts of an expected shortfall: the mean loss of each institution over the tail of all (Tasche 1999, Risk contributions
    and performance measurement, section 5; Acerbi and Tasche 2002). They add up to it, whatever moves together.

    tail: as a simulation of this system under this model gathered it for the tolerance. An institution's part is split by channel in
    the order of a round; what comes by claims and stakes, by debtor, in proportion to what was lost on each.
    """
    shocks, counts = tail_shocks(system, model, tail, shifts)
    made = prepare(system, valuation=valuation or model.valuation, recovery=model.recovery, **(behaviour or {}))
    result = spread_of(made, shocks)
    groups = groups_of(system, [tolerance])
    members = groups.members[groups.of[0]]
    share = members / float(members @ groups.initial)
    lost = result.equity_lost * share
    part = counts @ lost
    error = _errors(lost, counts, part, tail.total)
    channels = {
        name: counts @ (loss * share) for name, loss in result.equity_lost_by_channel.items() if name in CHANNELS
    }
    return Allocation(
        float(part.sum()),
        part,
        error,
        channels,
        _by_exposure(result, counts, share),
        len(counts),
        tail.level,
        confidence,
        system.ids,
        system.names,
    )


def mean_share(
    system: System,
    tolerance: ExpectedShortfall,
    model: ScenarioModel,
    shocks: Shocks,
    counts: Floats,
    behaviour: dict[str, Any] | None = None,
) -> float:
    """Mean share of equity that the tolerance's group loses over given scenarios, each counted so much; with the scenarios of a tail,
    its expected shortfall, and for a small change of the system that of the changed one too (envelope theorem)."""
    made = prepare(system, valuation=model.valuation, recovery=model.recovery, **(behaviour or {}))
    groups = groups_of(system, [tolerance])
    members = groups.members[groups.of[0]]
    return float(counts @ (spread_of(made, shocks).equity_lost @ members)) / float(members @ groups.initial)


def _errors(lost: Floats, counts: Floats, part: Floats, total: int) -> Floats:
    """Standard errors by the influence function (L_i - b_i) 1{tail} / (1 - level), less its mean, with b_i the mean loss of i at the
    boundary of the tail, here over its mildest tenth: where the boundary lies is estimated too. Shape (n,)."""
    order = np.argsort(lost.sum(axis=1), kind="stable")
    near = order[: max(10, len(order) // 10)]
    boundary = lost[near].mean(axis=0)
    squares = (counts**2) @ (lost - boundary) ** 2 - (part - boundary) ** 2 / total
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def _by_exposure(result: Any, counts: Floats, share: Floats) -> csr_array:
    """What each creditor bears on each debtor, from what it bears on all claims and stakes. (n, n)."""
    n = len(share)
    total = csr_array((n, n), dtype=np.float64)
    borne = sum(result.equity_lost_by_channel[name] for name in CREDIT)
    parts: list[csr_array] = []
    for s, count in enumerate(counts):
        lost = result.claims_lost(s)
        by_creditor = np.asarray(lost.sum(axis=1)).ravel()
        factor = np.divide(borne[s] * share * count, by_creditor, out=np.zeros(n), where=by_creditor > 0.0)
        parts.append(csr_array(lost.multiply(factor[:, None])))
    for chunk in _chunks(parts):
        total = csr_array(total + chunk)
    return total


def _chunks(parts: Sequence[csr_array]) -> list[csr_array]:
    """Sums of many matrices, a hundred at a time, so that few are made."""
    found = []
    for first in range(0, len(parts), 100):
        block = [coo_array(one) for one in parts[first : first + 100]]
        rows, columns, data = (np.concatenate([getattr(one, name) for one in block]) for name in ("row", "col", "data"))
        found.append(csr_array(coo_array((data, (rows, columns)), shape=parts[0].shape)))
    return found
