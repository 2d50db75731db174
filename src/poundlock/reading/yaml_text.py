"""YAML text into plain values and the line of each of them. Data only: no tags, no aliases, bounded size and depth."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.tokens import (
    AliasToken,
    BlockEndToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    DirectiveToken,
    DocumentStartToken,
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    TagToken,
)

from poundlock.problems import Problem
from poundlock.reading.files import InputFile

Location = tuple[str | int, ...]

LARGEST_DOCUMENT_BYTES = 1 << 18
DEEPEST = 30
_OPENS = (BlockMappingStartToken, BlockSequenceStartToken, FlowMappingStartToken, FlowSequenceStartToken)
_CLOSES = (BlockEndToken, FlowMappingEndToken, FlowSequenceEndToken)
_REFUSED = {
    TagToken: ("an explicit tag (!...)", "plain values", "remove the tag"),
    AliasToken: ("an alias (*name)", "every value written out", "copy the value here"),
    DirectiveToken: ("a YAML directive (%...)", "plain YAML", "remove the line"),
}


def plain_values(file: InputFile, problems: list[Problem]) -> tuple[dict[str, Any], dict[Location, int]] | None:
    """Mappings as dicts with text keys, sequences as tuples; and the line of every location, () being the document.

    Adds one Problem and returns None for text that is not one plain YAML mapping.
    """
    if len(file.content) > LARGEST_DOCUMENT_BYTES:
        found, expected = f"a plan of {len(file.content):,} bytes", f"at most {LARGEST_DOCUMENT_BYTES:,} bytes"
        problems.append(Problem(file.name, None, found, expected, "put figures into tables beside the plan"))
        return None
    text = file.content.decode()
    try:
        if refused := _refused(text, file.name):
            problems.append(refused)
            return None
        tree = YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = (error.problem or "text that is not YAML").split("\n")[0].removeprefix("but ").removeprefix("found ")
        cure = "mend the indentation, quote or duplicate key at this line"
        problems.append(Problem(file.name, mark.line + 1 if mark else None, said, "plain YAML", cure))
        return None
    except (YAMLError, RecursionError, ValueError, KeyError, TypeError) as error:
        said = str(error).split("\n")[0] or type(error).__name__
        problems.append(
            Problem(
                file.name, None, f"a value that cannot be read ({said})", "plain YAML", "correct the dates and numbers"
            )
        )
        return None
    if not isinstance(tree, CommentedMap):
        expected = "a YAML mapping such as 'title: ...'"
        problems.append(Problem(file.name, 1, "text without keys", expected, "start from `poundlock init`"))
        return None
    lines: dict[Location, int] = {(): 1}
    return _plain(tree, (), lines), lines


def _refused(text: str, name: str) -> Problem | None:
    """The first token that plain data does not need, found without building anything."""
    depth = documents = 0
    for token in YAML(typ="rt", pure=True).scan(text):
        line = token.start_mark.line + 1
        for kind, (found, expected, cure) in _REFUSED.items():
            if isinstance(token, kind):
                return Problem(name, line, found, expected, cure)
        documents += isinstance(token, DocumentStartToken)
        depth += isinstance(token, _OPENS) - isinstance(token, _CLOSES)
        if documents > 1:
            return Problem(name, line, "a second document (---)", "one document", "put it into a file of its own")
        if depth > DEEPEST:
            return Problem(
                name,
                line,
                f"values nested more than {DEEPEST} deep",
                "a plan's few levels",
                "check the brackets and indentation",
            )
    return None


def _plain(node: Any, at: Location, lines: dict[Location, int]) -> Any:
    if isinstance(node, CommentedMap):
        plain: dict[str, Any] = {}
        for key, value in node.items():
            lines[(*at, str(key))] = node.lc.key(key)[0] + 1
            plain[str(key)] = _plain(value, (*at, str(key)), lines)
        return plain
    if isinstance(node, CommentedSeq):
        items = []
        for index, value in enumerate(node):
            lines[(*at, index)] = node.lc.item(index)[0] + 1
            items.append(_plain(value, (*at, index), lines))
        return tuple(items)
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return dt.datetime.fromisoformat(node.isoformat()) if isinstance(node, dt.datetime) else node
