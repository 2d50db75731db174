"""Reserve cover of customers' money, and what partners put up of joint loans: figures that dated rules limit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from poundlock.payments.tables import LendingTable, ReservesTable
from poundlock.rules import Fact


@dataclass(frozen=True, slots=True)
class Cover:
    """One platform on one day. funds: customers' money; reserve: deposited for it; minor units."""

    day: dt.date
    platform: str
    funds: int
    reserve: int

    @property
    def share(self) -> float:
        """Reserve over customers' money; NaN without any."""
        return self.reserve / self.funds if self.funds else float("nan")


@dataclass(frozen=True, slots=True)
class Partnership:
    """Joint loans of one bank with one partner on one day. outstanding: in all; partner_funded: the partner's part; tier1, loans: of the bank;
    minor units."""

    day: dt.date
    bank: str
    partner: str
    outstanding: int
    partner_funded: int
    tier1: int
    loans: int

    @property
    def contribution(self) -> float:
        """The partner's part of what is outstanding."""
        return self.partner_funded / self.outstanding if self.outstanding else float("nan")

    @property
    def of_tier1(self) -> float:
        """The bank's part over its net tier 1 capital."""
        return (self.outstanding - self.partner_funded) / self.tier1 if self.tier1 else float("nan")


_Row = TypeVar("_Row", Cover, Partnership)


def covers(reserves: ReservesTable) -> tuple[Cover, ...]:
    """Every row, by platform and day."""
    rows = zip(reserves.day, reserves.platform, reserves.customer_funds, reserves.reserve_deposits, strict=True)
    return tuple(sorted((Cover(d, str(p), int(f), int(r)) for d, p, f, r in rows), key=lambda c: (c.platform, c.day)))


def partnerships(lending: LendingTable) -> tuple[Partnership, ...]:
    """Every row, by bank, partner and day."""
    rows = zip(
        lending.day, lending.bank, lending.partner, lending.outstanding, lending.partner_funded, lending.bank_tier1,
        lending.bank_total_loans, strict=True,
    )  # fmt: skip
    found = (Partnership(d, str(b), str(p), int(o), int(f), int(t), int(n)) for d, b, p, o, f, t, n in rows)
    return tuple(sorted(found, key=lambda one: (one.bank, one.partner, one.day)))


def facts(
    cover: tuple[Cover, ...], lent: tuple[Partnership, ...], kinds: dict[str, str], on: dt.date
) -> Iterator[Fact]:
    """What rules limit, from the latest rows on or before a day. kinds: of institutions and platforms, by id."""
    for one in _latest(cover, on, lambda c: (c.platform,)):
        yield Fact("reserve-cover", one.platform, kinds.get(one.platform, ""), one.share, words=f"on {one.day}")
    current = _latest(lent, on, lambda p: (p.bank, p.partner))
    for pair in current:
        kind = kinds.get(pair.bank, "")
        yield Fact("partner-contribution-share", pair.bank, kind, pair.contribution, pair.partner)
        yield Fact("joint-loans-with-one-partner-over-tier1", pair.bank, kind, pair.of_tier1, pair.partner)
    for bank in sorted({pair.bank for pair in current}):
        own = [pair for pair in current if pair.bank == bank]
        part, loans = sum(p.outstanding - p.partner_funded for p in own), own[-1].loans
        share = part / loans if loans else float("nan")
        yield Fact("joint-loans-over-total-loans", bank, kinds.get(bank, ""), share)


def _latest(rows: tuple[_Row, ...], on: dt.date, key: Callable[[_Row], tuple[str, ...]]) -> list[_Row]:
    """The last row of each key on or before a day."""
    found = {key(row): row for row in sorted(rows, key=lambda row: row.day) if row.day <= on}
    return [found[name] for name in sorted(found)]
