"""The payment market in words and small tables: money in a unit that can be read, every indicator by name, what is wrong with the records and
what that does to the figures, cover of customers' money and partners' parts."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from poundlock.desk.assessment import Assessment
from poundlock.desk.payments import doubts
from poundlock.payments.cover import Cover, Partnership
from poundlock.payments.gaps import LEAST
from poundlock.payments.indicators import Indicators
from poundlock.payments.market import Market
from poundlock.payments.quality import KINDS, Fault, Kind
from poundlock.payments.readings import INDICATORS, reading
from poundlock.rollout.wording import shown
from poundlock.rules import Rule, of_jurisdiction
from poundlock.rules.compliance import ROUNDING

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Heads and rows."""
SIZES: Final = ((1e12, "trn "), (1e9, "bn "), (1e6, "mn "), (1.0, ""))
LENDERS: Final = 10
"""Pairs of bank and partner in the table."""
NAMED_DAYS: Final = 5
"""Days that a sentence names; of the others only the number."""


def rules_held(a: Assessment) -> tuple[Rule, ...]:
    """The rules that the plan is held against, of the jurisdictions and files that it names."""
    shipped = (rule for name in a.plan.rules.jurisdictions for rule in of_jurisdiction(name))
    return (*shipped, *a.own_rules)


def scale(largest: float, market: Market) -> tuple[float, str]:
    """A unit in which amounts up to so many minor units can be read: minor units in one of it, and its name."""
    major = float(10**market.minor_units)
    size, word = next((one for one in SIZES if abs(largest) / major >= one[0]), SIZES[-1])
    return major * size, f"{word}{market.currency}"


def money(minor: float, market: Market) -> str:
    """An amount in the unit that suits it: 1.23 bn CNY."""
    if math.isnan(minor):
        return "–"
    divisor, unit = scale(minor, market)
    amount = minor / divisor
    digits = min(2, market.minor_units) if unit == market.currency else 2 if abs(amount) < 100 else 1
    return f"{amount:,.{digits}f} {unit}".replace("-", "−")


def large(count: int) -> str:
    """A number of payments: whole up to a million, then shortened."""
    size, word = next((one for one in SIZES if count >= one[0]), SIZES[-1])
    return f"{count / size:,.2f} {word}".rstrip() if size > 1.0 else f"{count:,}"


def percent(share: float, digits: int = 1, sign: str = "") -> str:
    """A share in per cent, a dash where there is none. sign: '+' for changes."""
    return "–" if math.isnan(share) else f"{share:{sign}.{digits}%}".replace("-", "−")


def listed(words: Sequence[str], most: int = NAMED_DAYS) -> str:
    """The first few, and how many more."""
    more = f" and {len(words) - most:,} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def origin_words(found: Indicators) -> str:
    """How real the figures are."""
    what = "payment records" if found.records is not None else "payment totals"
    return f"{found.market.market.origin.capitalize()} {what}"


def opening(found: Indicators) -> str:
    """Which market, which days, and which are missing."""
    days, missing = found.days, [f"{day}" for day in found.missing]
    span = f"{days[0]}" if len(days) == 1 else f"{counted(len(days), 'day')} from {days[0]} to {days[-1]}"
    what = "Payment records" if found.records is not None else "Totals that institutions sent in"
    said = f"{found.market.market.name}. {what} of {span}, added up by {found.period}."
    if missing:
        said += f" {counted(len(missing), 'expected day')} without figures: {listed(missing)}."
    if found.records is None:
        said += (
            " Flows, liquidity, failures and the quality of records need single records; none of them is shown here."
        )
    return said


def doubt(found: Indicators) -> str:
    """Everything that speaks against the figures, as the gates take it; empty where nothing was found."""
    reasons = [one.reason for one in doubts(found)]
    if not reasons:
        return ""
    said = f"In doubt, so that no gate on these days passes: {'; '.join(reasons)}."
    for one in found.sides[:1]:
        parts = (money(float(amount), found.market.market) for amount in (one.returned, one.recorded))
        said += " On {}, for example, {} was returned as sent and {} as received.".format(one.day, *parts)
    if found.records is not None and found.records.effects:
        said += " The figures are of the records as they were read; what each kind does to them stands below."
    return said


def value_words(value: float | None, unit: str, market: Market) -> str:
    """A reading's value with its unit; money is in the major unit."""
    if value is None:
        return "–"
    if unit == market.currency:
        return money(value * 10**market.minor_units, market)
    if unit in ("share", "index"):
        return shown(value, unit)
    return f"{value:,.2f} {unit}" if unit == "times" else f"{value:,.0f} {unit}"


def indicator_lines(found: Indicators) -> list[tuple[str, str, str]]:
    """Every indicator: label, value with its unit and whom it speaks of, as of when; a dash and the reason where there is none."""
    market, lines = found.market.market, []
    for name, asked in INDICATORS.items():
        one = reading(found, name)
        words = value_words(one.value, one.unit, market)
        after = one.missing if one.value is None else one.of
        lines.append((asked.label, f"{words} ({after})" if after else words, one.as_of))
    return lines


def indicator_rows(found: Indicators) -> Table:
    """The same as a table, each under the name by which a gate of a plan asks for it."""
    rows: list[tuple[str, ...]] = [(name, *line) for name, line in zip(INDICATORS, indicator_lines(found), strict=True)]
    return ("name", "indicator", "value", "as of"), rows


def quality_rows(found: Indicators) -> Table:
    """Every kind of fault: how many, what they add up to, on how many days, and one of them in words, or why none could be looked for. No rows
    without single records."""
    market = found.market.market
    rows: list[tuple[str, ...]] = [
        (
            fault.kind,
            found_words(fault),
            "" if not fault.count else "not known" if fault.value is None else money(fault.value, market),
            f"{fault.days:,}" if fault.count else "",
            example_words(fault.examples[0], market) if fault.examples else fault.unasked,
        )
        for fault in (found.records.quality.faults if found.records is not None else ())
    ]
    return ("kind", "found", "value", "days", "for example"), rows


def found_words(fault: Fault) -> str:
    """How many were found, or that none could be looked for."""
    return f"{fault.count:,}" if fault.count else "not looked for" if fault.unasked else "nothing found"


def meaning(kind: Kind) -> str:
    """What a kind of fault is."""
    return KINDS[kind].format(least=LEAST)


def example_words(example: Mapping[str, str], market: Market) -> str:
    """One fault: a record, an hour of silence, totals that differ, or a day."""

    def amount(name: str) -> str:
        return f"{int(example[name]) / 10**market.minor_units:,.{market.minor_units}f} {market.currency}".replace(
            "-", "−"
        )

    match example:
        case {"hour": hour, "institution": who, "day": day, "usual": usual}:
            return f"{who} on {day} from {hour}:00 UTC, an hour that usually has {float(usual):,.0f} records"
        case {"side": side, "institution": who, "day": day}:
            told = f"{amount('returned')} sent in, {amount('recorded')} recorded"
            return f"{who} on {day}, {side}: {told}" if who else f"all on {day}, {side}: {told}"
        case {"record_id": number, "payer_institution": payer, "payee_institution": payee, "day": day, "time": time}:
            when = f"{time[:19]} UTC"
            return f"record {number} in the file of {day}: {payer} to {payee}, {amount('amount')}, {when}"
        case {"record_id": number, "day": day}:
            return f"record {number} in the file of {day}, {amount('amount')}"
        case _:
            return ", ".join(example.values())


def effect_rows(found: Indicators) -> Table:
    """What faulty records do: each figure as read, then without the records of each kind and of all kinds; no rows where they change none."""
    if found.records is None or not found.records.effects:
        return (), []
    kinds = list(dict.fromkeys(effect.kind for effect in found.records.effects))
    figures = list(dict.fromkeys(effect.indicator for effect in found.records.effects))
    by = {(effect.indicator, effect.kind): effect for effect in found.records.effects}
    market, rows = found.market.market, list[tuple[str, ...]]()
    for figure in figures:
        first = by[figure, kinds[0]]
        cells = [_without(by[figure, kind].as_read, by[figure, kind].without, first.unit, market) for kind in kinds]
        rows.append((figure, _in_unit(first.as_read, first.unit, market), *cells))
    return ("figure", "as read", *(f"without {kind}" for kind in kinds)), rows


def _in_unit(value: float, unit: str, market: Market) -> str:
    if unit == "minor units":
        return money(value, market)
    return shown(value, unit) if unit in ("share", "index") else f"{value:,.0f}"


def _without(before: float, after: float, unit: str, market: Market) -> str:
    """The figure without some records, and by how much that is more or less."""
    if after == before:
        return "the same"
    if unit == "share":
        change = _signed(100.0 * (after - before), 3, " points")
    elif unit == "index":
        change = _signed(after - before, 4, "")
    else:
        change = _signed(100.0 * (after / before - 1.0), 3, "%") if before else "from nought"
    return f"{_in_unit(after, unit, market)} ({change})"


def _signed(change: float, digits: int, unit: str) -> str:
    """A change with its sign; in words where it rounds to nought."""
    if abs(change) < 0.5 * 10.0**-digits:
        return "hardly more" if change > 0.0 else "hardly less"
    return f"{change:+.{digits}f}{unit}".replace("-", "−")


def cover_rows(found: Indicators, rules: Sequence[Rule], on: dt.date) -> Table:
    """Reserve cover of customers' money by platform, the lowest first: the latest on a day, the lowest until then, and where it stands to the rules."""
    heads = ("platform", "on", "customers' money", "reserve", "cover", "lowest cover", "on", "standing")
    rows, market = list[tuple[str, ...]](), found.market.market
    by_platform: dict[str, list[Cover]] = {}
    for one in found.cover:
        if one.day <= on:
            by_platform.setdefault(one.platform, []).append(one)
    latest = [max(days, key=lambda c: c.day) for days in by_platform.values()]
    for last in sorted(latest, key=lambda c: (not c.funds, c.share)):
        low = min((c for c in by_platform[last.platform] if c.funds), key=lambda c: c.share, default=last)
        rows.append(
            (
                *(last.platform, f"{last.day}", money(last.funds, market), money(last.reserve, market)),
                *(percent(last.share, 2), percent(low.share, 2), f"{low.day}"),
                "; ".join(standings("reserve-cover", last.share, rules, on)) or "no rule",
            )
        )
    return heads, rows


def lending_rows(found: Indicators, rules: Sequence[Rule], on: dt.date) -> Table:
    """Joint loans of each bank with each partner, the latest on a day: the partner's part, the bank's part over tier 1, and the rules; those that miss
    a limit first, then by the part over tier 1. The first LENDERS of them."""
    heads = ("bank", "partner", "on", "outstanding", "partner's part", "bank's part over tier 1", "standing")
    told = [
        (*_lent(pair, rules, on), pair)
        for pair in {(p.bank, p.partner): p for p in sorted(found.lending, key=lambda p: p.day) if p.day <= on}.values()
    ]
    told.sort(key=lambda one: (not one[0], -one[2].of_tier1 if one[2].tier1 else 0.0, one[2].bank, one[2].partner))
    rows: list[tuple[str, ...]] = [
        (
            *(pair.bank, pair.partner, f"{pair.day}", money(pair.outstanding, found.market.market)),
            *(percent(pair.contribution), percent(pair.of_tier1), "; ".join(words) or "no rule"),
        )
        for _, words, pair in told[:LENDERS]
    ]
    return heads, rows


def lending_sentence(found: Indicators, rules: Sequence[Rule], on: dt.date) -> str:
    """How many pairs of bank and partner there are, how many miss a limit, and how many of them the table shows."""
    last = {(p.bank, p.partner): p for p in sorted(found.lending, key=lambda p: p.day) if p.day <= on}
    if not last:
        return ""
    told = [_lent(pair, rules, on) for pair in last.values()]
    missed, limited = sum(one for one, _ in told), any(words for _, words in told)
    parts = [pair.contribution for pair in last.values() if pair.outstanding]
    ends = list(dict.fromkeys((percent(min(parts)), percent(max(parts))))) if parts else []
    said = f"{counted(len(last), 'pair')} of bank and partner"
    said += f"; partners put up {' to '.join(ends)} of their loans" if ends else ""
    if missed:
        said += f"; {missed:,} of the pairs {'misses' if missed == 1 else 'miss'} a limit"
    elif limited:
        said += "; none misses a limit"
    shown_of = f" The {LENDERS} that miss a limit or have most over tier 1 are shown; result.json has all."
    return f"{said}.{shown_of if len(last) > LENDERS else ''}"


def _lent(pair: Partnership, rules: Sequence[Rule], on: dt.date) -> tuple[bool, list[str]]:
    """Whether a pair misses a limit that is in force, and where it stands to each."""
    figures = (
        ("partner-contribution-share", pair.contribution),
        ("joint-loans-with-one-partner-over-tier1", pair.of_tier1),
    )
    compared = [one for quantity, value in figures for one in _compared(quantity, value, rules, on)]
    words = [words for quantity, value in figures for words in standings(quantity, value, rules, on)]
    return any(missed and rule.in_force(on) for rule, missed in compared), words


def standings(quantity: str, value: float, rules: Sequence[Rule], on: dt.date) -> list[str]:
    """Where a figure stands to each rule of a day that limits it, in words."""
    said = []
    for rule, missed in _compared(quantity, value, rules, on):
        least = rule.operator == "min"
        word = ("below" if least else "above") if missed else "meets"
        draft = "" if rule.in_force(on) else ", a draft"
        said.append(f"{word} {rule.id} (at {'least' if least else 'most'} {rule.limit:.0%}{draft})")
    return said


def _compared(quantity: str, value: float, rules: Sequence[Rule], on: dt.date) -> Iterator[tuple[Rule, bool]]:
    """Each rule of a day that limits a quantity, and whether the figure lies beyond it."""
    for rule in rules:
        there = rule.quantity == quantity and (rule.in_force(on) or rule.proposed(on))
        if there and rule.limit is not None and not math.isnan(value):
            beyond = rule.limit - value if rule.operator == "min" else value - rule.limit
            yield rule, beyond > ROUNDING * rule.limit


def limits_cited(rules: Sequence[Rule], on: dt.date) -> list[str]:
    """The rules that limit cover and joint loans on a day, cited."""
    quantities = ("reserve-cover", "partner-contribution-share", "joint-loans-with-one-partner-over-tier1")
    stand = (rule for rule in rules if rule.quantity in quantities and (rule.in_force(on) or rule.proposed(on)))
    return [rule.cited() for rule in stand]


def quality_content(found: Indicators) -> dict[str, Any] | None:
    """What the template shows of quality; None without single records."""
    if found.records is None:
        return None
    quality = found.records.quality
    heads, rows = quality_rows(found)
    effect_heads, effects = effect_rows(found)
    missing = [f"{day}" for day in quality.missing]
    return {
        "clean": quality.clean,
        "heads": heads,
        "rows": [(meaning(fault.kind), row) for fault, row in zip(quality.faults, rows, strict=True)],
        "missing": f"{counted(len(missing), 'missing day')}: {listed(missing)}." if missing else "",
        "effect_heads": effect_heads,
        "effects": effects,
    }
