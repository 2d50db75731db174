"""Do the tables of a system name each other right? Unknown and repeated names, and exposures of an institution to itself."""

from __future__ import annotations

import numpy as np

from poundlock.problems import Problem
from poundlock.reading import Table
from poundlock.system.files import KEYS, SystemFiles


def index_of(table: Table, column: str, problems: list[Problem]) -> dict[str, int]:
    """Id to its place in the order of first appearance."""
    index: dict[str, int] = {}
    first_line: dict[str, int] = {}
    for row, key in enumerate(table[column]):
        if key in index:
            found = f"'{key}' a second time (first in line {first_line[key]})"
            problems.append(table.problem(row, found, "each id once", "remove or rename one of the two rows"))
        else:
            index[key], first_line[key] = len(index), int(table.lines[row])
    return index


def check_names(
    tables: dict[str, Table],
    index: dict[str, int],
    pools: dict[str, int],
    declared: SystemFiles,
    problems: list[Problem],
) -> None:
    """Adds a Problem for each unknown name, each exposure to oneself, each layer without totals, and each repeated row."""
    regions = dict.fromkeys(tables["institutions"]["region"], 0)
    institution = f"an id of {declared.institutions}"
    for role, column, known, what in (
        ("exposures", "creditor", index, institution),
        ("exposures", "debtor", index, institution),
        ("totals", "institution", index, institution),
        ("blocks", "creditor", index, institution),
        ("blocks", "debtor_region", regions, f"a region of {declared.institutions}"),
        ("holdings", "institution", index, institution),
        ("holdings", "pool", pools, f"an id of {declared.pools or 'a pools table'}"),
        ("guarantees", "guarantor", index, institution),
        ("guarantees", "beneficiary", index, institution),
        ("guarantees", "debtor", index, institution),
        ("dependences", "dependent", index, institution),
        ("dependences", "provider", index, institution),
    ):
        listed = tables.get("pools" if column == "pool" else "institutions")
        if listed is not None and not listed.whole:
            continue  # a row of that table could not be read; the name may stand there
        for row, key in enumerate(tables[role][column] if role in tables and column in tables[role] else ()):
            if key and key not in known:
                problems.append(
                    tables[role].problem(
                        row, f"unknown {column} '{key}'", what, "correct the name or add it to that table"
                    )
                )
    if "exposures" in tables:
        exposures = tables["exposures"]
        for own in np.flatnonzero(exposures["creditor"] == exposures["debtor"]):
            problems.append(
                exposures.problem(
                    int(own), f"'{exposures['creditor'][own]}' lending to itself", "two institutions", "remove the row"
                )
            )
    if "blocks" in tables:
        layers = set(tables["totals"]["layer"]) if "totals" in tables else set[str]()
        for row, layer in enumerate(tables["blocks"]["layer"]):
            if layer not in layers and (declared.totals is None or "totals" in tables):
                found, known_layers = f"blocks of layer '{layer}'", ", ".join(sorted(layers)) or "a totals table"
                cure = "correct the layer's name or give its totals"
                problems.append(tables["blocks"].problem(row, found, f"a layer of the totals: {known_layers}", cure))
    for role, columns in KEYS.items():
        if role in tables:
            _check_unique(tables[role], columns, problems)


def _check_unique(table: Table, columns: tuple[str, ...], problems: list[Problem]) -> None:
    seen: dict[tuple[str, ...], int] = {}
    for row, key in enumerate(zip(*(table[c] for c in columns), strict=True)):
        if key in seen:
            first = int(table.lines[seen[key]])
            problems.append(
                table.problem(
                    row,
                    f"{' / '.join(key)} a second time (first in line {first})",
                    f"each {' / '.join(columns)} once",
                    "add the two amounts up or remove one",
                )
            )
        seen.setdefault(key, row)
