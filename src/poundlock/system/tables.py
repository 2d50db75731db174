"""System tables in, a System out: names resolved, identities checked, layers rebuilt from totals where asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from poundlock.problems import Problem, Where, nowhere
from poundlock.reading import InputFile, Table, read_table
from poundlock.system.balance import AssetClass, Floats, Layer, System
from poundlock.system.contracts import dependences_of, guarantees_of
from poundlock.system.files import COLUMNS, SystemFiles
from poundlock.system.names import check_names, index_of
from poundlock.system.rebuild import LayerTotals, positions, rebuild
from poundlock.system.reconstruct import Reconstruction
from poundlock.system.soundness import Mistake, mistakes
from poundlock.system.sums import amounts_of, check_balance

REPORTED = ("runnable", "leverage_limit", "leverage_buffer", "volatility", "risk_weighted_assets")
"""Columns of the institutions that a System has only where they are reported."""


@dataclass(frozen=True)
class ReadSystem:
    """A System with what is known about its making. inputs: the files read. rebuilt: layer name to Reconstruction;
    totals: what is known of each of these layers. sound: no Problem was found; else only names, kinds and regions can be relied on, for checks that go on.
    whole: no row of any table was unreadable; else names may be missing too."""

    system: System
    inputs: tuple[InputFile, ...]
    rebuilt: dict[str, Reconstruction] = field(repr=False)
    totals: dict[str, LayerTotals] = field(repr=False)
    sound: bool
    whole: bool


def read_system(
    folder: Path, declared: SystemFiles, problems: list[Problem], *, where: Where = nowhere
) -> ReadSystem | None:
    """Read, check and assemble. Adds every Problem found in any table; None when institutions or pools are unreadable.

    where: place of each key of the declaration, for messages about files that are missing.
    """
    before = len(problems)
    tables: dict[str, Table] = {}
    for role, columns in COLUMNS.items():
        if (name := getattr(declared, role)) is not None:
            table = read_table(folder / name, columns, problems, declared_at=where(role))
            if table is not None:
                tables[role] = table
    if "institutions" not in tables or (declared.pools is not None and "pools" not in tables):
        return None
    index = index_of(tables["institutions"], "id", problems)
    pools = index_of(tables["pools"], "id", problems) if "pools" in tables else {}
    check_names(tables, index, pools, declared, problems)
    told = len(problems)
    rules = _layer_rules(declared, tables, where, problems)
    if len(problems) == told:  # else it is open which layers anybody owes
        check_balance(tables, index, declared, problems)
    rebuilt, totals = dict[str, Reconstruction](), dict[str, LayerTotals]()
    made = _layers(tables, index, rebuilt, totals, problems)
    layers = tuple(replace(layer, **rules.get(layer.name, {})) for layer in made)
    holdings = amounts_of(tables.get("holdings"), ("institution", "pool"), index, pools)
    system = _assemble(tables, layers, holdings, declared, index, problems)
    if len(problems) == before:
        problems.extend(_told(mistake, tables, declared, where) for mistake in mistakes(system))
    return ReadSystem(
        system,
        tuple(t.file for t in tables.values()),
        rebuilt,
        totals,
        sound=len(problems) == before,
        whole=all(t.whole for t in tables.values()),
    )


def _layers(
    tables: dict[str, Table],
    index: dict[str, int],
    rebuilt: dict[str, Reconstruction],
    known_of: dict[str, LayerTotals],
    problems: list[Problem],
) -> tuple[Layer, ...]:
    """Every layer of the exposures and totals tables; nothing of a table that names unknown institutions."""
    n = len(index)
    given: dict[str, csr_array] = {}
    details: dict[str, dict[str, csr_array]] = {}
    cells: dict[str, NDArray[np.bool_]] = {}
    exposures, totals = tables.get("exposures"), tables.get("totals")
    if exposures is not None and all(name in index for key in ("creditor", "debtor") for name in exposures[key]):
        creditor, debtor = positions(exposures["creditor"], index), positions(exposures["debtor"], index)
        for layer in dict.fromkeys(exposures["layer"]):
            of = exposures["layer"] == layer
            pairs = (creditor[of], debtor[of])
            given[layer] = csr_array((exposures["amount"][of], pairs), shape=(n, n))
            details[layer] = {
                name: csr_array((exposures[name][of], pairs), shape=(n, n))
                for name in ("maturity_days", "recovery")
                if name in exposures
            }
            if totals is not None and layer in totals["layer"]:
                cells[layer] = np.zeros((n, n), dtype=bool)
                cells[layer][pairs] = True
    if (
        totals is not None
        and totals.whole
        and len(tables["institutions"]) == n
        and all(name in index for name in totals["institution"])
    ):
        for layer in dict.fromkeys(totals["layer"]):
            known, is_known = given.get(layer, csr_array((n, n), dtype=np.float64)), cells.get(layer)
            known_of[layer] = _layer_totals(layer, tables, known.toarray(), is_known, index)
            result = rebuild(known_of[layer], problems)
            if result is not None:
                rebuilt[layer] = result
                given[layer] = csr_array(result.amounts)
    return tuple(Layer(name, amounts, **details.get(name, {})) for name, amounts in given.items())


def _layer_rules(
    declared: SystemFiles, tables: dict[str, Table], where: Where, problems: list[Problem]
) -> dict[str, dict[str, Any]]:
    """What the declaration says of each layer; a Problem for a rule of no layer, and for a second rule of one."""
    named = {str(name) for role in ("exposures", "totals") if role in tables for name in tables[role]["layer"]}
    rules: dict[str, dict[str, Any]] = {}
    for number, rule in enumerate(declared.layers):
        file, line = where("layers", number, "layer")
        if rule.layer not in named:
            known, cure = ", ".join(sorted(named)) or "none", "correct the name or remove the rule"
            found, expected = f"a rule for layer '{rule.layer}'", f"a layer of the tables: {known}"
            problems.append(Problem(file, line, found, expected, cure))
        if rule.layer in rules:
            found, expected = f"a second rule for layer '{rule.layer}'", "one rule for each layer"
            problems.append(Problem(file, line, found, expected, "keep one of the two"))
        rules[rule.layer] = {"kind": rule.kind, "rank": rule.rank, "valuation": rule.valuation}
    return rules


def _told(mistake: Mistake, tables: dict[str, Table], declared: SystemFiles, where: Where) -> Problem:
    """A mistake of the whole system as a Problem at the row or the key that it is about."""
    role = {"institution": "institutions", "pool": "pools", "guarantee": "guarantees"}.get(mistake.about)
    cure = "correct this row, or what it is held against"
    if role is not None and role in tables:
        return tables[role].problem(mistake.number, mistake.found, mistake.expected, cure)
    key = ("layers",) if declared.layers else ("exposures",)
    return Problem(*where(*key), mistake.found, mistake.expected, "correct the layers and the exposures")


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


def _assemble(
    tables: dict[str, Table],
    layers: tuple[Layer, ...],
    holdings: Floats,
    declared: SystemFiles,
    index: dict[str, int],
    problems: list[Problem],
) -> System:
    table = tables["institutions"]
    n = len(table)
    missing = np.full(n, np.nan)
    reported: dict[str, Any] = {name: table[name] for name in REPORTED if name in table}
    guarantees, dependences = tables.get("guarantees"), tables.get("dependences")
    return System(
        ids=tuple(table["id"]),
        names=tuple(table["name"]),
        kinds=tuple(table["kind"]),
        regions=tuple(table["region"]),
        external_assets=table["external_assets"],
        external_liabilities=table["external_liabilities"],
        layers=layers,
        asset_classes=_asset_classes(tables["pools"]) if "pools" in tables else (),
        holdings=holdings,
        safe_assets=table["safe_assets"] if "safe_assets" in table else np.zeros(n),
        tier1_capital=table["tier1_capital"] if "tier1_capital" in table else missing,
        loans=table["loans"] if "loans" in table else missing,
        unit=declared.unit,
        external_rank=declared.external_rank,
        guarantees=() if guarantees is None else guarantees_of(guarantees, index, problems),
        dependences=None if dependences is None else dependences_of(dependences, index),
        **reported,
    )


def _asset_classes(pools: Table) -> tuple[AssetClass, ...]:
    found = []
    for k in range(len(pools)):
        depth = float(pools["market_depth"][k]) if "market_depth" in pools else np.nan
        floor = float(pools["price_floor"][k]) if "price_floor" in pools else np.nan
        found.append(
            AssetClass(
                id=str(pools["id"][k]),
                region=str(pools["region"][k]),
                sector=str(pools["sector"][k]),
                default_probability=float(pools["default_probability"][k]),
                loss_given_default=float(pools["loss_given_default"][k]),
                correlation=float(pools["correlation"][k]),
                net_margin=float(pools["net_margin"][k]) if "net_margin" in pools else 0.0,
                depth=None if np.isnan(depth) else depth,
                impact="exponential"
                if "price_impact" in pools and pools["price_impact"][k] == "exponential"
                else "linear",
                floor=0.0 if np.isnan(floor) else floor,
            )
        )
    return tuple(found)
