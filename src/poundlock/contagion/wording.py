"""Results in words, as they print."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from poundlock.contagion.importance import Importance
    from poundlock.contagion.model import Model
    from poundlock.contagion.outcome import Propagation

SHOWN = 5


def summary(result: Propagation) -> str:
    """A few lines: what was lost and through what, who failed, whether it converged."""
    count, n = result.equity.shape
    system = result.model.system
    head = f"Contagion by {result.valuation}{settings(result.model)}: {_many(count, 'scenario')}, {_many(n, 'institution')}, {system.unit}"
    if count == 0:
        return head
    total = float(np.maximum(result.initial_equity, 0.0).sum())
    lost, shock = result.equity_lost.sum(axis=1), result.equity_lost_to_shock.sum(axis=1)
    failed = result.default.sum(axis=1)
    lines = [head]
    if count == 1:
        lines.append(f"  equity lost  {_share(lost[0], total)}, of which the shock alone {_share(shock[0], total)}")
        lines.append(f"  failures     {failed[0]}{_names(result)}")
    else:
        lines.append(
            f"  equity lost  mean {_share(lost.mean(), total)}, worst {_share(lost.max(), total)}; "
            f"the shock alone {_share(shock.mean(), total)}"
        )
        lines.append(f"  failures     mean {failed.mean():.3g}, most {failed.max()}")
    losses = {channel: float(loss.sum() / count) for channel, loss in result.loss_by_channel.items()}
    said = ", ".join(f"{channel} {_money(loss)}" for channel, loss in losses.items() if loss)
    lines.append(f"  by channel   {said or 'nothing'}{' (mean)' if count > 1 and said else ''}")
    if result.trade is not None and result.illiquid.any():
        lines.append(f"  illiquid     {result.illiquid.sum(axis=1).max()} at most")
    lines.append(f"  {_convergence(result)}")
    return "\n".join(lines)


def ranking(found: Importance) -> str:
    """The most important and the most vulnerable, and whether it converged."""
    ids, ranked = found.model.system.ids, np.flatnonzero(found.counted)
    lines = [
        f"Importance by {found.valuation}{settings(found.model)}: {_many(len(ranked), 'failure')} of {_many(len(ids), 'institution')}"
    ]
    for said, values in (("important   ", found.importance), ("vulnerable  ", found.vulnerability)):
        first = ranked[np.argsort(-values[ranked], kind="stable")[:SHOWN]]
        lines.append(f"  {said} " + ", ".join(f"{ids[i]} {values[i]:.2%}" for i in first))
    lines.append(f"  amplification {found.amplification:.4g}")
    told = f"at most {_many(found.rounds, 'round')}, gap {found.gap:.1e}"
    lines.append(f"  converged    {told}" if found.converged else f"  NOT converged in every failure: {told}")
    return "\n".join(lines)


def settings(model: Model) -> str:
    """What the name of the valuation leaves out, where it differs from its default."""
    how = model.mechanism
    said = []
    if how.recovery and any(group.rank == 0 for group in model.groups):
        said.append(f"recovery {how.recovery:.0%}")
    if how.name == "default-costs":
        said.append(f"alpha {how.alpha:g}, beta {how.beta:g}")
    if how.name == "exponential-debtrank":
        said.append(f"exponent {how.exponent:g}")
    if how.sales is not None:
        said.append(f"sales by {how.sales.rule}")
    if how.funding is not None:
        said.append("funding withdrawals")
    return f" ({', '.join(said)})" if said else ""


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _money(amount: float) -> str:
    return f"{amount:,.0f}" if abs(amount) >= 1000 else f"{amount:.4g}"


def _share(amount: float, total: float) -> str:
    return f"{_money(amount)} ({amount / total:.2%})" if total > 0 else _money(amount)


def _names(result: Propagation) -> str:
    failed = np.flatnonzero(result.default[0])
    if not len(failed):
        return ""
    worst = failed[np.argsort(result.equity[0, failed], kind="stable")][:SHOWN]
    names = ", ".join(result.model.system.ids[i] for i in worst)
    return f" ({names}{', ...' if len(failed) > SHOWN else ''})"


def _convergence(result: Propagation) -> str:
    said = f"at most {_many(int(result.rounds.max()), 'round')}, gap {result.gap.max():.1e}"
    if result.trade is not None:
        said += f", {_many(int(result.trade.rounds.max()), 'round')} of sales, last price move {result.trade.price_gap.max():.1e}"
    if result.least is not None:
        said += f", bracket {np.abs(result.value - result.least.value).max():.1e}"
    if result.converged.all():
        return f"converged    {said}"
    missed = int(np.count_nonzero(~result.converged))
    return f"NOT converged in {_many(missed, 'scenario')}: {said}; their equity is an upper bound"
