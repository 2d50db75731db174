"""Who bears what is lost: the owners of each kind of institution, and the creditors outside of those that fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from poundlock.contagion import Model, Propagation, prepare
from poundlock.risk.scenarios import ScenarioModel, draw_blocks, drivers
from poundlock.risk.tolerances import spread_of
from poundlock.system.balance import Floats, System, obligations

OUTSIDE = "creditors outside"
"""Depositors, bondholders and policyholders of institutions that fail, so far as they are outside the system."""


@dataclass(frozen=True)
class Borne:
    """Losses of s scenarios by party, money; negative for a gain. parties (p,): kinds of institution, whose owners bear it, then OUTSIDE.
    loss (s, p). total (s,): everything that is lost on assets and commitments, and to outages and sales; by clearing the parts add up to it
    (a payment that stays unsettled is a part of what its payer lacks). share (s,): of their equity that the institutions
    looked at lose, as tolerances count it."""

    parties: tuple[str, ...]
    loss: Floats = field(repr=False)
    total: Floats = field(repr=False)
    share: Floats = field(repr=False)


def borne(result: Propagation, members: Floats | None = None) -> Borne:
    """Parts of each scenario of a clearing. Owners lose what equity falls, at most what they had, where another institution is the owner
    that one's; what is missing beyond that is shared by creditors in their ranks, those outside bearing their part; what assets cannot be below nought falls on them too. members: (n,), ones for the institutions
    looked at; default all."""
    made, system = result.model, result.model.system
    labels = tuple(dict.fromkeys(system.kinds))
    member = np.eye(len(labels))[[labels.index(kind) for kind in system.kinds]]
    before = result.initial_equity
    owners = np.maximum(before, 0.0) - np.maximum(result.equity, 0.0) - _by_holders(result, made)
    outside = _outside(result, made)
    channels = result.loss_by_channel
    total = sum((channels[name] for name in ("shock", "outage", "prices")), np.zeros(owners.shape))
    looked = np.ones(len(before)) if members is None else members
    share = result.equity_lost @ looked / (np.maximum(before, 0.0) @ looked)
    loss = np.column_stack([owners @ member, outside.sum(axis=1)])
    return Borne((*labels, OUTSIDE), loss, np.asarray(total.sum(axis=1)), np.asarray(share))


def _by_holders(result: Propagation, made: Model) -> Floats:
    """What institutions lose on stakes in each one; it is in the holders' own equity. (s, n)."""
    stakes = np.array([group.channel == "stakes" for group in made.groups])
    if not stakes.any():
        return np.zeros(result.equity.shape)
    held = np.asarray(made.at_risk.sum(axis=0)).reshape(-1, len(stakes)) * stakes
    lost = result.lost.reshape(len(result.lost), *held.shape)
    return np.asarray((lost * held).sum(axis=2))


def _outside(result: Propagation, made: Model) -> Floats:
    """What creditors outside lose on each institution. (s, n)."""
    system, promises = made.system, made.promises
    n, rank = len(system), system.external_rank
    inside = {layer.rank for layer in system.layers if layer.kind == "debt"}
    junior, level = np.zeros(n), np.array(system.external_liabilities)
    for r in inside:
        owed = sum(
            (
                np.asarray(layer.amounts.sum(axis=0)).ravel()
                for layer in system.layers
                if layer.kind == "debt" and layer.rank == r
            ),
            np.zeros(n),
        )
        junior, level = junior + owed * (r > rank), level + owed * (r == rank)
    behind, beside = np.zeros(result.equity.shape), np.zeros(result.equity.shape)
    everything = np.broadcast_to(obligations(system) + system.external_liabilities, result.equity.shape).copy()
    for c, payer in enumerate(promises.payer):
        due = result.due[:, c]
        everything[:, payer] += due
        behind[:, payer] += due * (promises.rank[c] > rank)
        beside[:, payer] += due * (promises.rank[c] == rank)
    missing = np.maximum(0.0, -result.equity)
    at_level = level + beside
    there = np.clip(missing - junior - behind, 0.0, at_level)
    part = np.divide(system.external_liabilities, at_level, out=np.zeros_like(at_level), where=at_level > 0.0)
    return np.asarray(there * part + np.maximum(0.0, missing - everything))


def borne_by_all(
    systems: Mapping[str, System],
    model: ScenarioModel,
    behaviour: Mapping[str, Any],
    *,
    members: Floats | None = None,
    look: Callable[[Floats], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Borne]:
    """Several versions of one system through the same scenarios, by clearing. look: called with the share of each asset class that is lost
    before margins, (b, k), block by block. members: as in
    `borne`. Memory: scenarios times parties for each version."""
    made = {name: prepare(system, valuation="clearing", **behaviour) for name, system in systems.items()}
    first = next(iter(systems.values()))
    margins = np.array([one.net_margin for one in first.asset_classes])
    pieces: dict[str, list[Borne]] = {name: [] for name in systems}
    for block in draw_blocks(drivers(first, model), model):
        if look is not None:
            look(block.pool_loss + margins)
        for name, of in made.items():
            pieces[name].append(borne(spread_of(of, block), members))
        if progress is not None:
            progress(len(block.weight))
    return {name: _joined(parts) for name, parts in pieces.items()}


def _joined(parts: list[Borne]) -> Borne:
    return Borne(
        parts[0].parties,
        np.concatenate([part.loss for part in parts]),
        np.concatenate([part.total for part in parts]),
        np.concatenate([part.share for part in parts]),
    )
