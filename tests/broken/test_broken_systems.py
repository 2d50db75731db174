"""One tiny bad input each in a system file and its tables: one Problem with file, line, what was found and the cure."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from conftest import EXAMPLES, all_told, edit, told_once
from poundlock import Problem, ProblemsFound, spread

SYSTEM, BANKS, LENT, PROMISES, OUTAGES, POOLS, SHOCKS = (
    "system.yaml", "institutions.csv", "exposures.csv", "guarantees.csv", "dependences.csv", "pools.csv", "scenarios.csv"
)  # fmt: skip

# fmt: off
ONE_MISTAKE = {
    # name: (file to edit, old text, new text, file of the Problem, its line or a text in that line, found, cure)
    'unknown key': (SYSTEM, 'external_rank: 1', 'extrenal_rank: 1', SYSTEM, 'extrenal_rank', "unknown key 'system.extrenal_rank'", 'rename'),
    'rule of no layer': (SYSTEM, 'layer: stakes', 'layer: stake', SYSTEM, 'layer: stake,', "a rule for layer 'stake'", 'correct the name'),
    'second rule': (SYSTEM, '{ layer: stakes, kind: stake }', '{ layer: subordinated, kind: debt }', SYSTEM, 'subordinated, kind', "a second rule for layer 'subordinated'", 'keep one'),
    'unknown valuation': (SYSTEM, 'valuation: default-only', 'valuation: default-lonely', SYSTEM, 'default-lonely', "valuation = 'default-lonely'", 'use one of these'),
    'rank with a gap': (SYSTEM, 'rank: 2', 'rank: 4', SYSTEM, 'layers:', 'seniority with gaps: ranks 1, 4, none at 2', 'correct the layers'),
    'share above one': (SYSTEM, 'alpha: 0.9', 'alpha: 9', SYSTEM, 'alpha: 9', 'contagion.alpha = 9', 'correct'),
    'unknown rule of sales': (SYSTEM, 'rule: threshold', 'rule: whenever', SYSTEM, 'whenever', "rule = 'whenever'", 'use one of these'),
    'recovery above one': (LENT, 'platform-a,46,120,0.4', 'platform-a,46,120,4', LENT, 13, 'recovery = 4', 'correct'),
    'negative maturity': (LENT, 'bank-2,180,180', 'bank-2,180,-1', LENT, 2, 'maturity_days = -1', 'correct'),
    'exposure to itself': (LENT, 'interbank,bank-1,bank-2', 'interbank,bank-2,bank-2', LENT, 2, 'lending to itself', 'remove'),
    'guarantor unknown': (PROMISES, 'insurer-1,bank-4', 'insurer-2,bank-4', PROMISES, 2, "unknown guarantor 'insurer-2'", 'correct the name'),
    'guarantee of itself': (PROMISES, 'insurer-1,bank-3,own-loss', 'bank-3,bank-3,own-loss', PROMISES, 3, 'guarantee 2: institutions', 'correct this row'),
    'cover that nobody knows': (PROMISES, 'own-loss', 'own-loses', PROMISES, 3, "covers = 'own-loses'", 'correct covers'),
    'debtor missing': (PROMISES, 'claims,platform-a', 'claims,', PROMISES, 2, "covers 'claims' with no debtor", 'name the debtor'),
    'debtor too many': (PROMISES, 'own-loss,,0.5', 'own-loss,bank-1,0.5', PROMISES, 3, "covers 'own-loss' with debtor 'bank-1'", 'leave debtor empty'),
    'share of cover above one': (PROMISES, 'own-loss,,0.5', 'own-loss,,1.5', PROMISES, 3, 'share = 1.5', 'correct'),
    'covered twice': (PROMISES, 'bank-1,leasing-1', 'insurer-1,bank-3,own-loss,,0.6,20,40\nbank-1,leasing-1', PROMISES, 3, 'promise 1.1 of one loss', 'correct this row'),
    'provider unknown': (OUTAGES, 'platform-b,clearer-1', 'platform-b,clearer-2', OUTAGES, 3, "unknown provider 'clearer-2'", 'correct the name'),
    'dependence twice': (OUTAGES, 'platform-b,clearer-1', 'platform-a,clearer-1', OUTAGES, 3, 'platform-a / clearer-1 a second time', 'add'),
    'depth of nothing': (POOLS, '26000', '0', POOLS, 2, 'market_depth = 0', 'correct'),
    'impact that nobody knows': (POOLS, '26000,exponential', '26000,cubic', POOLS, 2, "price_impact = 'cubic'", 'correct'),
    'leverage limit below one': (BANKS, ',15.0,14.0,0.015', ',0.5,14.0,0.015', BANKS, 2, 'leverage_limit = 0.5', 'correct'),
    'buffer above the limit': (BANKS, ',15.0,14.0,0.015', ',13.0,14.0,0.015', BANKS, 2, "leverage buffer of 'bank-1' is 14, above its limit", 'correct this row'),
    'more runnable than owed': (BANKS, ',64,120,300,', ',64,120,3000,', BANKS, 8, "runnable balances of 'platform-a' are 3,000", 'correct this row'),
    'stakes beyond the equity': (LENT, 'stakes,bank-1,leasing-1,27', 'stakes,bank-1,leasing-1,31', BANKS, 7, "stakes in 'leasing-1' add up to 31", 'correct this row'),
    'shock of nobody': (SHOCKS, 'platform-a,130,,0.6', 'platform-z,130,,0.6', SHOCKS, 3, "unknown institution 'platform-z'", 'correct the name'),
    'shock twice': (SHOCKS, 'all of it,clearer-1', 'all of it,platform-a', SHOCKS, 9, "'platform-a' a second time in scenario 'all of it'", 'add the two up'),
    'run above one': (SHOCKS, ',,0.6', ',,6', SHOCKS, 3, 'run = 6', 'correct'),
}
# fmt: on
# the balance of the bank that holds the stake hangs on the changed figure
KNOWN_COMPANY = {"exposure to itself", "stakes beyond the equity"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(EXAMPLES / "contagion", tmp_path / "contagion"))
    edit(folder / SYSTEM, "  layers:\n", "  external_rank: 1\n  layers:\n")
    return folder


def spread_problems(folder: Path) -> tuple[Problem, ...]:
    with pytest.raises(ProblemsFound) as caught:
        spread(folder / SYSTEM, scenarios=folder / SHOCKS)
    return caught.value.problems


@pytest.mark.parametrize("name", ONE_MISTAKE)
def test_one_mistake_is_told_once_with_its_place_and_cure(name: str, folder: Path):
    if name == "stakes beyond the equity":  # so that the books balance and only the stake is wrong
        edit(
            folder / BANKS,
            "bank-1,Large bank 1 (made up),bank,330000,5200",
            "bank-1,Large bank 1 (made up),bank,330000,5196",
        )
    told_once(ONE_MISTAKE[name], folder, spread_problems, name in KNOWN_COMPANY)


def test_many_mistakes_come_in_one_go(folder: Path):
    wrong = (
        "rule of no layer",
        "recovery above one",
        "guarantor unknown",
        "provider unknown",
        "depth of nothing",
        "shock of nobody",
    )
    all_told([ONE_MISTAKE[name] for name in wrong], folder, spread_problems)


def test_a_file_that_is_no_system_says_so(tmp_path: Path):
    (tmp_path / "x.yaml").write_text("format: 1\ntitle: nothing\n", encoding="utf-8")
    with pytest.raises(ProblemsFound, match="no key 'system'"):
        spread(tmp_path / "x.yaml")


def test_markets_without_a_depth_are_told_before_the_run(folder: Path):
    edit(
        folder / SYSTEM,
        "  pools: pools.csv # three classes of securities, each with a market depth\n  holdings: holdings.csv\n",
        "",
    )
    with pytest.raises(ProblemsFound, match="fire sales need asset classes with a market depth"):
        spread(folder / SYSTEM)
