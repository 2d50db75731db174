"""What pydantic found wrong, as Problems that a person can act on."""

from __future__ import annotations

import difflib
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from poundlock.problems import Problem
from poundlock.reading.yaml_text import Location

_WORDS = {
    "dict_type": "a mapping of keys and values",
    "model_type": "a mapping of keys and values",
    "model_attributes_type": "a mapping of keys and values",
    "tuple_type": "a list",
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "date_type": "a date such as 2024-12-31",
    "finite_number": "a finite number",
}


def told(errors: list[ErrorDetails], file: str, model: type[BaseModel], lines: dict[Location, int]) -> list[Problem]:
    """One Problem for each mistake; what only follows from another at a place below it is left out."""
    places = [error["loc"] for error in errors]
    followers = {"too_short", "too_long"}
    return [
        _problem(error, file, model, lines)
        for error in errors
        if not (
            error["type"] in followers
            and any(p != error["loc"] and p[: len(error["loc"])] == error["loc"] for p in places)
        )
    ]


def _problem(error: ErrorDetails, file: str, model: type[BaseModel], lines: dict[Location, int]) -> Problem:
    at, records = _walk(model, error["loc"])
    line = lines[at[: max(k for k in range(len(at) + 1) if at[:k] in lines)]]
    key = ".".join(str(part) for part in at) or "plan"
    context, shown = error.get("ctx", {}), _shown(error.get("input"))
    match error["type"]:
        case "missing":
            return Problem(file, line, f"no key '{key}'", "this required key", f"add '{at[-1]}:' with a value")
        case "extra_forbidden":
            known = sorted({name for record in records for name in record.model_fields})
            near = difflib.get_close_matches(str(at[-1]).strip(), known, n=1)
            cure = f"rename it to '{near[0]}'" if near else "remove it"
            return Problem(
                file, line, f"unknown key '{key}'", f"one of {', '.join(known)}" if known else "no such key", cure
            )
        case "literal_error" | "enum":
            return Problem(file, line, f"{key} = {shown}", str(context.get("expected")), "use one of these values")
        case "union_tag_invalid" | "union_tag_not_found":
            expected = str(context.get("expected_tags") or ", ".join(_tags(records)))
            name = str(context["discriminator"]).strip("'")
            found = f"{key} of {name} '{context['tag']}'" if "tag" in context else f"no key '{key}.{name}'"
            return Problem(file, line, found, f"{name}: one of {expected}", f"give '{name}:' one of these")
        case "value_error":
            found, _, rest = str(context.get("error", error["msg"])).partition("; expected ")
            expected, _, cure = rest.partition("; cure ")
            return Problem(file, line, f"{key}: {found}", expected or "a consistent value", cure or "correct it")
        case kind:
            expected = _WORDS.get(kind) or error["msg"].removeprefix("Input should be ").replace(
                "String should", "text that should"
            ).replace("Tuple should", "a list that should")
            return Problem(file, line, f"{key} = {shown}", expected, "correct the value")


def _walk(model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[Location, list[type[BaseModel]]]:
    """The location as the file has it, without the tags that pydantic adds for members of a union, and the records that
    hold its last part."""
    at: Location = ()
    records: list[type[BaseModel]] = [model]
    for place, part in enumerate(location):
        if isinstance(part, str) and len(records) > 1 and (tagged := [r for r in records if part in _tags([r])]):
            records = tagged  # a tag, not a key
            continue
        at = (*at, part)
        if place < len(location) - 1 and isinstance(part, str):
            fields = [r.model_fields[part] for r in records if part in r.model_fields]
            records = [inner for field in fields for inner in _records_in(field.annotation)] or records
    return at, records


def _tags(records: list[type[BaseModel]]) -> list[str]:
    """Values of the text literals of these records, which are what tells members of a union apart."""
    annotations = [field.annotation for record in records for field in record.model_fields.values()]
    return [v for a in annotations if get_origin(a) is Literal for v in get_args(a) if isinstance(v, str)]


def _records_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType) or get_args(annotation):
        return [m for argument in get_args(annotation) for m in _records_in(argument)]
    return []


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, tuple | list):
        return "a list"
    if value is None:
        return "nothing"
    try:
        text = repr(value) if isinstance(value, str) else str(value)
    except ValueError:  # an integer of thousands of digits
        return "a number of very many digits"
    return text if len(text) <= 60 else text[:57] + "..."
