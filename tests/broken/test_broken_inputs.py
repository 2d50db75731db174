"""One tiny bad input each: one Problem that names file and line, says what was found and expected, and how to mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import all_told, edit, told_once
from poundlock import check

PLAN, BANKS, TOTALS, PANEL = "plan.yaml", "institutions.csv", "totals.csv", "panel.csv"

# fmt: off
ONE_MISTAKE = {
    # name: (file to edit, old text, new text, file of the Problem, its line or a text in that line, found, cure)
    'unknown key': (PLAN, 'tightest: 0.0', 'tightest: 0.0\n    tigthen: 1', PLAN, 'tigthen: 1', "unknown key 'controls.0.tigthen'", "rename it to 'tightest'"),
    'unknown key in a tolerance': (PLAN, 'hard: true', 'hrad: true', PLAN, 'hrad: true', 'hrad', "rename it to 'hard'"),
    'wrong type': (PLAN, 'count: 10000', 'count: many', PLAN, 'count: many', "scenarios.count = 'many'", 'correct the value'),
    'number as text': (PLAN, 'platform_share: 0.30', 'platform_share: "0.30"', PLAN, 'platform_share: "0.30"', "platform_share = '0.30'", 'correct'),
    'per cent for a share': (PLAN, 'platform_share: 0.30', 'platform_share: 30', PLAN, 'platform_share: 30', 'platform_share = 30', 'correct'),
    'unknown kind of gate': (PLAN, 'kind: inequality', 'kind: equality', PLAN, 'kind: equality', "of kind 'equality'", "give 'kind:'"),
    'missing file': (PLAN, 'pools: pools.csv', 'pools: puddles.csv', PLAN, 'puddles.csv', "puddles.csv'", 'correct the path'),
    'tolerance without limit': (PLAN, '    at_most: 0.005\n', '', PLAN, 'statistic: failure-probability', "no key 'tolerances.1.at_most'", "add 'at_most:'"),
    'cap range upside down': (PLAN, 'loosest: 1.0', 'loosest: -1.0', PLAN, 'loosest: -1.0', 'loosest = -1.0', 'correct'),
    'cap range reversed': (PLAN, 'tightest: 0.0', 'tightest: 2.0', PLAN, 'kind: partner-cap', 'range upside down', 'exchange the two'),
    'pilot start outside the window': (PLAN, 'start: 2020', 'start: 1999', PLAN, 'start: 1999', 'start 1999', 'move the start'),
    'pilot start outside the panel': (PLAN, 'until: 2024', 'until: 2040', PLAN, 'until: 2040', 'until 2040', 'correct the window'),
    'treated region missing': (PLAN, 'treated: [A]', 'treated: [AA]', PLAN, 'treated: [AA]', "treated region 'AA'", 'correct the code'),
    'one donor only': (PLAN, 'treated: [A]', 'treated: [A]\n  not_donors: [C, D, E, F, G, H, I, J, K, L, M, N]', PLAN, 'not_donors', 'one donor only', 'add regions'),
    'gate without its tolerance': (PLAN, 'tolerance: local-tail', 'tolerance: local-tale', PLAN, 'local-tale', "'local-tale'", 'correct the id'),
    'control without its measure': (PLAN, 'measure: joint-lending\n    tightest', 'measure: lending\n    tightest', PLAN, 'measure: lending', "'lending'", 'correct the id'),
    'unknown rule': (PLAN, 'legal_basis: EU-07', 'legal_basis: XX-99', PLAN, 'XX-99', "unknown rule 'XX-99'", 'cite a rule'),
    'kind without volatility': (PLAN, ', platform: 0.08', '', PLAN, 'volatility: {', "no volatility for kind 'platform'", "add 'platform:'"),
    'scope that nobody is in': (PLAN, 'scope: { kinds: [local-bank] }', 'scope: { kinds: [shadow-bank] }', PLAN, 'shadow-bank', "'shadow-bank'", 'correct the scope'),
    'too few scenarios for the tail': (PLAN, 'count: 10000', 'count: 4000', PLAN, 'count: 4000', '4,000 scenarios', 'raise scenarios.count'),
    'an id twice': (PLAN, 'id: any-fails', 'id: local-tail', PLAN, 'id: local-tail\n    label: Chance', "'local-tail' a second time", 'rename'),
    'stage that ends before it starts': (PLAN, 'ends: 2030-12-31', 'ends: 2025-12-31', PLAN, 'id: region-b', 'ends 2025-12-31', 'correct one of the dates'),
    'stage in a region nobody knows': (PLAN, 'regions: [B]', 'regions: [Q]', PLAN, 'regions: [Q]', "region 'Q'", 'correct the code'),
    'year without income': (PLAN, 'to_year: 2024', 'to_year: 2030', PLAN, 'to_year: 2030', 'year 2030', 'correct the year'),
    'outcome of no column': (PLAN, 'column: output', 'column: outpt', PLAN, 'column: outpt', "'outpt'", 'correct the column'),
    'duplicate institution': (BANKS, 'local-4,Local', 'local-3,Local', BANKS, 7, "'local-3' a second time (first in line 6)", 'rename'),
    'negative amount': (BANKS, ',54000', ',-54000', BANKS, 2, 'loans = -54000', 'correct'),
    'not a number': (BANKS, ',54000', ',nan', BANKS, 2, "loans = 'nan'", 'correct'),
    'infinity': (BANKS, ',54000', ',inf', BANKS, 2, "loans = 'inf'", 'correct'),
    'balance sheet that does not add up': (BANKS, 'Local Bank 4 (made up),local-bank,B,', 'Local Bank 4 (made up),local-bank,B,1', BANKS, 7, 'assets less liabilities give', 'correct equity'),
    'exposure to an unknown name': ('exposures.csv', 'bank-1,platform-1', 'bank-1,platform-9', 'exposures.csv', 2, "unknown debtor 'platform-9'", 'correct the name'),
    'exposure to oneself': ('exposures.csv', 'bank-1,platform-1', 'platform-1,platform-1', 'exposures.csv', 2, 'lending to itself', 'remove'),
    'two sides that differ': (TOTALS, 'local-4,50,20', 'local-4,50,19', TOTALS, None, 'owes 1,929', 'correct the totals'),
    'capital missing where a cap needs it': (BANKS, ',188,188,1500', ',188,,1500', 'joint_loans.csv', 12, 'without tier1_capital', 'fill tier1_capital'),
    'unknown pool': ('joint_loans.csv', 'firms-b', 'firms-c', 'joint_loans.csv', 3, "unknown pool 'firms-c'", 'correct'),
    'default probability above one': ('pools.csv', '0.04', '4', 'pools.csv', 2, 'default_probability = 4', 'correct'),
    'a unit and period twice': (PANEL, ',2012,', ',2011,', PANEL, 3, 'period 2011 a second time', 'remove'),
    'period that is no whole number': (PANEL, ',2012,', ',2012.5,', PANEL, 3, "year = '2012.5'", 'correct'),
    'kind of gate left out': (PLAN, '{ kind: effect, id', '{ id', PLAN, 'id: effect', "no key 'gates.4.kind'", "give 'kind:'"),
    'format that is no number': (PLAN, 'format: 1', 'format: true', PLAN, 'format: true', 'true or false', 'format: 1'),
    'negative balance tolerance': (PLAN, 'unit: mn EUR', 'balance_tolerance: -1\n  unit: mn EUR', PLAN, 'balance_tolerance', 'balance_tolerance = -1', 'correct'),
    'volatility of no kind': (PLAN, 'platform: 0.08', 'platform: 0.08, platfrom: 0.5', PLAN, 'volatility:', "'platfrom'", 'correct the kind'),
    'more failures than institutions': (PLAN, 'failures_at_least: 1', 'failures_at_least: 7', PLAN, 'failures_at_least: 7', '7 failures among 6', 'lower it'),
    'treated region among not_donors': (PLAN, 'treated: [A]', 'treated: [A]\n  not_donors: [A]', PLAN, 'not_donors', 'among not_donors', 'take it out'),
    'column in two roles': (PLAN, 'income: income_k', 'income: year', PLAN, 'panel.csv, unit', "'year' in two roles", 'name another column'),
    'bank that is its platform': ("joint_loans.csv", 'bank-1,platform-1', 'bank-1,bank-1', "joint_loans.csv", 2, "as bank and as platform", 'correct one'),
    'amount beyond all money': ("joint_loans.csv", ',202', ',4e300', "joint_loans.csv", 2, "4e300", 'correct'),
    'search without end': (PLAN, 'loosest: 1.0', 'loosest: 1.0\n    resolution: 1.0e-300', PLAN, 'resolution', 'resolution = 1e-300', 'correct'),
    'explicit tag': (PLAN, 'title: Starter', 'title: !!str Starter', PLAN, '!!str', 'an explicit tag', 'remove the tag'),
    'date that does not exist': (PLAN, 'as_of: 2024-12-31', 'as_of: 2024-02-30', PLAN, None, 'cannot be read', 'correct the dates'),
    'source of no table': (PLAN, '  panel.csv: made up', '  pannel.csv: made up', PLAN, 'pannel.csv', "source of 'pannel.csv'", 'correct the file name'),
    'per cent for a cap': (PLAN, 'partner_cap: 0.25', 'partner_cap: 25', PLAN, 'partner_cap: 25', 'partner_cap 25, which is 2500%', 'correct partner_cap'),
    'a brake without its control': (PLAN, '# Did it work?', 'brakes:\n  - { id: late, control: no-such, detection_days: 30 }\n\n# Did it work?', PLAN, 'no-such', "'no-such', which is not among the controls", 'correct the id'),
    'a brake that would be set too tight': (PLAN, '# Did it work?', 'brakes:\n  - { id: late, control: partner-cap, to: 25, detection_days: 30 }\n\n# Did it work?', PLAN, 'to: 25', "to 25, outside the range of control 'partner-cap'", 'correct the setting'),
    'controls turned together that are not there': (PLAN, 'control: partner-cap, asks', 'control: partner-cap, together: [no-such], asks', PLAN, 'no-such', "'no-such', which is not among the controls", 'correct the id'),
    'a control turned twice': (PLAN, 'control: partner-cap, asks', 'control: partner-cap, together: [partner-cap], asks', PLAN, 'together: [partner-cap]', "control 'partner-cap' turned twice", 'take one of them out'),
    'networks without a density': (PLAN, '# Did it work?', 'networks: { method: gibbs, count: 5 }\n\n# Did it work?', PLAN, 'networks:', 'networks by gibbs without a density', 'give networks.density'),
    'correlations that cannot be': (PLAN, 'recovery: 0.55', 'recovery: 0.55\n  correlations: [{ between: [common, region A], correlation: 0.9 }, { between: [common, region B], correlation: 0.9 }, { between: [region A, region B], correlation: -0.9 }]', PLAN, 'correlations:', 'correlations that no factors can have together, above all', 'nearer'),
    'correlation of no factor': (PLAN, 'recovery: 0.55', 'recovery: 0.55\n  correlations: [{ between: [common, region Q], correlation: 0.9 }]', PLAN, 'correlations:', "factor 'region Q', which moves nobody", 'correct the name'),
    'outages that touch nobody': (PLAN, 'recovery: 0.55', 'recovery: 0.55\n  outages: [{ kinds: [platform], per_year: 1, mean_days: 2 }]', PLAN, 'outages:', 'outages, but nobody depends on a provider', 'remove the outages'),
    'runs on no balances': (PLAN, 'recovery: 0.55', 'recovery: 0.55\n  runs: [{ kinds: [platform], chance: 0.1, share: 0.2 }]', PLAN, 'runs:', 'runs without runnable balances', 'remove the runs'),
    'sales without a market': (PLAN, 'tolerances:', 'contagion: { sales: { rule: target } }\n\ntolerances:', PLAN, 'contagion:', 'sales, but no asset class has a market depth', 'add the column depth'),
    'sales above no limit': (PLAN, 'tolerances:', 'contagion: { sales: { rule: threshold } }\n\ntolerances:', PLAN, 'contagion:', 'sales above a threshold, but no limit of leverage', 'give contagion.sales.limit'),
    'control without its cost': (PLAN, '    yearly_cost: 0.03 #', '    #', PLAN, 'kind: partner-cap', "no key 'controls.0.yearly_cost'", "add 'yearly_cost:'"),
    'leverage buffer above its limit': (PLAN, 'tolerances:', 'contagion: { sales: { limit: 5, buffer: 6 } }\n\ntolerances:', PLAN, 'contagion:', 'buffer 6 above limit 5', 'exchange the two'),
    'funding that nobody withdraws': (PLAN, 'tolerances:', 'contagion: { funding: { withdrawn: 0.5 } }\n\ntolerances:', PLAN, 'contagion:', 'funding, but nothing can be withdrawn', 'remove contagion.funding'),
    'unquoted comma in a name': (BANKS, 'First Bank (made up)', 'First, Bank (made up)', BANKS, 2, '11 cells', 'commas'),
}
# fmt: on


@pytest.mark.parametrize("name", ONE_MISTAKE)
def test_one_mistake_is_told_once_with_its_place_and_cure(name: str, starter: Path, problems):
    told_once(ONE_MISTAKE[name], starter, problems, name in KNOWN_COMPANY)


# mistakes that truly make a second one: a balance that hangs on the changed figure, two rows of the same bank
KNOWN_COMPANY = {
    "missing file",
    "duplicate institution",
    "an id twice",
    "two sides that differ",
    "sales above no limit",
}


def test_ten_mistakes_in_plan_and_tables_come_in_one_go(starter: Path, problems):
    wrong = [
        "unknown key", "wrong type", "unknown rule", "unknown kind of gate", "stage that ends before it starts",
        "not a number", "exposure to an unknown name", "unknown pool", "default probability above one", "a unit and period twice",
    ]  # fmt: skip
    all_told([ONE_MISTAKE[name] for name in wrong], starter, problems)


def test_totals_that_no_network_can_meet_name_the_bank(starter: Path, problems):
    """bank-1 lends and owes more than all others together could take or give."""
    rows = (
        (starter / TOTALS)
        .read_text(encoding="utf-8")
        .replace("bank-1,840,1000", "bank-1,9000,9000")
        .replace("bank-2,780,720", "bank-2,1,1")
    )
    rows = rows.replace("local-1,120,90", "local-1,100,100").replace("local-2,100,70", "local-2,100,100")
    rows = rows.replace("local-3,40,30", "local-3,100,100").replace("local-4,50,20", "local-4,100,100")
    (starter / TOTALS).write_text(rows, encoding="utf-8")
    said = [p for p in problems(starter) if p.file.endswith(TOTALS)]
    assert any("'bank-1' lends 8,599 more than any network" in p.found and p.line == 2 for p in said), [
        str(p) for p in said
    ]


def test_a_plan_without_measures_or_pilot_must_say_why(starter: Path, problems):
    text = (starter / PLAN).read_text(encoding="utf-8")
    start, end = text.index("# Did it work?"), text.index("# Where, from when")
    (starter / PLAN).write_text(text[:start] + text[end:], encoding="utf-8")
    said = problems(starter)
    assert any("a plan without pilot" in p.found and "left_out.pilot" in p.expected for p in said)
    assert any("'output', which is not among the outcomes" in p.found for p in said)
    assert any("an inequality gate" in p.found for p in said)


def test_a_platform_that_no_bank_funds_is_told_before_the_run(starter: Path, problems):
    text = (starter / "exposures.csv").read_text(encoding="utf-8")
    (starter / "exposures.csv").write_text(text.replace("platform funding", "other"), encoding="utf-8")
    (said,) = problems(starter)
    assert "to which no bank lends" in said.found
    assert said.line == 2


def test_a_missing_table_is_one_problem_not_many(starter: Path, problems):
    (starter / TOTALS).unlink()
    (said,) = problems(starter)
    assert "no file" in said.found


def test_a_short_row_is_one_problem_not_many(starter: Path, problems):
    edit(starter / TOTALS, "local-4,50,20", "local-4,50")
    (said,) = problems(starter)
    assert (said.found, said.line) == ("3 cells", 7)


def test_blocks_of_a_layer_without_totals_are_told(starter: Path, problems):
    (starter / "blocks.csv").write_text("layer,creditor,debtor_region,amount\ninterbnk,bank-1,B,10\n", encoding="utf-8")
    edit(starter / PLAN, "pools: pools.csv", "pools: pools.csv\n  blocks: blocks.csv")
    (said,) = problems(starter)
    assert "blocks of layer 'interbnk'" in said.found


@pytest.mark.parametrize("content", [b"x\n" + b"\n" * 5_000_000, b"id,name\ra,b\r", b'"unclosed\n'])
def test_odd_tables_end_quickly(content: bytes, starter: Path, problems):
    (starter / BANKS).write_bytes(content)
    assert any(Path(p.file).name == BANKS for p in problems(starter))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"title: \xe9\n", b"[" * 20000, b"a" * (2 << 20)])
@pytest.mark.parametrize("file", [PLAN, BANKS, PANEL])
def test_files_that_are_none_end_in_a_problem(file: str, content: bytes, starter: Path, problems):
    (starter / file).write_bytes(content)
    said = problems(starter)
    assert any(Path(p.file).name == file for p in said)


@pytest.mark.parametrize(
    ("kind", "others", "found"),
    [
        ("partner-cap", "today", "'second' and 'partner-cap' turned together, each a partner-cap"),
        ("total-cap", "before", "'second' and 'partner-cap' turned together, with others: before and others: today"),
    ],
)
def test_controls_that_contradict_each_other_are_told(kind: str, others: str, found: str, starter: Path, problems):
    more = f"kind: {kind}, id: second, measure: joint-lending, others: {others}, tightest: 0.0, loosest: 1.0"
    more = f"  - {{ {more}, yearly_cost: 0.03, legal_basis: EU-07 }}\n\n# Did it work?"
    edit(starter / PLAN, "# Did it work?", more)
    edit(starter / PLAN, "control: partner-cap, asks", "control: partner-cap, together: [second], asks")
    (said,) = problems(starter)
    assert found in said.found
    assert (starter / PLAN).read_text(encoding="utf-8").splitlines()[said.line - 1].count("together: [second]") == 1


def test_funding_that_only_calls_margins_is_no_mistake(starter: Path):
    """Nothing is runnable or short-term; calls on what sales lower in price are funding all the same."""
    edit(starter / "pools.csv", "net_margin\n", "net_margin,market_depth\n")
    rows = (starter / "pools.csv").read_text(encoding="utf-8").splitlines()
    text = "\n".join([rows[0], *(f"{row},5000" for row in rows[1:])]) + "\n"
    (starter / "pools.csv").write_text(text, encoding="utf-8")
    edit(
        starter / PLAN, "tolerances:", "contagion: { sales: { rule: target }, funding: { margin: 0.2 } }\n\ntolerances:"
    )
    assert check(starter / PLAN).plan.contagion.funding.margin == 0.2
