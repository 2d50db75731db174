"""One tiny mistake each in a table of named scenarios: one Problem with file, line, what was found and the cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import all_told, edit, told_once
from poundlock import check

PLAN, NAMED, BANKS = "plan.yaml", "named.csv", "institutions.csv"
TABLE = """\
scenario,institution,loss,loss_share,outage_days,run
one bank,bank-1,500,,,
one region,region:B,,0.05,,
all of it,kind:platform,900,,,
all of it,bank-2,,0.01,,
"""

# fmt: off
ONE_MISTAKE = {
    # name: (file to edit, old text, new text, file of the Problem, its line or a text in that line, found, cure)
    'no such table': (PLAN, 'named: named.csv', 'named: names.csv', PLAN, 'names.csv', "names.csv'", 'correct the path'),
    'unknown institution': (NAMED, 'bank,bank-1', 'bank,bank-9', NAMED, 2, "unknown institution 'bank-9'", 'correct the name'),
    'unknown kind': (NAMED, 'kind:platform', 'kind:platfrom', NAMED, 4, "unknown institution 'kind:platfrom'", 'correct the name'),
    'unknown region': (NAMED, 'region:B', 'region:Q', NAMED, 3, "unknown institution 'region:Q'", 'correct the name'),
    'nobody': (NAMED, 'bank,bank-1', 'bank,', NAMED, 2, 'institution is empty', 'correct institution'),
    'no label': (NAMED, 'one bank,', ',', NAMED, 2, 'scenario is empty', 'correct scenario'),
    'negative loss': (NAMED, ',500,', ',-500,', NAMED, 2, 'loss = -500', 'correct loss'),
    'loss that is no number': (NAMED, ',500,', ',half,', NAMED, 2, "loss = 'half'", 'correct loss'),
    'per cent for a share': (NAMED, '0.05', '5', NAMED, 3, 'loss_share = 5', 'correct loss_share'),
    'negative share': (NAMED, '0.05', '-0.05', NAMED, 3, 'loss_share = -0.05', 'correct loss_share'),
    'more than there is': (NAMED, ',500,', ',500000,', NAMED, 2, "a loss of 500,000 where 'bank-1' has 88,260 to lose", 'unit'),
    'more than one of a kind has': (NAMED, ',900,', ',4001,', NAMED, 4, "'platform-1' has 4,000 to lose", 'unit'),
    'loss twice over': (NAMED, ',,0.01,', ',10,0.01,', NAMED, 5, "loss and loss_share of 'bank-2'", 'leave one of them empty'),
    'row that states nothing': (NAMED, ',,0.01,,', ',,,,', NAMED, 5, 'a row that states nothing', 'fill one'),
    'scenario with no loss': (NAMED, ',500,', ',0,', NAMED, 2, "scenario 'one bank' with no loss", 'state the loss'),
    'institution twice': (NAMED, 'all of it,bank-2', 'all of it,platform-1', NAMED, 5, "'platform-1' a second time in scenario 'all of it' (first in line 4)", 'add the two up'),
    'group over one of its own': (NAMED, 'all of it,bank-2', 'all of it,all', NAMED, 5, "'platform-1' a second time in scenario 'all of it' (first in line 4)", 'add the two up'),
    'unknown column': (NAMED, ',loss_share,', ',loss_shares,', NAMED, 1, "unknown column 'loss_shares'", 'correct its name'),
    'no institutions': (NAMED, 'scenario,institution', 'scenario,institutions', NAMED, 1, "no column 'institution'", "rename 'institutions'"),
    'outage without dependences': (NAMED, ',500,,,', ',500,,3,', PLAN, 'named: named.csv', 'where nobody depends on a provider', 'add system.dependences'),
    'run without runnable balances': (NAMED, ',500,,,', ',500,,,0.5', PLAN, 'named: named.csv', 'where no balance is runnable', 'add the column'),
    'run above one': (NAMED, ',500,,,', ',500,,,5', NAMED, 2, 'run = 5', 'correct run'),
    'negative outage': (NAMED, ',500,,,', ',500,,-3,', NAMED, 2, 'outage_days = -3', 'correct outage_days'),
    'source of no table': (PLAN, '  named.csv: stated', '  nmaed.csv: stated', PLAN, 'nmaed.csv', "source of 'nmaed.csv'", 'correct the file name'),
    'no name of a file': (PLAN, 'named: named.csv', 'named: 7', PLAN, 'named: 7', 'scenarios.named = 7', 'correct'),
}
# fmt: on
# a wrong header leaves two columns in question; a table that is not named is no table that a source could be of
KNOWN_COMPANY = {"no institutions", "no such table"}


@pytest.fixture
def folder(starter: Path) -> Path:
    (starter / NAMED).write_text(TABLE, encoding="utf-8")
    edit(starter / PLAN, "count: 10000", "count: 10000\n  named: named.csv")
    edit(starter / PLAN, "  panel.csv: made up", "  panel.csv: made up\n  named.csv: stated")
    return starter


def test_the_table_is_sound_before_it_is_broken(folder: Path):
    named = check(folder / PLAN).named
    assert named.labels == ("one bank", "one region", "all of it")
    assert named.losses.sum(axis=1).tolist() == [500.0, 0.05 * 68720 + 0.05 * 2450, 900.0 + 0.01 * 68720]
    assert named.outages is None
    assert named.runs is None


@pytest.mark.parametrize("name", ONE_MISTAKE)
def test_one_mistake_is_told_once_with_its_place_and_cure(name: str, folder: Path, problems):
    told_once(ONE_MISTAKE[name], folder, problems, name in KNOWN_COMPANY)


def test_mistakes_in_named_scenarios_and_elsewhere_come_in_one_go(folder: Path, problems):
    wrong = ("unknown institution", "negative share", "loss twice over", "source of no table")
    elsewhere = (
        (PLAN, "legal_basis: EU-07", "legal_basis: XX-99", PLAN, None, "unknown rule 'XX-99'", ""),
        (BANKS, ",54000", ",nan", BANKS, None, "loans = 'nan'", ""),
    )
    all_told([*(ONE_MISTAKE[name] for name in wrong), *elsewhere], folder, problems)


def test_a_table_without_a_column_of_losses_says_so_once_a_row(folder: Path, problems):
    (folder / NAMED).write_text("scenario,institution\none bank,bank-1\n", encoding="utf-8")
    (said,) = problems(folder)
    assert "a row that states nothing" in said.found
    assert said.expected == "a number in one of loss, loss_share, outage_days, run"
    assert said.line == 2
