"""Do the figures of a system's tables add up? Reported against implied equity, and holdings within external assets."""

from __future__ import annotations

import numpy as np

from poundlock.problems import Problem
from poundlock.reading import Table
from poundlock.system.balance import Floats
from poundlock.system.files import SystemFiles


def amounts_of(table: Table | None, keys: tuple[str, str], first: dict[str, int], second: dict[str, int]) -> Floats:
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


def check_balance(
    tables: dict[str, Table], index: dict[str, int], declared: SystemFiles, problems: list[Problem]
) -> None:
    """Reported against implied equity, from the tables themselves; institutions that another Problem touches are NaN
    here and pass over, so that one mistake is told once."""
    table = tables["institutions"]
    unread = [role for role in ("exposures", "totals") if getattr(declared, role) is not None and role not in tables]
    if unread or any(not t.whole for t in tables.values()):
        return  # some amounts are not known, so no sum can be held against another
    claims, obligations = _reported_sides(
        tables, index, {rule.layer for rule in declared.layers if rule.kind == "stake"}
    )
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
        held = amounts_of(tables["holdings"], ("institution", "pool"), index, pools).sum(axis=1)[rows]
        held = held + (table["safe_assets"] if "safe_assets" in table else 0.0)
        for row in np.flatnonzero(held > assets * (1 + 1e-9)):
            found = f"'{table['id'][row]}' holding {held[row]:,.6g} in pools and safe assets with external assets of {assets[row]:,.6g}"
            problems.append(
                table.problem(
                    int(row), found, "holdings within external assets", "raise external_assets or correct what is held"
                )
            )


def _reported_sides(tables: dict[str, Table], index: dict[str, int], stakes: set[str]) -> tuple[Floats, Floats]:
    """What each institution lends and owes over all layers, totals standing for the layers that have them; nobody owes a
    stake in its equity."""
    claims, obligations = np.zeros(len(index) + 1), np.zeros(len(index) + 1)
    whole: set[str] = set()
    if "totals" in tables:
        totals = tables["totals"]
        whole = set(totals["layer"])
        rows = np.array([index.get(name, len(index)) for name in totals["institution"]], dtype=np.int64)
        np.add.at(claims, rows, totals["lends"])
        np.add.at(obligations, rows, np.where([layer in stakes for layer in totals["layer"]], 0.0, totals["owes"]))
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
                    if layer not in stakes:
                        obligations[index[debtor]] += amount
    return claims[:-1], obligations[:-1]
