"""Make the synthetic banking layer of this example from stated assumptions. Same seed, same tables.

Run as `python examples/zhejiang/prepare.py [FOLDER]`. What is real: the number of domestic systemically important banks
in each group (PBC and NFRA list of 13 February 2026), the additional capital of each group (rules SB-01 to SB-04) and
the mean total assets of the banks in a group (press ranking of 2023, dollars, turned into yuan at 7.1). Everything else
is an assumption written below. No row is a real institution.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

SEED = 20220318
HOME, ELSEWHERE = "330000", ("310000", "320000", "340000", "360000")  # Zhejiang; Shanghai, Jiangsu, Anhui, Jiangxi
# group: (banks, mean total assets in bn USD, additional capital as a share of risk-weighted assets)
GROUPS = {1: (11, 592.0, 0.0025), 2: (4, 1521.5, 0.0050), 3: (2, 1729.8, 0.0075), 4: (4, 5393.7, 0.0100)}
YUAN_A_DOLLAR = 7.1
RISK_WEIGHT_DENSITY = 0.62  # risk-weighted over total assets
TIER1_MINIMUM = 0.085  # tier 1 with buffers, rule CA-04; the group's additional capital comes on top
TIER1_MARGIN = 0.020  # what banks are assumed to hold above their minimum
LOAN_SHARE = 0.57  # loans over total assets
LOCAL_BANKS, LOCAL_MEAN_ASSETS, LOCAL_SPREAD = 60, 95_000.0, 0.9  # mn CNY, sigma of the logarithm
LOCAL_TIER1 = (0.095, 0.130)  # range of tier 1 over risk-weighted assets
PLATFORMS = {"platform-a": ("Platform A", 62_000.0), "platform-b": ("Platform B", 30_000.0)}  # equity, mn CNY
PLATFORM_LEVERAGE = 4.0  # total assets over equity
PLATFORM_BANK_DEBT = 0.45  # part of platform debt owed to large banks
INTERBANK_SHARE = {"dsib": 0.06, "local-bank": 0.09}  # interbank lending over total assets
SECTORS = {
    "digital": (0.045, 0.60, 0.18, 0.035),
    "manufacturing": (0.030, 0.50, 0.15, 0.022),
}  # PD, LGD, correlation, margin
APPETITE_LOCAL, APPETITE_DSIB = (0.20, 4.00), (0.01, 0.12)  # wished-for joint loans over tier 1, log-uniform range
HOME_SHARE = 0.45  # part of a local bank's joint loans that stays in Zhejiang


def institutions(draw: np.random.Generator) -> list[dict[str, object]]:
    """Banks and platforms with balance sheets that add up, before interbank positions are split by counterparty."""
    rows: list[dict[str, object]] = []
    for group, (count, size, additional) in GROUPS.items():
        for k in range(1, count + 1):
            assets = round(size * 1_000 * YUAN_A_DOLLAR * float(draw.uniform(0.85, 1.15)))
            tier1 = round(assets * RISK_WEIGHT_DENSITY * (TIER1_MINIMUM + additional + TIER1_MARGIN))
            rows.append(
                bank(f"dsib-{group}-{k:02d}", f"Large bank {group}.{k} (synthetic)", "dsib", "100000", assets, tier1)
            )
    for k in range(1, LOCAL_BANKS + 1):
        assets = round(LOCAL_MEAN_ASSETS * float(draw.lognormal(-0.5 * LOCAL_SPREAD**2, LOCAL_SPREAD)))
        tier1 = round(assets * 0.70 * float(draw.uniform(*LOCAL_TIER1)))
        rows.append(bank(f"local-{k:02d}", f"Zhejiang local bank {k} (synthetic)", "local-bank", HOME, assets, tier1))
    for name, (label, equity) in PLATFORMS.items():
        assets = round(equity * PLATFORM_LEVERAGE)
        rows.append(
            {
                "id": name,
                "name": f"{label} (synthetic)",
                "kind": "platform",
                "region": HOME,
                "assets": assets,
                "equity": round(equity),
                "tier1_capital": "",
                "loans": "",
            }
        )
    return rows


def bank(name: str, label: str, kind: str, region: str, assets: int, tier1: int) -> dict[str, object]:
    return {
        "id": name,
        "name": label,
        "kind": kind,
        "region": region,
        "assets": assets,
        "equity": tier1,
        "tier1_capital": tier1,
        "loans": round(LOAN_SHARE * assets),
    }


def interbank_totals(rows: list[dict[str, object]], draw: np.random.Generator) -> list[tuple[str, str, int, int]]:
    """Lending by share of assets; borrowing by assets times a random weight, scaled to the same sum and rounded."""
    banks = [row for row in rows if row["kind"] != "platform"]
    lends = np.array(
        [round(INTERBANK_SHARE[str(r["kind"])] * int(str(r["assets"])) * float(draw.uniform(0.7, 1.3))) for r in banks]
    )
    weight = np.array([int(str(r["assets"])) * float(draw.uniform(0.6, 1.4)) for r in banks])
    owes = np.floor(weight / weight.sum() * lends.sum()).astype(int)
    owes[int(np.argmax(owes))] += lends.sum() - owes.sum()
    return [("interbank", str(row["id"]), int(a), int(b)) for row, a, b in zip(banks, lends, owes, strict=True)]


def platform_funding(rows: list[dict[str, object]], draw: np.random.Generator) -> list[tuple[str, str, str, int]]:
    """What large banks lend to platforms today, spread over seven of them each."""
    large = [str(r["id"]) for r in rows if r["kind"] == "dsib"]
    exposures = []
    for row in rows:
        if row["kind"] == "platform":
            debt = (int(str(row["assets"])) - int(str(row["equity"]))) * PLATFORM_BANK_DEBT
            lenders = sorted(draw.choice(large, 7, replace=False))
            shares = draw.dirichlet(np.full(len(lenders), 4.0))
            exposures += [
                ("platform funding", lender, str(row["id"]), round(debt * float(share)))
                for lender, share in zip(lenders, shares, strict=True)
            ]
    return exposures


def pools() -> list[tuple[str, str, str, float, float, float, float]]:
    """Borrowers: technology firms by region and sector."""
    return [
        (f"{sector}-{region}", region, sector, *SECTORS[sector]) for region in (HOME, *ELSEWHERE) for sector in SECTORS
    ]


def joint_loans(rows: list[dict[str, object]], draw: np.random.Generator) -> list[tuple[str, str, str, int]]:
    """What borrowers ask for and both sides would make, before any limit: bank, platform, pool, size of the loans."""
    loans = []
    for row in rows:
        if row["kind"] == "platform":
            continue
        low, high = APPETITE_LOCAL if row["kind"] == "local-bank" else APPETITE_DSIB
        wished = int(str(row["tier1_capital"])) * float(np.exp(draw.uniform(np.log(low), np.log(high))))
        first = float(draw.beta(3.0, 1.5))
        for name, part in (("platform-a", first), ("platform-b", 1.0 - first)):
            for region in (HOME, *ELSEWHERE):
                here = HOME_SHARE if region == HOME else (1.0 - HOME_SHARE) / len(ELSEWHERE)
                for sector, of in (("digital", 0.6), ("manufacturing", 0.4)):
                    if amount := round(wished * part * here * of):
                        loans.append((str(row["id"]), name, f"{sector}-{region}", amount))
    return loans


def write(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main(folder: Path) -> None:
    draw = np.random.default_rng(SEED)
    rows = institutions(draw)
    totals, funding = interbank_totals(rows, draw), platform_funding(rows, draw)
    lent = {name: amount for _, name, amount, _ in totals}
    owed = {name: amount for _, name, _, amount in totals}
    for _, lender, borrower, amount in funding:
        lent[lender] = lent.get(lender, 0) + amount
        owed[borrower] = owed.get(borrower, 0) + amount
    table: list[tuple[object, ...]] = []
    for row in rows:
        name, assets, equity = str(row["id"]), int(str(row["assets"])), int(str(row["equity"]))
        external = assets - lent.get(name, 0)
        outside = assets - equity - owed.get(name, 0)
        table.append(
            (
                name,
                row["name"],
                row["kind"],
                row["region"],
                external,
                outside,
                equity,
                row["tier1_capital"],
                row["loans"],
                "synthetic",
            )
        )
    header = (
        "id",
        "name",
        "kind",
        "region",
        "external_assets",
        "external_liabilities",
        "equity",
        "tier1_capital",
        "loans",
        "origin",
    )
    write(folder / "institutions.csv", header, table)
    write(folder / "interbank_totals.csv", ("layer", "institution", "lends", "owes"), [*totals])
    write(folder / "exposures.csv", ("layer", "creditor", "debtor", "amount"), [*funding])
    write(
        folder / "pools.csv",
        ("id", "region", "sector", "default_probability", "loss_given_default", "correlation", "net_margin"),
        [*pools()],
    )
    write(folder / "joint_loans.csv", ("bank", "platform", "pool", "amount"), [*joint_loans(rows, draw)])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
