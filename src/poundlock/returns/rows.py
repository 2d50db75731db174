"""Cells into canonical rows: pydantic checks each row against its schema, and every mistake keeps its line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import cache, partial
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
    create_model,
)
from pydantic import Field as Bounds

from poundlock.returns.cells import Gathered, Mistakes, Wrong
from poundlock.returns.filed import Row
from poundlock.returns.limits import Limits
from poundlock.returns.schemas import ENVELOPE, Field, Schema
from poundlock.returns.values import CODE, date_of, number_of, period_of, plain, text_of, whole_of


@cache
def row_model(kind: str, fields: tuple[Field, ...]) -> type[BaseModel]:
    """A pydantic model of one row; its values are canonical: whole numbers as int, all else as text."""
    columns: dict[str, Any] = {
        f.name: (_annotation(f), ...) if f.required else (_annotation(f) | None, None) for f in fields
    }
    made: type[BaseModel] = create_model(
        f"row of {kind}", __config__=ConfigDict(extra="forbid", frozen=True), **columns
    )
    return made


def _annotation(field: Field) -> Any:
    if field.choices:
        return Annotated[Literal[field.choices], BeforeValidator(_stripped)]
    if field.type in ("money", "number", "share"):
        bounds = [None if bound is None else Decimal(bound) for bound in (field.minimum, field.maximum)]
        return Annotated[str, AfterValidator(partial(number_of, low=bounds[0], high=bounds[1]))]
    if field.type == "integer":
        low, high = (None if bound is None else int(bound) for bound in (field.minimum, field.maximum))
        return Annotated[int, BeforeValidator(whole_of), Bounds(ge=low, le=high)]
    if field.type == "code":
        return Annotated[str, StringConstraints(strip_whitespace=True, max_length=field.longest, pattern=CODE)]
    canonical = {"date": date_of, "period": period_of, "text": text_of}[field.type]
    return Annotated[str, StringConstraints(max_length=field.longest), AfterValidator(canonical)]


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def checked_rows(
    table: Gathered, schema: Schema, envelope: tuple[str, str], mistakes: Mistakes, limits: Limits
) -> Iterator[tuple[int, Row]]:
    """Line and canonical row of every row that is sound by itself; mistakes of the others are added."""
    validate = row_model(schema.kind, schema.fields).__pydantic_validator__.validate_python
    expected = {name: value for name, value in zip(ENVELOPE, envelope, strict=True) if name in table.columns}
    for line, cells in zip(table.lines, table.rows, strict=True):
        given: dict[str, Any] = {name: cell for name, cell in zip(table.columns, cells, strict=True) if cell}
        if expected and not _of_the_filing(given, expected, line, mistakes):
            continue
        try:
            yield line, validate(given).__dict__
        except ValidationError:  # rare: blanks and what is no value are looked for only here
            if not _only_values(given, line, mistakes, limits):
                continue
            try:
                yield line, validate(given).__dict__
            except ValidationError as error:
                for name in sorted({str(one["loc"][0]) for one in error.errors(include_url=False)} if given else ()):
                    field = next(field for field in schema.fields if field.name == name)
                    _add(field, given.get(name), line, mistakes)


def _of_the_filing(given: dict[str, Any], expected: dict[str, str], line: int, mistakes: Mistakes) -> bool:
    """Takes the envelope's columns out of a row; whether they say what the filing says."""
    wrong = [name for name, value in expected.items() if str(given.pop(name, "")).strip() != value]
    for name in wrong if given else ():
        cure = "correct it, or file the return under the right institution and period"
        mistakes.add(name, line, f"{name} other than that of the filing", expected[name], cure)
    return not wrong


def _only_values(given: dict[str, Any], line: int, mistakes: Mistakes, limits: Limits) -> bool:
    """Drops blank cells; adds those that hold no value, or one that is too long."""
    sound = True
    for name, cell in list(given.items()):
        if isinstance(cell, Wrong) or len(cell) > limits.cell_characters:
            sound = False
            _add_wrong(name, cell, line, mistakes, limits)
        elif cell.isspace():
            del given[name]
    return sound


def _add_wrong(name: str, cell: str | Wrong, line: int, mistakes: Mistakes, limits: Limits) -> None:
    if isinstance(cell, Wrong):
        mistakes.add(f"{name}: {cell.found}", line, f"{name} holds {cell.found}", cell.expected, cell.cure)
        return
    found, expected = f"{name} of {len(cell):,} characters", f"at most {limits.cell_characters:,} characters"
    mistakes.add(f"{name} too long", line, found, expected, "shorten it, and look for a quote that was never closed")


def _add(field: Field, text: str | None, line: int, mistakes: Mistakes) -> None:
    if text is None:
        mistakes.add(f"{field.name} is empty", line, f"{field.name} is empty", field.expected, f"fill {field.name}")
        return
    found = f"{field.name} = {text[:40]!r}" + (f" ({len(text):,} characters)" if len(text) > field.longest else "")
    mistakes.add(f"{field.name}", line, found, field.expected, _cure(field, text.strip()))


def _cure(field: Field, text: str) -> str:
    if field.type in ("money", "number", "share", "integer"):
        if text.endswith(("%", "\uff05")):
            return "write the fraction, such as 0.12 for 12 per cent"
        if "," in text or "\uff0c" in text or " " in text:
            return "write the number without thousands separators, with a point before its decimals"
        if "e" in text.lower():
            return "write digits alone, such as 1234.5, without an exponent"
    return f"correct {field.name}"


def totals_of(rows: Iterable[Row], schema: Schema) -> dict[str, str]:
    """Plain decimal text of every total that the schema names; `rows` is always one of them."""
    sums: dict[str, Decimal] = {}
    count = 0
    for row in rows:
        count += 1
        for value, by in schema.totals:
            name = value if by is None else f"{value}:{row[by]}"
            sums[name] = sums.get(name, Decimal(0)) + Decimal(row[value] or 0)
    return {"rows": str(count), **{name: plain(total) for name, total in sorted(sums.items())}}
