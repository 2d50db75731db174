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
RISK_WEIGHT = {"dsib": RISK_WEIGHT_DENSITY, "local-bank": 0.70}
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
# id: (name, kind, region, total assets, equity, cash), mn CNY
OTHERS = {
    "fund-1": ("Technology fund 1", "investor", HOME, 9_000, 6_000, 5_000),
    "fund-2": ("Technology fund 2", "investor", HOME, 6_000, 4_000, 3_500),
    "insurer-1": ("Insurer 1", "insurer", HOME, 42_000, 9_000, 6_000),
    "insurer-2": ("Insurer 2", "insurer", HOME, 26_000, 5_500, 4_000),
    "reinsurer": ("Reinsurer", "reinsurer", "110000", 180_000, 36_000, 20_000),
}
LINKED_SHARE, LINKED_BANKS = 0.060, 24  # loans beside investment over tier 1, and how many local banks ask for them
PLEDGED_SHARE, PLEDGED_BANKS = 0.080, 30  # loans against intellectual property over tier 1
FLOAT = {"platform-a": 55_000, "platform-b": 30_000}  # customers' money of Zhejiang, mn CNY: 6 % of 1,400 bn nationwide
DAILY_FLOW = {
    "platform-a": 60_000,
    "platform-b": 33_000,
}  # payments to customers of Zhejiang's local banks a day; prepare_payments.py then puts those of its ledger in their place
DAILY_MARGIN = 0.00002  # what a day without the platform costs a bank, of the flow
JOINED, ZONE, LEFT = "2020-07-17", "2022-01-10", "2021-12-20"  # assumed dates of consents and of a withdrawal


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
        tier1 = round(assets * RISK_WEIGHT["local-bank"] * float(draw.uniform(*LOCAL_TIER1)))
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


def others(rows: list[dict[str, object]], draw: np.random.Generator) -> list[dict[str, object]]:
    """Investors, insurers and the reinsurer beside banks and platforms."""
    return [
        {
            "id": name,
            "name": f"{label} (synthetic)",
            "kind": kind,
            "region": region,
            "assets": assets,
            "equity": equity,
            "tier1_capital": "",
            "loans": "",
            "safe_assets": cash,
        }
        for name, (label, kind, region, assets, equity, cash) in OTHERS.items()
    ]


def beside(rows: list[dict[str, object]], count: int, share: float, draw: np.random.Generator) -> list[tuple[str, int]]:
    """Local banks that ask for a measure of the zone, drawn at random, and how much each would lend in all."""
    local = [row for row in rows if row["kind"] == "local-bank"]
    chosen = sorted(draw.choice(len(local), count, replace=False))
    wished = (int(str(local[i]["tier1_capital"])) * share * float(draw.uniform(0.5, 1.5)) for i in chosen)
    return [(str(local[i]["id"]), round(amount)) for i, amount in zip(chosen, wished, strict=True)]


def by_sector(bank_name: str, partner: str, amount: int, *rest: object) -> list[tuple[object, ...]]:
    """One bank's loans to the technology firms of Zhejiang, by sector."""
    parts = (("digital", 0.6), ("manufacturing", 0.4))
    return [(bank_name, partner, f"{sector}-{HOME}", round(amount * part), *rest) for sector, part in parts]


def programme(rows: list[dict[str, object]], draw: np.random.Generator) -> dict[str, list[tuple[object, ...]]]:
    """Loans beside investment, loans against intellectual property, and the payment service."""
    linked = beside(rows, LINKED_BANKS, LINKED_SHARE, draw)
    pledged = beside(rows, PLEDGED_BANKS, PLEDGED_SHARE, draw)
    weights = {str(row["id"]): int(str(row["assets"])) for row in rows if row["kind"] == "local-bank"}
    whole = sum(weights.values())
    service: list[tuple[object, ...]] = []
    for name, size in weights.items():
        for platform in PLATFORMS:
            flow = DAILY_FLOW[platform] * size / whole
            service.append(
                (
                    name,
                    platform,
                    round(FLOAT[platform] * size / whole, 1),
                    round(flow, 1),
                    round(flow * DAILY_MARGIN, 5),
                )
            )
    return {
        "investment_loans.csv": [
            row
            for k, (name, amount) in enumerate(linked)
            for row in by_sector(name, f"fund-{1 + (k % 3) // 2}", amount)
        ],
        "pledged_loans.csv": [
            row
            for k, (name, amount) in enumerate(pledged)
            for row in by_sector(name, f"insurer-{1 + (k % 3) // 2}", amount, "reinsurer")
        ],
        "payment_service.csv": service,
    }


def consents(rows: list[dict[str, object]], draw: np.random.Generator) -> dict[str, list[tuple[str, str, str]]]:
    """Who joined, and when. All banks and platforms joined joint lending; of the local banks that could join the zone's measures, three have
    not, and one has left."""
    everyone = [(str(row["id"]), JOINED, "") for row in rows if row["kind"] in ("dsib", "local-bank", "platform")]
    able = [str(row["id"]) for row in rows if row["kind"] not in ("dsib",)]
    local = [name for name in able if name.startswith("local")]
    out = {local[i] for i in draw.choice(len(local), 3, replace=False)}
    gone = next(name for name in local if name not in out)
    zone = [
        (name, ZONE if name != gone else "2021-03-01", LEFT if name == gone else "") for name in able if name not in out
    ]
    return {"consents_joint.csv": everyone, "consents_zone.csv": zone}


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
    loans = joint_loans(rows, draw)
    more = np.random.default_rng([SEED, 1])  # of its own, so that the tables above stay as they were
    table: list[tuple[object, ...]] = []
    for row in [*rows, *others(rows, more)]:
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
                row.get("safe_assets", 0),
                round(assets * RISK_WEIGHT[str(row["kind"])]) if row["kind"] in RISK_WEIGHT else "",
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
        "safe_assets",
        "risk_weighted_assets",
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
    write(folder / "joint_loans.csv", ("bank", "platform", "pool", "amount"), [*loans])
    heads = {
        "investment_loans.csv": ("bank", "investor", "pool", "amount"),
        "pledged_loans.csv": ("bank", "insurer", "pool", "amount", "reinsurer"),
        "payment_service.csv": ("bank", "platform", "amount", "daily_flow", "daily_margin"),
    }
    for name, entries in programme(rows, more).items():
        write(folder / name, heads[name], entries)
    for name, joined in consents([*rows, *others(rows, more)], more).items():
        write(folder / name, ("institution", "joined", "withdrawn"), [*joined])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
