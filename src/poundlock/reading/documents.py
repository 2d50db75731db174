"""YAML documents into validated records, with the line of every mistake."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from poundlock.problems import Problem
from poundlock.reading.files import InputFile, read_file
from poundlock.reading.mistakes import told
from poundlock.reading.yaml_text import Location, plain_values

M = TypeVar("M", bound="Declared")


class Declared(BaseModel):
    """Base of everything that a user declares in a file: frozen, strict, no unknown keys, no NaN or infinity."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


@dataclass(frozen=True)
class Document(Generic[M]):
    """A validated YAML file. value: the record, or None when any part of it failed. sections: every top-level section
    that is valid by itself, so that checks can go on behind a mistake elsewhere; of a list, the entries that are valid.
    numbers: for such a list, the place of each entry in the file. plain: the values as read. lines: location to line."""

    file: InputFile
    value: M | None
    sections: dict[str, Any]
    numbers: dict[str, tuple[int, ...]] = field(repr=False)
    plain: dict[str, Any] = field(repr=False)
    lines: dict[Location, int] = field(repr=False)

    def ids(self, *section: str) -> set[str]:
        """Every id that a list section gives, of entries that are wrong in other ways too."""
        found: Any = self.plain
        for key in section:
            found = found.get(key) if isinstance(found, dict) else None
        return (
            {str(entry.get("id")) for entry in found or () if isinstance(entry, dict)}
            if isinstance(found, tuple)
            else set()
        )

    def entries(self, section: str) -> tuple[tuple[int, Any], ...]:
        """The valid entries of a list section, each with its place in the file."""
        found = tuple(self.sections.get(section) or ())
        return tuple(zip(self.numbers.get(section, range(len(found))), found, strict=True))

    def whole(self, section: str) -> bool:
        """Whether all of the section could be read."""
        return section in self.sections and section not in self.numbers

    def line(self, *location: str | int) -> int | None:
        """Line of a location, or of its nearest parent that has one."""
        for size in range(len(location), -1, -1):
            if (found := self.lines.get(location[:size])) is not None:
                return found
        return None


def schema_of(model: type[Declared], title: str) -> dict[str, Any]:
    """JSON Schema of a file that is read into `model`."""
    schema = {name: part for name, part in model.model_json_schema().items() if name != "title"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema}


def schema_text(schema: dict[str, Any]) -> str:
    """A schema as it is kept in a repository: sorted keys, two spaces, final newline."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def read_document(path: Path, model: type[M], problems: list[Problem]) -> Document[M] | None:
    """Read a YAML file into `model`. Adds every Problem; returns None only when the file is not YAML at all."""
    file = read_file(path, problems)
    values = plain_values(file, problems) if file is not None else None
    if file is None or values is None:
        return None
    plain, lines = values
    try:
        value = model.model_validate(plain)
        return Document(file, value, {name: getattr(value, name) for name in model.model_fields}, {}, plain, lines)
    except ValidationError as error:
        problems.extend(told(error.errors(), file.name, model, lines))
        sections, numbers = _valid_sections(model, plain)
        return Document(file, None, sections, numbers, plain, lines)


def _valid_sections(model: type[Declared], plain: dict[str, Any]) -> tuple[dict[str, Any], dict[str, tuple[int, ...]]]:
    """Sections that can be read, unknown keys aside (they have been told); list sections entry by entry."""
    sections: dict[str, Any] = {}
    numbers: dict[str, tuple[int, ...]] = {}
    for name, info in model.model_fields.items():
        if name not in plain:
            if not info.is_required():
                sections[name] = info.get_default(call_default_factory=True)
        elif isinstance(plain[name], tuple) and get_origin(info.annotation) is tuple:
            adapter = TypeAdapter(get_args(info.annotation)[0])
            kept = [
                (k, value) for k, entry in enumerate(plain[name]) if (value := _lenient(adapter, entry)) is not None
            ]
            sections[name] = tuple(value for _, value in kept)
            if len(kept) < len(plain[name]):
                numbers[name] = tuple(k for k, _ in kept)
        elif (value := _lenient(_field_adapter(info), plain[name])) is not None:
            sections[name] = value
    return sections, numbers


def _lenient(adapter: TypeAdapter[Any], value: Any) -> Any:
    """The record without its unknown keys, or None when anything else is wrong with it."""
    try:
        return adapter.validate_python(value, strict=True)
    except ValidationError as error:
        unknown = [e["loc"] for e in error.errors() if e["type"] == "extra_forbidden"]
        if len(unknown) < error.error_count():
            return None
    for location in unknown:
        value = _without(value, location)
    try:
        return adapter.validate_python(value, strict=True)
    except ValidationError:
        return None


def _without(value: Any, location: tuple[int | str, ...]) -> Any:
    """A copy of nested mappings and tuples without the key at `location`; parts that are no key are union members."""
    first, rest = location[0], location[1:]
    if isinstance(value, tuple) and isinstance(first, int) and rest:
        return (*value[:first], _without(value[first], rest), *value[first + 1 :])
    if isinstance(value, dict):
        if not rest:
            return {key: inner for key, inner in value.items() if key != first}
        if first in value:
            return {**value, first: _without(value[first], rest)}
    return _without(value, rest) if rest else value


def _field_adapter(info: FieldInfo) -> TypeAdapter[Any]:
    """The field's type with its constraints and discriminator."""
    annotated: Any = Annotated[info.annotation, info]
    return TypeAdapter(annotated)
