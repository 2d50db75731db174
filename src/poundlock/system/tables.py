"""System tables in, a System out: names resolved, identities checked, layers rebuilt from totals where asked."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array

from poundlock.problems import Problem, Where, nowhere
from poundlock.reading import Column, Declared, InputFile, Table, read_table
from poundlock.system.balance import AssetClass, Floats, Layer, System
from poundlock.system.rebuild import LayerTotals, positions, rebuild
from poundlock.system.reconstruct import Reconstruction


class SystemFiles(Declared):
    """The financial system: which tables hold it, in which unit, and how real it is."""

    origin: Literal["reported", "reconstructed", "synthetic"]
    """How real the figures are; shown on every page of the report."""
    note: str
    """One or two sentences on where the figures come from and what is assumed; shown on every page of the report."""
    as_of: dt.date
    """Date of the balance sheets."""
    unit: str
    """Money unit of every amount in these tables, e.g. 'mn CNY'."""
    institutions: str
    """CSV: id, name, kind, region, external_assets, external_liabilities, equity [, tier1_capital, loans,
    safe_assets, origin]. Safe assets are the part of external assets that no shock touches, such as cash."""
    exposures: str | None = None
    """CSV: layer, creditor, debtor, amount. For a layer that also has totals these are known cells, kept exactly."""
    totals: str | None = None
    """CSV: layer, institution, lends, owes. Layers given by totals are rebuilt by maximum entropy."""
    blocks: str | None = None
    """CSV: layer, creditor, debtor_region, amount. What a creditor lends to all debtors of a region together."""
    pools: str | None = None
    """CSV: id, region, sector, default_probability, loss_given_default, correlation, net_margin."""
    holdings: str | None = None
    """CSV: institution, pool, amount. Part of the institution's external assets."""
    balance_tolerance: Annotated[float, Field(ge=0.0, le=0.1)] = 1e-6
    """How far reported and implied equity may differ, as a share of total assets."""


@dataclass(frozen=True)
class ReadSystem:
    """A System with what is known about its making. inputs: the files read. rebuilt: layer name to Reconstruction.
    sound: no Problem was found; else only names, kinds and regions can be relied on, for checks that go on.
    whole: no row of any table was unreadable; else names may be missing too."""

    system: System
    inputs: tuple[InputFile, ...]
    rebuilt: dict[str, Reconstruction] = field(repr=False)
    sound: bool
    whole: bool


_ID = Column("id")
_COLUMNS: dict[str, tuple[Column, ...]] = {
    "institutions": (
        _ID,
        Column("name"),
        Column("kind"),
        Column("region"),
        Column("external_assets", "number", minimum=0),
        Column("external_liabilities", "number", minimum=0),
        Column("equity", "number"),
        Column("tier1_capital", "number", optional=True, blank=True, minimum=0),
        Column("loans", "number", optional=True, blank=True, minimum=0),
        Column("safe_assets", "number", optional=True, minimum=0),
        Column("origin", optional=True, blank=True),
    ),
    "exposures": (Column("layer"), Column("creditor"), Column("debtor"), Column("amount", "number", minimum=0)),
    "totals": (
        Column("layer"),
        Column("institution"),
        Column("lends", "number", minimum=0),
        Column("owes", "number", minimum=0),
    ),
    "blocks": (Column("layer"), Column("creditor"), Column("debtor_region"), Column("amount", "number", minimum=0)),
    "pools": (
        _ID,
        Column("region"),
        Column("sector"),
        Column("default_probability", "number", minimum=0, maximum=1),
        Column("loss_given_default", "number", minimum=0, maximum=1),
        Column("correlation", "number", minimum=0, maximum=0.999),
        Column("net_margin", "number", optional=True, minimum=0, maximum=1),
    ),
    "holdings": (Column("institution"), Column("pool"), Column("amount", "number", minimum=0)),
}

_KEYS = {
    "exposures": ("layer", "creditor", "debtor"),
    "totals": ("layer", "institution"),
    "blocks": ("layer", "creditor", "debtor_region"),
    "holdings": ("institution", "pool"),
}


def read_system(
    folder: Path, declared: SystemFiles, problems: list[Problem], *, where: Where = nowhere
) -> ReadSystem | None:
    """Read, check and assemble. Adds every Problem found in any table; None when institutions or pools are unreadable.

    where: place of each key of the declaration, for messages about files that are missing.
    """
    before = len(problems)
    tables: dict[str, Table] = {}
    for role, columns in _COLUMNS.items():
        if (name := getattr(declared, role)) is not None:
            table = read_table(folder / name, columns, problems, declared_at=where(role))
            if table is not None:
                tables[role] = table
    if "institutions" not in tables or (declared.pools is not None and "pools" not in tables):
        return None
    index = _index(tables["institutions"], "id", problems)
    pools = _index(tables["pools"], "id", problems) if "pools" in tables else {}
    _check_names(tables, index, pools, declared, problems)
    _check_balance(tables, index, declared, problems)
    rebuilt: dict[str, Reconstruction] = {}
    layers = _layers(tables, index, rebuilt, problems)
    holdings = _amounts(tables.get("holdings"), ("institution", "pool"), index, pools)
    system = _assemble(tables, layers, holdings, declared.unit)
    return ReadSystem(
        system,
        tuple(t.file for t in tables.values()),
        rebuilt,
        sound=len(problems) == before,
        whole=all(t.whole for t in tables.values()),
    )


def _index(table: Table, column: str, problems: list[Problem]) -> dict[str, int]:
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


def _check_names(
    tables: dict[str, Table],
    index: dict[str, int],
    pools: dict[str, int],
    declared: SystemFiles,
    problems: list[Problem],
) -> None:
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
    ):
        listed = tables.get("pools" if column == "pool" else "institutions")
        if listed is not None and not listed.whole:
            continue  # a row of that table could not be read; the name may stand there
        for row, key in enumerate(tables[role][column] if role in tables else ()):
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
    for role, columns in _KEYS.items():
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


def _amounts(table: Table | None, keys: tuple[str, str], first: dict[str, int], second: dict[str, int]) -> Floats:
    """Dense matrix of a table's amounts; rows with a name that nobody knows put NaN on the side that is known."""
    amounts = np.zeros((len(first), len(second)))
    if table is not None:
        for one, two, amount in zip(table[keys[0]], table[keys[1]], table["amount"], strict=True):
            i, j = first.get(one), second.get(two)
            if i is not None and j is not None:
                amounts[i, j] = amount
            elif i is not None:
                amounts[i, :] = np.nan
            elif j is not None:
                amounts[:, j] = np.nan
    return amounts


def _layers(
    tables: dict[str, Table], index: dict[str, int], rebuilt: dict[str, Reconstruction], problems: list[Problem]
) -> tuple[Layer, ...]:
    """Every layer of the exposures and totals tables; nothing of a table that names unknown institutions."""
    n = len(index)
    given: dict[str, csr_array] = {}
    cells: dict[str, NDArray[np.bool_]] = {}
    exposures, totals = tables.get("exposures"), tables.get("totals")
    if exposures is not None and all(name in index for key in ("creditor", "debtor") for name in exposures[key]):
        creditor, debtor = positions(exposures["creditor"], index), positions(exposures["debtor"], index)
        for layer in dict.fromkeys(exposures["layer"]):
            of = exposures["layer"] == layer
            given[layer] = csr_array((exposures["amount"][of], (creditor[of], debtor[of])), shape=(n, n))
            cells[layer] = np.zeros((n, n), dtype=bool)
            cells[layer][creditor[of], debtor[of]] = True
    if (
        totals is not None
        and totals.whole
        and len(tables["institutions"]) == n
        and all(name in index for name in totals["institution"])
    ):
        for layer in dict.fromkeys(totals["layer"]):
            known, is_known = given.get(layer, csr_array((n, n), dtype=np.float64)), cells.get(layer)
            result = rebuild(_layer_totals(layer, tables, known.toarray(), is_known, index), problems)
            if result is not None:
                rebuilt[layer] = result
                given[layer] = csr_array(result.amounts)
    return tuple(Layer(name, amounts) for name, amounts in given.items())


def _layer_totals(
    layer: str, tables: dict[str, Table], known: Floats, is_known: NDArray[np.bool_] | None, index: dict[str, int]
) -> LayerTotals:
    table, totals, blocks = tables["institutions"], tables["totals"], tables.get("blocks")
    n = len(index)
    lends, owes, line_of = np.zeros(n), np.zeros(n), np.zeros(n, dtype=np.int64)
    of = np.flatnonzero(totals["layer"] == layer)
    rows = positions(totals["institution"][of], index)
    lends[rows], owes[rows], line_of[rows] = totals["lends"][of], totals["owes"][of], of
    regions = {region: k for k, region in enumerate(dict.fromkeys(table["region"]))}
    sums, block_row = np.full((n, len(regions)), np.nan), np.zeros((n, len(regions)), dtype=np.int64)
    if blocks is not None:
        for row in np.flatnonzero(blocks["layer"] == layer):
            i, k = index.get(blocks["creditor"][row]), regions.get(blocks["debtor_region"][row])
            if i is not None and k is not None:
                sums[i, k], block_row[i, k] = blocks["amount"][row], row
    cells = np.zeros((n, n), dtype=bool) if is_known is None else is_known
    names, places = tuple(table["id"]), tuple(table["region"])
    return LayerTotals(layer, totals, names, places, lends, owes, line_of, known, cells, sums, block_row, blocks)


def _assemble(tables: dict[str, Table], layers: tuple[Layer, ...], holdings: Floats, unit: str) -> System:
    table, pools = tables["institutions"], tables.get("pools")
    n = len(table)
    classes: tuple[AssetClass, ...] = ()
    if pools is not None:
        margin = pools["net_margin"] if "net_margin" in pools else np.zeros(len(pools))
        classes = tuple(
            AssetClass(str(p), str(r), str(s), float(d), float(g), float(c), float(m))
            for p, r, s, d, g, c, m in zip(
                pools["id"],
                pools["region"],
                pools["sector"],
                pools["default_probability"],
                pools["loss_given_default"],
                pools["correlation"],
                margin,
                strict=True,
            )
        )
    missing = np.full(n, np.nan)
    return System(
        ids=tuple(table["id"]),
        names=tuple(table["name"]),
        kinds=tuple(table["kind"]),
        regions=tuple(table["region"]),
        external_assets=table["external_assets"],
        external_liabilities=table["external_liabilities"],
        layers=layers,
        asset_classes=classes,
        holdings=holdings,
        safe_assets=table["safe_assets"] if "safe_assets" in table else np.zeros(n),
        tier1_capital=table["tier1_capital"] if "tier1_capital" in table else missing,
        loans=table["loans"] if "loans" in table else missing,
        unit=unit,
    )


def _check_balance(
    tables: dict[str, Table], index: dict[str, int], declared: SystemFiles, problems: list[Problem]
) -> None:
    """Reported against implied equity, from the tables themselves; institutions that another Problem touches are NaN
    here and pass over, so that one mistake is told once."""
    table = tables["institutions"]
    unread = [role for role in ("exposures", "totals") if getattr(declared, role) is not None and role not in tables]
    if unread or any(not t.whole for t in tables.values()):
        return  # some amounts are not known, so no sum can be held against another
    claims, obligations = _reported_sides(tables, index)
    twice = [name for name in index if np.count_nonzero(table["id"] == name) > 1]
    claims[[index[name] for name in twice]] = np.nan
    rows = np.array([index[name] for name in table["id"]], dtype=np.int64)
    assets, liabilities, reported = table["external_assets"], table["external_liabilities"], table["equity"]
    implied = assets + claims[rows] - obligations[rows] - liabilities
    total = np.maximum(assets + claims[rows], 1e-300)
    for row in np.flatnonzero(np.abs(implied - reported) > declared.balance_tolerance * total):
        problems.append(
            table.problem(
                int(row),
                f"'{table['id'][row]}' with equity {reported[row]:,.6g} where assets less liabilities give {implied[row]:,.6g}",
                f"equal within {declared.balance_tolerance:g} of total assets",
                "correct equity, external assets, external liabilities or the exposures",
            )
        )
    if "holdings" in tables:
        pools = {name: k for k, name in enumerate(dict.fromkeys(tables["holdings"]["pool"]))}
        held = _amounts(tables["holdings"], ("institution", "pool"), index, pools).sum(axis=1)[rows]
        held = held + (table["safe_assets"] if "safe_assets" in table else 0.0)
        for row in np.flatnonzero(held > assets * (1 + 1e-9)):
            found = f"'{table['id'][row]}' holding {held[row]:,.6g} in pools and safe assets with external assets of {assets[row]:,.6g}"
            problems.append(
                table.problem(
                    int(row), found, "holdings within external assets", "raise external_assets or correct what is held"
                )
            )


def _reported_sides(tables: dict[str, Table], index: dict[str, int]) -> tuple[Floats, Floats]:
    """What each institution lends and owes over all layers, totals standing for the layers that have them."""
    claims, obligations = np.zeros(len(index) + 1), np.zeros(len(index) + 1)
    whole: set[str] = set()
    if "totals" in tables:
        totals = tables["totals"]
        whole = set(totals["layer"])
        rows = np.array([index.get(name, len(index)) for name in totals["institution"]], dtype=np.int64)
        np.add.at(claims, rows, totals["lends"])
        np.add.at(obligations, rows, totals["owes"])
    if "exposures" in tables:
        exposures = tables["exposures"]
        for layer, creditor, debtor, amount in zip(
            exposures["layer"], exposures["creditor"], exposures["debtor"], exposures["amount"], strict=True
        ):
            if layer not in whole:
                if (
                    creditor == debtor or creditor not in index or debtor not in index
                ):  # told already; whose it is, is open
                    claims[:] = obligations[:] = np.nan
                else:
                    claims[index[creditor]] += amount
                    obligations[index[debtor]] += amount
    return claims[:-1], obligations[:-1]
