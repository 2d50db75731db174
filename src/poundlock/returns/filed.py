"""What was filed, as it was read: canonical rows, mistakes to mend, and what is accepted only with a written reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from poundlock.problems import Problem
from poundlock.returns.schemas import SCHEMAS
from poundlock.returns.values import plain

Row = dict[str, str | int | None]
"""A canonical row: whole numbers as int, amounts and shares as plain decimal text, dates ISO 8601, empty as None."""

LARGE_CHANGE = Decimal("0.5")


@dataclass(frozen=True, slots=True, order=True)
class Caution:
    """Something unusual, accepted with a written reason. code: nothing-filed, zero-total or large-change; about: the total meant."""

    code: str
    about: str
    found: str
    asks: str


@dataclass(frozen=True, slots=True)
class Filed:
    """One read return. digest: SHA-256 of the file, empty when it could not be opened; bytes: its size; rows: how many it holds.

    table is empty when there are errors: a return with errors is filed again, never mended here.
    form: what the content turned out to be, such as `CSV (GB18030)`; totals: plain decimal text by name, such as `amount:lent`.
    """

    kind: str
    institution: str
    period: str
    digest: str
    bytes: int
    rows: int
    form: str = ""
    table: tuple[Row, ...] = field(default=(), repr=False)
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Caution, ...] = ()
    totals: dict[str, str] = field(default_factory=dict)

    @property
    def acceptable(self) -> bool:
        """Whether it may be accepted, given a reason for every warning."""
        return not self.errors


def with_cautions(filed: Filed, last_totals: Mapping[str, str] | None = None) -> Filed:
    """The same return, its warnings found afresh."""
    return replace(filed, warnings=cautions(filed, last_totals))


def cautions(
    filed: Filed, last_totals: Mapping[str, str] | None = None, *, large: Decimal = LARGE_CHANGE
) -> tuple[Caution, ...]:
    """What is unusual in a return without errors; last_totals: those of the period before, when there was one.

    large: the share of last period's total by which a total may move unremarked.
    """
    if filed.errors:
        return ()
    if not filed.rows:
        found = Caution("nothing-filed", "rows", "a return without a row", "say why there is nothing to report")
        return (found, *_changes(filed, last_totals or {}, large))
    must = {field.name for field in SCHEMAS[filed.kind].fields if field.required}
    zeros = [
        Caution("zero-total", name, f"{name} of 0", "say why it is nought")
        for name, value in filed.totals.items()
        if name.split(":")[0] in must and Decimal(value) == 0
    ]
    return (*sorted(zeros), *_changes(filed, last_totals or {}, large))


def _changes(filed: Filed, last: Mapping[str, str], large: Decimal) -> tuple[Caution, ...]:
    """A total that is in one of the two periods only counts as 0 in the other."""
    found = []
    for name in sorted({*last, *filed.totals} if last else ()):
        before, now = Decimal(last.get(name, "0")), Decimal(filed.totals.get(name, "0"))
        if name != "rows" and abs(now - before) > large * abs(before):
            said = f"{name} of {plain(now)}, and {plain(before)} in the period before"
            found.append(Caution("large-change", name, said, f"say why it moved by more than {plain(large * 100)} %"))
    return tuple(found)
