"""YAML documents into validated records, with the line of every mistake."""

from __future__ import annotations

import datetime as dt
import difflib
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from poundlock.problems import Problem
from poundlock.reading.files import InputFile, read_file

Location = tuple[str | int, ...]
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
    numbers: for such a list, the place of each entry in the file. lines: location in the document to line."""

    file: InputFile
    value: M | None
    sections: dict[str, Any]
    numbers: dict[str, tuple[int, ...]] = field(repr=False)
    lines: dict[Location, int] = field(repr=False)

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


def read_document(path: Path, model: type[M], problems: list[Problem]) -> Document[M] | None:
    """Read a YAML file into `model`. Adds every Problem; returns None only when the file is not YAML at all."""
    file = read_file(path, problems)
    if file is None:
        return None
    tree = _load(file, problems)
    if tree is None:
        return None
    lines: dict[Location, int] = {(): 1}
    try:
        plain = _plain(tree, (), lines, set())
    except _Alias as alias:
        problems.append(
            Problem(
                file.name,
                alias.line,
                "an alias (*name) or merge key (<<)",
                "every value written out",
                "copy the value here",
            )
        )
        return None
    try:
        value = model.model_validate(plain)
        return Document(file, value, {name: getattr(value, name) for name in model.model_fields}, {}, lines)
    except ValidationError as error:
        problems.extend(_problem(e, file.name, model, lines) for e in error.errors())
        sections, numbers = _valid_sections(model, plain)
        return Document(file, None, sections, numbers, lines)


def _load(file: InputFile, problems: list[Problem]) -> CommentedMap | None:
    try:
        tree = YAML(typ="rt", pure=True).load(file.content.decode())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = (error.problem or "text that is not YAML").split("\n")[0]
        problems.append(
            Problem(
                file.name,
                mark.line + 1 if mark else None,
                what,
                "a YAML mapping",
                "mend the indentation, quote or duplicate key at this line",
            )
        )
        return None
    except (YAMLError, RecursionError, ValueError) as error:
        problems.append(
            Problem(
                file.name,
                None,
                str(error).split("\n")[0] or "text nested too deep",
                "a YAML mapping",
                "compare with an example plan",
            )
        )
        return None
    if not isinstance(tree, CommentedMap):
        problems.append(
            Problem(
                file.name, 1, "text without keys", "a YAML mapping such as 'title: ...'", "start from `poundlock init`"
            )
        )
        return None
    return tree


class _Alias(Exception):  # noqa: N818 - control flow inside this module
    def __init__(self, line: int) -> None:
        self.line = line


def _plain(node: Any, at: Location, lines: dict[Location, int], seen: set[int]) -> Any:
    """Round-trip nodes to plain Python values (sequences as tuples), noting the line of every location."""
    if isinstance(node, CommentedMap | CommentedSeq):
        if id(node) in seen or getattr(node, "merge", None):
            raise _Alias(node.lc.line + 1)
        seen.add(id(node))
    if isinstance(node, CommentedMap):
        plain: dict[Any, Any] = {}
        for key, value in node.items():
            name = key if isinstance(key, str | int) else str(key)
            lines[(*at, name)] = node.lc.key(key)[0] + 1
            plain[str(key)] = _plain(value, (*at, name), lines, seen)
        return plain
    if isinstance(node, CommentedSeq):
        items = []
        for index, value in enumerate(node):
            lines[(*at, index)] = node.lc.item(index)[0] + 1
            items.append(_plain(value, (*at, index), lines, seen))
        return tuple(items)
    return _plain_scalar(node)


def _plain_scalar(node: Any) -> Any:
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    if isinstance(node, dt.datetime):
        return dt.datetime.fromisoformat(node.isoformat())
    return node


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


def _problem(error: ErrorDetails, file: str, model: type[Declared], lines: dict[Location, int]) -> Problem:
    at = _location_in_file(error["loc"], lines)
    line = lines[at[: max(k for k in range(len(at) + 1) if at[:k] in lines)]]
    key = ".".join(str(part) for part in at) or "plan"
    kind, shown = error["type"], _shown(error.get("input"))
    context = error.get("ctx", {})
    if kind == "missing":
        return Problem(file, line, f"no key '{key}'", "this required key", f"add '{error['loc'][-1]}:' with a value")
    if kind == "extra_forbidden":
        known = _known_keys(model, error["loc"][:-1])
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
        cure = f"rename it to '{near[0]}'" if near else "remove it"
        return Problem(
            file, line, f"unknown key '{key}'", f"one of {', '.join(known)}" if known else "no such key", cure
        )
    if kind in ("literal_error", "enum"):
        return Problem(file, line, f"{key} = {shown}", str(context.get("expected")), "use one of these values")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        expected = str(context.get("expected_tags", "a 'kind'"))
        return Problem(
            file, line, f"{key} of kind '{context.get('tag', 'none')}'", f"kind {expected}", "use one of these kinds"
        )
    if kind == "value_error":
        message = str(context.get("error", error["msg"]))
        found, _, rest = message.partition("; expected ")
        expected, _, cure = rest.partition("; cure ")
        return Problem(file, line, f"{key}: {found}", expected or "a consistent value", cure or "correct it")
    expected = error["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    return Problem(file, line, f"{key} = {shown}", expected, "correct the value")


def _location_in_file(loc: tuple[int | str, ...], lines: dict[Location, int]) -> Location:
    """Drop the parts that pydantic adds for union members, which are not keys of the file."""
    at: Location = ()
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        if (*at, part) in lines or last:
            at = (*at, part)
    return at


def _known_keys(model: type[Declared], loc: tuple[int | str, ...]) -> list[str]:
    """Field names of the record at `loc`, walking annotations; empty when the walk loses its way."""
    current: list[type[BaseModel]] = [model]
    for part in loc:
        if isinstance(part, int):
            continue
        following: list[type[BaseModel]] = []
        for candidate in current:
            if part in candidate.model_fields:
                following += _models_in(candidate.model_fields[part].annotation)
            elif any(info.default == part for info in candidate.model_fields.values()):
                following.append(candidate)  # the tag of a discriminated union
        current = following or current
    return sorted({name for candidate in current for name in candidate.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType) or get_args(annotation):
        return [m for argument in get_args(annotation) for m in _models_in(argument)]
    return []


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, tuple | list):
        return "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
