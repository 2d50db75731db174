"""Turn the European Banking Authority's tables of 2015 into system tables. Run as `python prepare.py [FOLDER]`.

Reported: total assets, CET1 capital, exposure to institutions, and its split by country of the counterparty (named
countries only). Not reported: who inside a country, and anything on the liabilities side. Assumed here:
1. A bank owes other institutions as much as it lends to them (interbank book in balance).
2. Exposure to the banking sector of a country that has banks in the sample is exposure to those banks, in proportion to
   what they owe by assumption 1 and as far as they can owe it; this overstates the links inside the sample.
3. All other exposure (no named country, countries without a bank in the sample, more than 2 can place) is exposure to one
   institution REST, and what banks owe beyond 2 they owe to REST.
4. REST has the sample's mean ratio of equity to assets and the sample's mean ratio of interbank lending to assets.

The named scenarios carry the adverse path of the 2021 EU-wide stress test over to 2015. A bank's loss is the share of its CET1 of the
end of 2020 that is gone by the end of 2023, adverse, times its CET1 of 2015. One date for all, so that the losses belong to one path; a
rise (one bank) counts as no loss. Banks are matched by LEI, 31 of 51; the 2021 table writes two French groups as FR and the first 18
characters of theirs, which makes 33. The other 18 (changed identifiers, mergers, British banks) lose nothing in the first scenario, and in the
second the share that the fifty banks of 2021 lose together. REST loses nothing at first in either.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

REST, REST_REGION = "REST", "ZZ"


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def placed(
    banks: list[dict[str, str]], by_country: dict[tuple[str, str], float]
) -> tuple[dict[tuple[str, str], float], dict[str, float]]:
    """Amount of each (bank, country) that goes to sample banks, and what each sample bank owes to sample banks."""
    size = {b["lei"]: float(b["exposure_institutions_mn_eur"]) for b in banks}
    home = {b["lei"]: b["home_country"] for b in banks}
    to_sample: dict[tuple[str, str], float] = {}
    owed = dict.fromkeys(size, 0.0)
    for country in sorted(set(home.values())):
        inside = [lei for lei in size if home[lei] == country]
        asked = {lei: by_country.get((lei, country), 0.0) for lei in size}
        if len(inside) == 1:
            asked[inside[0]] = 0.0  # nobody else of this country in the sample to lend to
        spread = {
            lei: {j: size[j] / sum(size[k] for k in inside if k != lei) for j in inside if j != lei} for lei in size
        }
        wanted = {j: sum(asked[lei] * spread[lei].get(j, 0.0) for lei in size) for j in inside}
        share = min([1.0, *(size[j] / wanted[j] for j in inside if wanted[j] > 0)])
        for lei, amount in asked.items():
            if amount > 0:
                to_sample[lei, country] = round(share * amount, 3)
        for j in inside:
            owed[j] = round(share * wanted[j], 3)
        largest = max(inside, key=lambda j: owed[j])  # takes what rounding leaves, so that both sides agree exactly
        owed[largest] = round(
            owed[largest] + sum(to_sample.get((lei, country), 0.0) for lei in size) - sum(owed[j] for j in inside), 3
        )
    return to_sample, owed


def shares_lost(rows: list[dict[str, str]]) -> tuple[dict[str, float], float]:
    """Share of CET1 at the end of 2020 that is gone by the end of 2023, adverse: of each bank, and of all together."""
    capital = {(r["lei"], r["scenario"], r["year_end"]): float(r["cet1_capital_mn_eur"]) for r in rows}
    first = {lei: amount for (lei, scenario, _), amount in capital.items() if scenario == "actual"}
    last = {lei: capital[lei, "adverse", "2023"] for lei in first}
    together = 1.0 - sum(last.values()) / sum(first.values())
    return {lei: max(0.0, 1.0 - last[lei] / first[lei]) for lei in first}, together


def named(banks: list[dict[str, str]], rows: list[dict[str, str]]) -> list[tuple[object, ...]]:
    """Scenario, bank and loss; the labels say how many banks are matched."""
    lost, mean = shares_lost(rows)
    of = {b["lei"]: lost.get(b["lei"], lost.get("FR" + b["lei"][:18])) for b in banks}
    matched = sum(share is not None for share in of.values())
    alone = f"EBA 2021 adverse scaled to 2015: {matched} of {len(banks)} banks"
    filled = f"EBA 2021 adverse scaled to 2015: {len(banks) - matched} others at the mean"
    losses = [
        (label, b["lei"], round(share * float(b["cet1_capital_mn_eur"]), 3))
        for label, default in ((alone, 0.0), (filled, mean))
        for b in banks
        if (share := default if of[b["lei"]] is None else of[b["lei"]])
    ]
    return [(label, lei, f"{loss:.3f}") for label, lei, loss in losses]


def main(folder: Path) -> None:
    source = Path(__file__).parent
    banks = read(source / "eba_banks_2015.csv")
    exposures = read(source / "eba_institution_exposures_2015.csv")
    by_country = {(r["lei"], r["counterparty_country"]): float(r["exposure_to_institutions_mn_eur"]) for r in exposures}
    to_sample, owed = placed(banks, by_country)
    size = {b["lei"]: float(b["exposure_institutions_mn_eur"]) for b in banks}
    to_rest = {lei: round(size[lei] - sum(v for (i, _), v in to_sample.items() if i == lei), 3) for lei in size}
    from_rest = {lei: round(max(0.0, size[lei] - owed[lei]), 3) for lei in size}
    lends = {lei: round(sum(v for (i, _), v in to_sample.items() if i == lei) + to_rest[lei], 3) for lei in size}
    owes = {lei: round(owed[lei] + from_rest[lei], 3) for lei in size}
    lends[REST], owes[REST] = round(sum(from_rest.values()), 3), round(sum(to_rest.values()), 3)
    write_tables(folder, banks, lends, owes, to_sample, to_rest, from_rest)
    stress = read(source / "eba_stress_test_2021.csv")
    write(folder / "named.csv", ("scenario", "institution", "loss"), named(banks, stress))


def write_tables(
    folder: Path,
    banks: list[dict[str, str]],
    lends: dict[str, float],
    owes: dict[str, float],
    to_sample: dict[tuple[str, str], float],
    to_rest: dict[str, float],
    from_rest: dict[str, float],
) -> None:
    rows: list[tuple[object, ...]] = []
    assets = {b["lei"]: float(b["total_assets_mn_eur"]) for b in banks}
    capital = {b["lei"]: float(b["cet1_capital_mn_eur"]) for b in banks}
    for b in banks:
        lei = b["lei"]
        rows.append(
            (
                lei,
                b["bank"].replace("\x96", "–"),  # a dash of another alphabet in the source
                "bank",
                b["home_country"],
                round(assets[lei] - lends[lei], 3),
                round(assets[lei] - capital[lei] - owes[lei], 3),
                capital[lei],
                "reported",
            )
        )
    sample = float(np.sum(list(assets.values())))
    rest_assets = lends[REST] * sample / sum(lends[lei] for lei in assets)
    rest_assets = max(rest_assets, owes[REST] * sample / sum(owes[lei] for lei in assets))
    rest_capital = round(rest_assets * sum(capital.values()) / sample, 3)
    outside = (round(rest_assets - lends[REST], 3), round(rest_assets - rest_capital - owes[REST], 3))
    rows.append((REST, "Rest of the world's banks (assumed)", "rest", REST_REGION, *outside, rest_capital, "assumed"))
    write(
        folder / "institutions.csv",
        ("id", "name", "kind", "region", "external_assets", "external_liabilities", "equity", "origin"),
        rows,
    )
    write(
        folder / "totals.csv",
        ("layer", "institution", "lends", "owes"),
        [("interbank", i, f"{lends[i]:.3f}", f"{owes[i]:.3f}") for i in lends],
    )
    blocks = [("interbank", lei, country, f"{amount:.3f}") for (lei, country), amount in to_sample.items()]
    # every block of a bank is known, so what it does not lend to a country is known to be nothing
    countries = sorted({b["home_country"] for b in banks})
    blocks += [("interbank", b["lei"], c, "0.000") for b in banks for c in countries if (b["lei"], c) not in to_sample]
    write(folder / "blocks.csv", ("layer", "creditor", "debtor_region", "amount"), sorted(blocks))
    known = [("interbank", lei, REST, f"{amount:.3f}") for lei, amount in to_rest.items()]
    known += [("interbank", REST, lei, f"{amount:.3f}") for lei, amount in from_rest.items()]
    write(folder / "exposures.csv", ("layer", "creditor", "debtor", "amount"), known)


def write(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
