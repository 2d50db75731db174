"""Returns held against each other: two sides of one claim, exposures and balance sheet, this period and the last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from poundlock.returns.filed import LARGE_CHANGE, Filed
from poundlock.returns.schemas import SCHEMAS
from poundlock.returns.values import plain

Sort = Literal["amount", "one-sided", "balance-sheet", "moved"]
Claim = tuple[str, str, str]
"""Creditor, debtor, layer."""
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True, order=True)
class Mismatch:
    """Two statements that differ. by, says: who says what; to, other: whom or what it is held against, None when nothing is there.

    about: the layer, item or row meant; difference: `says` less `other`, plain decimal text, as are both.
    """

    sort: Sort
    by: str
    to: str
    about: str
    says: str
    other: str | None
    difference: str

    def __str__(self) -> str:
        return f"{self.by} says {self.says} of {self.about}, and {self.to} {self.other or 'nothing'}: a difference of {self.difference}"


def between(filings: Iterable[Filed], *, tolerance: Decimal = _NOTHING) -> tuple[Mismatch, ...]:
    """Every claim on which its creditor and its debtor differ by more than `tolerance`, and every balance sheet that differs from its exposures.

    Claims are summed over maturities. A counterparty that filed no exposures is not compared: it has said nothing.
    Raises ValueError for filings of more than one period, a second one of the same kind and institution, or one with errors.
    """
    by_kind = _by_kind(filings)
    exposures = by_kind.get("exposures", {})
    lent = {claim: amount for filed in exposures.values() for claim, amount in _claims(filed, "lent").items()}
    borrowed = {claim: amount for filed in exposures.values() for claim, amount in _claims(filed, "borrowed").items()}
    found = [
        _two_sides(claim, lent.get(claim), borrowed.get(claim), tolerance)
        for claim in lent.keys() | borrowed.keys()
        if claim[0] in exposures and claim[1] in exposures
    ]
    sheets = by_kind.get("balance-sheet", {})
    found += [
        one
        for name in exposures.keys() & sheets.keys()
        for one in _with_sheet(exposures[name], sheets[name], tolerance)
    ]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: (one.by, one.to, one.about)))


def _by_kind(filings: Iterable[Filed]) -> dict[str, dict[str, Filed]]:
    by_kind: dict[str, dict[str, Filed]] = {}
    periods = set()
    for filed in filings:
        if filed.errors:
            raise ValueError(
                f"the {filed.kind} of {filed.institution} have errors; only accepted returns are reconciled"
            )
        if filed.institution in by_kind.setdefault(filed.kind, {}):
            raise ValueError(f"the {filed.kind} of {filed.institution} are there twice; give the last one filed")
        by_kind[filed.kind][filed.institution] = filed
        periods.add(filed.period)
    if len(periods) > 1:
        raise ValueError(f"filings of the periods {', '.join(sorted(periods))}; reconcile one at a time")
    return by_kind


def _claims(filed: Filed, side: str) -> dict[Claim, Decimal]:
    """Sums over maturities of one side of a return of exposures."""
    sums: dict[Claim, Decimal] = {}
    for row in filed.table:
        if row["side"] == side:
            other, layer = str(row["counterparty"]), str(row["layer"])
            pair = (filed.institution, other) if side == "lent" else (other, filed.institution)
            sums[(*pair, layer)] = sums.get((*pair, layer), _NOTHING) + Decimal(str(row["amount"]))
    return sums


def _two_sides(claim: Claim, lent: Decimal | None, borrowed: Decimal | None, tolerance: Decimal) -> Mismatch | None:
    creditor, debtor, layer = claim
    difference = (lent or _NOTHING) - (borrowed or _NOTHING)
    if abs(difference) <= tolerance:
        return None
    if lent is None:
        return Mismatch(
            "one-sided", debtor, creditor, f"{layer} owed", plain(borrowed or _NOTHING), None, plain(-difference)
        )
    if borrowed is None:
        return Mismatch("one-sided", creditor, debtor, f"{layer} lent", plain(lent), None, plain(difference))
    return Mismatch("amount", creditor, debtor, f"{layer} lent", plain(lent), plain(borrowed), plain(difference))


def _with_sheet(exposures: Filed, sheet: Filed, tolerance: Decimal) -> Iterator[Mismatch]:
    """The two items that are the sums of the sides when they are stated; else no side exceeds its side of the sheet."""
    items = {str(row["item"]): Decimal(str(row["amount"])) for row in sheet.table}
    for side, item, whole in (
        ("lent", "claims-on-institutions", "total-assets"),
        ("borrowed", "owed-to-institutions", "total-liabilities"),
    ):
        total = sum(_claims(exposures, side).values(), _NOTHING)
        differs = item in items and abs(total - items[item]) > tolerance
        exceeds = whole in items and total - items[whole] > tolerance
        if differs or exceeds:
            against = item if differs else whole
            stated = items[against]
            yield Mismatch(
                "balance-sheet",
                exposures.institution,
                against,
                side,
                plain(total),
                plain(stated),
                plain(total - stated),
            )


def against_last(filed: Filed, last: Filed, *, large: Decimal = LARGE_CHANGE) -> tuple[Mismatch, ...]:
    """Rows that moved by more than the share `large` since the last period, came, or went; matched by their key, dates aside.

    Looks at the amount or value of each row; incidents have none and give nothing. Raises ValueError for returns that
    are not of one kind and institution.
    """
    if (filed.kind, filed.institution) != (last.kind, last.institution):
        raise ValueError(f"{filed.kind} of {filed.institution} against {last.kind} of {last.institution}")
    now, before = _amounts(filed), _amounts(last)
    found = []
    for key in sorted(now.keys() | before.keys()):
        new, old = now.get(key, _NOTHING), before.get(key, _NOTHING)
        if abs(new - old) > large * abs(old):
            stated = plain(old) if key in before else None
            found.append(
                Mismatch("moved", filed.institution, last.period, " ".join(key), plain(new), stated, plain(new - old))
            )
    return tuple(found)


def _amounts(filed: Filed) -> dict[tuple[str, ...], Decimal]:
    schema = SCHEMAS[filed.kind]
    value = next((name for name in ("amount", "value") if name in schema.names), None)
    if value is None:
        return {}
    by = [name for name in schema.key if name not in ("maturity_days", "period")]
    sums: dict[tuple[str, ...], Decimal] = {}
    for row in filed.table:
        key = tuple(str(row[name]) for name in by)
        sums[key] = sums.get(key, _NOTHING) + Decimal(str(row[value]))
    return sums
