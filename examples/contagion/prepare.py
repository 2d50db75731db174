"""Writes the tables of this example, here or into the folder that is named. Everything is made up."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent

# id, name, kind, region, external assets, equity, cash, runnable, leverage limit, leverage buffer, volatility
INSTITUTIONS = (
    ("bank-1", "Large bank 1", "bank", "330000", 5200, 430, 260, 0, 15.0, 14.0, 0.015),
    ("bank-2", "Large bank 2", "bank", "310000", 4300, 330, 200, 0, 15.0, 14.2, 0.015),
    ("bank-3", "Regional bank 3", "bank", "330000", 1250, 96, 60, 0, 15.0, 14.0, 0.02),
    ("bank-4", "Regional bank 4", "bank", "330000", 980, 70, 45, 0, 15.6, 15.0, 0.02),
    ("bank-5", "Regional bank 5", "bank", "310000", 860, 58, 40, 0, 16.5, 15.5, 0.02),
    ("leasing-1", "Leasing company of bank 1", "subsidiary", "330000", 240, 30, 8, 0, "", "", 0.05),
    ("platform-a", "Platform A", "platform", "330000", 520, 64, 120, 300, "", "", 0.08),
    ("platform-b", "Platform B", "platform", "440000", 300, 38, 70, 170, "", "", 0.08),
    ("insurer-1", "Insurer 1", "insurer", "310000", 410, 75, 50, 0, "", "", 0.04),
    ("clearer-1", "Payment clearer", "provider", "110000", 90, 36, 40, 0, "", "", 0.02),
)
# layer, creditor, debtor, amount, maturity in days, recovery where it is known
EXPOSURES = (
    ("interbank", "bank-1", "bank-2", 180, 180, ""),
    ("interbank", "bank-1", "bank-3", 60, 180, ""),
    ("interbank", "bank-2", "bank-1", 120, 180, ""),
    ("interbank", "bank-2", "bank-4", 75, 180, ""),
    ("interbank", "bank-3", "bank-5", 38, 90, ""),
    ("interbank", "bank-4", "bank-3", 30, 90, ""),
    ("interbank", "bank-5", "bank-4", 42, 90, ""),
    ("short-term", "bank-3", "bank-4", 35, 7, ""),
    ("short-term", "bank-4", "bank-5", 26, 7, ""),
    ("short-term", "bank-5", "bank-2", 40, 1, ""),
    ("short-term", "bank-2", "platform-b", 32, 7, ""),
    ("platform funding", "bank-1", "platform-a", 46, 120, 0.4),
    ("platform funding", "bank-4", "platform-a", 24, 120, 0.4),
    ("platform funding", "bank-5", "platform-b", 18, 120, 0.4),
    ("subordinated", "insurer-1", "bank-2", 34, 1800, ""),
    ("subordinated", "insurer-1", "bank-4", 12, 1800, ""),
    ("subordinated", "bank-1", "leasing-1", 20, 720, ""),
    ("stakes", "bank-1", "leasing-1", 27, "", ""),
    ("stakes", "insurer-1", "bank-5", 9, "", ""),
)
STAKES = {"stakes"}
# guarantor, beneficiary, covers, debtor, share, deductible, limit
GUARANTEES = (
    ("insurer-1", "bank-4", "claims", "platform-a", 0.8, 2, 30),
    ("insurer-1", "bank-3", "own-loss", "", 0.5, 20, 40),
    ("bank-1", "leasing-1", "shortfall", "", 1.0, 0, 25),
)
# dependent, provider, margin lost a day, payments through it a day
DEPENDENCES = (
    ("platform-a", "clearer-1", 1.6, 9),
    ("platform-b", "clearer-1", 0.9, 5),
    ("bank-3", "clearer-1", 0.2, 2),
    ("bank-4", "platform-a", 0.3, 0),
)
# pool, market depth
POOLS = (("government bonds", 26000), ("corporate bonds", 4200), ("equities", 2600))
HOLDINGS = {
    "bank-1": (620, 240, 60),
    "bank-2": (480, 260, 90),
    "bank-3": (120, 110, 20),
    "bank-4": (80, 105, 22),
    "bank-5": (60, 96, 26),
    "insurer-1": (110, 120, 70),
    "platform-a": (60, 40, 20),
}
SCENARIOS = (
    ("platform A loses a quarter of its assets", "platform-a", 130, "", ""),
    ("platform A loses a quarter and customers run", "platform-a", 130, "", 0.6),
    ("clearer out for five days", "clearer-1", 0, 5, ""),
    ("regional banks lose about half of their equity", "bank-3", 40, "", ""),
    ("regional banks lose about half of their equity", "bank-4", 38, "", ""),
    ("regional banks lose about half of their equity", "bank-5", 30, "", ""),
    ("all of it", "platform-a", 130, "", 0.6),
    ("all of it", "clearer-1", 20, 5, ""),
    ("all of it", "bank-3", 40, "", ""),
    ("all of it", "bank-4", 38, "", ""),
    ("all of it", "bank-5", 30, "", ""),
)


def write(name: str, header: str, rows: object) -> None:
    with (FOLDER / name).open("w", encoding="utf-8", newline="") as stream:
        out = csv.writer(stream, lineterminator="\n")
        out.writerow(header.split(","))
        out.writerows(rows)  # type: ignore[arg-type]


def main() -> None:
    claims = {row[0]: 0.0 for row in INSTITUTIONS}
    owed = dict(claims)
    for layer, creditor, debtor, amount, _, _ in EXPOSURES:
        claims[creditor] += amount
        owed[debtor] += 0 if layer in STAKES else amount
    rows = []
    for name, title, kind, region, assets, equity, cash, runnable, limit, buffer, volatility in INSTITUTIONS:
        outside = assets + claims[name] - owed[name] - equity
        rows.append(
            (
                name,
                f"{title} (made up)",
                kind,
                region,
                assets,
                f"{outside:g}",
                equity,
                cash,
                runnable,
                limit,
                buffer,
                volatility,
            )
        )
    head = "id,name,kind,region,external_assets,external_liabilities,equity,safe_assets,runnable"
    write("institutions.csv", f"{head},leverage_limit,leverage_buffer,volatility", rows)
    write("exposures.csv", "layer,creditor,debtor,amount,maturity_days,recovery", EXPOSURES)
    write("guarantees.csv", "guarantor,beneficiary,covers,debtor,share,deductible,limit", GUARANTEES)
    write("dependences.csv", "dependent,provider,daily_margin,daily_flow", DEPENDENCES)
    pools = [(name, "156", "securities", 0, 0, 0, depth, "exponential") for name, depth in POOLS]
    head = "id,region,sector,default_probability,loss_given_default,correlation"
    write("pools.csv", f"{head},market_depth,price_impact", pools)
    held = [(who, POOLS[k][0], amount) for who, amounts in HOLDINGS.items() for k, amount in enumerate(amounts)]
    write("holdings.csv", "institution,pool,amount", held)
    write("scenarios.csv", "scenario,institution,loss,outage_days,run", SCENARIOS)


if __name__ == "__main__":
    main()
