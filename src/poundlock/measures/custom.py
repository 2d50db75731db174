"""A measure of any other kind: exposures, holdings, buffers, dependences and drivers given as tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import model_validator
from scipy.sparse import coo_array, csr_array

from poundlock.measures.books import Books, class_numbers, opened_with
from poundlock.measures.consents import read_consents
from poundlock.measures.deals import LIFE, Deals, Reading, Whole, by_institution, left_of, lives, numbers
from poundlock.measures.measure import Line, Measure, Share, Terms
from poundlock.measures.premium import pool_loss
from poundlock.problems import Problem, Where
from poundlock.reading import Column, Table, read_table
from poundlock.rules import Fact
from poundlock.system.balance import AssetClass, Floats, System

TABLES: dict[str, tuple[Column, ...]] = {
    "exposures": (Column("layer"), Column("creditor"), Column("debtor"), Column("amount", "number", minimum=0), LIFE),
    "holdings": (Column("institution"), Column("pool"), Column("amount", "number", minimum=0), LIFE),
    "buffers": (Column("institution"), Column("amount", "number", minimum=0), LIFE),
    "dependences": (
        Column("dependent"),
        Column("provider"),
        Column("amount", "number", minimum=0),
        Column("daily_flow", "number", optional=True, blank=True, minimum=0),
    ),
}
ROLES = {
    "exposures": ("creditor", "debtor"),
    "holdings": ("institution", None),
    "buffers": ("institution", None),
    "dependences": ("dependent", "provider"),
}
DRIVERS = (
    Column("id"),
    Column("region"),
    Column("sector"),
    Column("default_probability", "number", minimum=0, maximum=1),
    Column("loss_given_default", "number", minimum=0, maximum=1),
    Column("correlation", "number", minimum=0, maximum=0.999),
    Column("net_margin", "number", optional=True, minimum=0, maximum=1),
)


class CustomTerms(Terms):
    """One setting of a custom measure."""

    size: Share = 1.0
    """Part of what the tables say that is done."""


class Custom(Measure):
    """Exposures, holdings, buffers, dependences and drivers as tables."""

    kind: Literal["custom"]
    exposures: str | None = None
    """CSV: layer, creditor, debtor, amount [, average_life_days]. New claims; the creditor pays with new money from outside, the debtor keeps
    it as cash."""
    holdings: str | None = None
    """CSV: institution, pool, amount [, average_life_days]. New assets, paid with new money from outside."""
    buffers: str | None = None
    """CSV: institution, amount [, average_life_days]. New equity in cash."""
    dependences: str | None = None
    """CSV: dependent, provider, amount [, daily_flow]. amount: what a day without the provider costs."""
    pools: str | None = None
    """CSV: id, region, sector, default_probability, loss_given_default, correlation [, net_margin]. Drivers: further pools of borrowers."""
    today: CustomTerms = CustomTerms()
    """The setting that the verdict is about."""
    before: CustomTerms | None = None
    """An earlier or other setting to compare with."""

    GRANTED: ClassVar[str] = "holdings and claims"

    @model_validator(mode="after")
    def _something(self) -> Any:
        if not any(getattr(self, name) for name in TABLES):
            raise ValueError(f"no table at all; expected one of {', '.join(TABLES)}; cure name a table")
        return self


def read(asked: Reading, declared: Custom, problems: list[Problem]) -> Deals | None:
    """Read all tables into one list of entries; adds every Problem, returns None if there was one."""
    before, folder, system, where = len(problems), asked.folder, asked.system, asked.where
    consents = read_consents(folder / declared.consents, system, problems, declared_at=where("consents"))
    classes, files = _drivers(folder, declared, system, problems, where)
    known = {one.id: k for k, one in enumerate((*system.asset_classes, *classes))}
    institutions = {name: i for i, name in enumerate(system.ids)}
    parts: list[dict[str, Any]] = []
    for name, columns in TABLES.items():
        if (file := getattr(declared, name)) is not None:
            table = read_table(folder / file, columns, problems, declared_at=where(name))
            if table is not None:
                files.append(table.file)
                parts.append(_entries(name, table, institutions, known, declared, problems))
    if consents is None or len(problems) > before:
        return None
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    roles = {key: joined.pop(key) for key in ("first", "second")}
    wished, life, pool = joined.pop("amount"), joined.pop("life"), joined.pop("pool")
    joined["classes"] = np.array([*classes, None], dtype=object)[:-1]
    standing = consents.standing(asked.at.on)
    deals = Deals(roles, pool, wished, np.ones(len(wished)), life, standing, (*files, consents.file), joined)
    return deals.scaled(left_of(declared, deals, consents, opened(declared, deals, system), asked.at))


def _drivers(
    folder: Path, declared: Custom, system: System, problems: list[Problem], where: Where
) -> tuple[tuple[AssetClass, ...], list[Any]]:
    """Further pools, and the file that they were read from."""
    if declared.pools is None:
        return (), []
    table = read_table(folder / declared.pools, DRIVERS, problems, declared_at=where("pools"))
    if table is None:
        return (), []
    there, classes = {one.id for one in system.asset_classes}, []
    for row in range(len(table)):
        if table["id"][row] in there:
            said = f"pool '{table['id'][row]}' a second time"
            problems.append(table.problem(row, said, "a new name", "rename it"))
        there.add(table["id"][row])
        name, region, sector = (str(table[key][row]) for key in ("id", "region", "sector"))
        probability, given, correlation = (float(table[c.name][row]) for c in DRIVERS[3:6])
        margin = float(table["net_margin"][row]) if "net_margin" in table else 0.0
        classes.append(AssetClass(name, region, sector, probability, given, correlation, margin))
    return tuple(classes), [table.file]


def _entries(
    name: str,
    table: Table,
    institutions: dict[str, int],
    pools: dict[str, int],
    declared: Custom,
    problems: list[Problem],
) -> dict[str, Any]:
    """The rows of one table in the form of all."""
    first, second = ROLES[name]
    count = len(table)
    none = np.full(count, -1, dtype=np.int64)
    found = {
        "first": numbers(table, str(first), institutions, problems),
        "second": numbers(table, second, institutions, problems) if second else none,
        "pool": numbers(table, "pool", pools, problems) if "pool" in table else none,
        "pool_id": table["pool"] if "pool" in table else np.full(count, "", dtype=object),
    }
    for row in np.flatnonzero((found["first"] == found["second"]) & (found["first"] >= 0)):
        said = f"'{table[str(first)][row]}' on itself"
        problems.append(table.problem(int(row), said, "two institutions", "correct one of the two"))
    return {
        **found,
        "amount": table["amount"],
        "life": lives(table, declared.average_life_days),
        "table": np.full(count, name, dtype=object),
        "layer": table["layer"] if "layer" in table else np.full(count, "", dtype=object),
        "flow": np.nan_to_num(table["daily_flow"]) if "daily_flow" in table else np.zeros(count),
    }


def opened(declared: Custom, deals: Deals, system: System) -> System:
    """The measure's own pools become asset classes."""
    return opened_with(system, tuple(deals["classes"]))


def _pools(deals: Deals, rows: Whole, system: System) -> Whole:
    """Number of the asset class of each holding, in a system that other measures may have opened classes in too."""
    number = class_numbers(system)
    return np.array([number[name] for name in deals["pool_id"][rows]], dtype=np.int64)


def unlimited(terms: CustomTerms) -> CustomTerms:
    """There is no cap to lift."""
    return terms


def granted(declared: Custom, terms: CustomTerms, deals: Deals, system: System) -> Floats:
    """Holdings and exposures that there are; buffers and dependences count nothing. Shape as deals.amount."""
    counted = np.isin(deals["table"], ("exposures", "holdings"))
    return np.asarray(np.where(counted, terms.size * deals.amount, 0.0))


def apply(declared: Custom, terms: CustomTerms, deals: Deals, system: System) -> System:
    """The system with all of it on its books. Equity changes by buffers alone."""
    n, size = len(system), terms.size * deals.amount
    table, first, second = deals["table"], deals["first"], deals["second"]
    books = Books(system)
    of = {name: table == name for name in TABLES}
    rows = of["holdings"]
    books.hold(first[rows], _pools(deals, rows, system), size[rows])
    books.owed += by_institution(first[rows], size[rows], n)
    books.safe += by_institution(first[of["buffers"]], size[of["buffers"]], n)
    for layer in dict.fromkeys(deals["layer"][of["exposures"]]):
        rows = of["exposures"] & (deals["layer"] == layer)
        books.lend(layer, first[rows], second[rows], size[rows])
        books.owed += by_institution(first[rows], size[rows], n)
        books.safe += by_institution(second[rows], size[rows], n)
    rows = of["dependences"]
    if rows.any() and (terms.size * deals.left)[rows].any():
        pairs = (first[rows], second[rows])
        share = terms.size * deals.left
        books.margin = csr_array(coo_array((size[rows], pairs), shape=(n, n)))
        books.flow = csr_array(coo_array(((share * deals["flow"])[rows], pairs), shape=(n, n)))
    return books.written()


def value(declared: Custom, terms: CustomTerms, deals: Deals, system: System) -> tuple[Line, ...]:
    """Margin and expected loss of the holdings; what claims earn is not in the tables."""
    rows = deals["table"] == "holdings"
    pools = [system.asset_classes[k] for k in _pools(deals, rows, system)]
    size = terms.size * deals.amount[rows]
    margin, loss = np.array([p.net_margin for p in pools]), np.array([pool_loss(p) for p in pools])
    return (
        Line("institutions", "margin on holdings", float(margin @ size) if pools else 0.0),
        Line("institutions", "expected loss on holdings", -float(loss @ size) if pools else 0.0, loss=True),
    )


def facts(declared: Custom, terms: CustomTerms, deals: Deals, system: System) -> Iterator[Fact]:
    """What claims and holdings are limited by stands in the system's own figures."""
    return iter(())
