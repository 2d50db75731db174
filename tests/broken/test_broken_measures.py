"""One tiny bad input each in what measures read: one Problem that names file and line, says what was found and expected, and how to mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import all_told, edit, told_once
from poundlock import check

PLAN, BANKS, CONSENTS, LOANS = "plan.yaml", "institutions.csv", "consents.csv", "joint_loans.csv"
BEFORE = "# How bad years are drawn"

# a measure of every other kind, as it may stand in the starter plan: section, tables
SOUND: dict[str, tuple[str, dict[str, str]]] = {
    "loan-with-investment": (
        """  - kind: loan-with-investment
    id: invested
    loans: invested.csv
    consents: consents.csv
    equity: { volatility: 0.4 }
    today: { investment_per_loan: 0.2, warrant_share: 0.3, investor_debt: 1.0 }
""",
        {"invested.csv": "bank,investor,pool,amount\nbank-1,platform-1,firms-a,50\nbank-2,platform-1,firms-b,20\n"},
    ),
    "group-linkage": (
        """  - kind: group-linkage
    id: linked
    deals: linked.csv
    consents: consents.csv
    equity: { volatility: 0.4 }
    today: { own_funds_only: false, single_firm_cap: 0.1, legal_basis: [IL2-01] }
""",
        {
            "linked.csv": "bank,subsidiary,pool,amount,form,subsidiary_amount,largest_firm\n"
            "bank-1,local-3,firms-a,50,equity,5,0.2\nbank-2,local-4,firms-b,20,lease,4,0.3\n"
        },
    ),
    "pledged-loans": (
        """  - kind: pledged-loans
    id: pledged
    loans: pledged.csv
    consents: consents.csv
    today: { cover_share: 0.8, premium_rate: 0.02, reinsured: 0.3 }
""",
        {
            "pledged.csv": "bank,insurer,pool,amount,reinsurer\n"
            "bank-1,local-3,firms-a,50,local-4\nbank-2,local-3,firms-b,20,local-4\n"
        },
    ),
    "equipment-insurance": (
        """  - kind: equipment-insurance
    id: equipment
    policies: policies.csv
    consents: consents.csv
    claims: { frequency: 0.05, severity: 0.4 }
    today: { cover_share: 0.9, premium_rate: 0.03, premium_subsidy: 0.8, reinsured: 0.3 }
""",
        {"policies.csv": "insurer,region,sector,amount,policies,reinsurer\nlocal-3,A,technology,40,10,local-4\n"},
    ),
    "payment-service": (
        """  - kind: payment-service
    id: paying
    service: service.csv
    consents: consents.csv
    today: { reserve_cover: 1.0, legal_basis: [RF-01] }
""",
        {"service.csv": "bank,platform,amount,daily_flow,daily_margin\nbank-1,platform-1,60,4,0.5\n"},
    ),
    "custom": (
        """  - kind: custom
    id: other
    consents: consents.csv
    exposures: other_exposures.csv
    holdings: other_holdings.csv
    buffers: other_buffers.csv
    dependences: other_dependences.csv
    pools: other_pools.csv
""",
        {
            "other_exposures.csv": "layer,creditor,debtor,amount\nnew,bank-1,local-3,15\n",
            "other_holdings.csv": "institution,pool,amount\nbank-1,firms-a,20\nbank-2,firms-c,5\n",
            "other_buffers.csv": "institution,amount\nlocal-1,3\n",
            "other_dependences.csv": "dependent,provider,amount,daily_flow\nlocal-2,platform-1,0.2,4\n",
            "other_pools.csv": "id,region,sector,default_probability,loss_given_default,correlation,net_margin\n"
            "firms-c,A,trade,0.05,0.5,0.2,0.02\n",
        },
    ),
}


def with_measure(kind: str, folder: Path) -> None:
    section, tables = SOUND[kind]
    for name, text in tables.items():
        (folder / name).write_text(text, encoding="utf-8")
    edit(folder / PLAN, BEFORE, section + "\n" + BEFORE)


@pytest.mark.parametrize("kind", SOUND)
def test_a_sound_measure_of_each_kind_checks(kind: str, starter: Path):
    with_measure(kind, starter)
    checked = check(starter / PLAN)
    assert [m.kind for m in checked.plan.measures] == ["joint-lending", kind]
    assert {Path(name).name for name in SOUND[kind][1]} < {Path(file.name).name for file in checked.inputs}


def test_all_sound_measures_check_together(starter: Path):
    for kind in SOUND:
        with_measure(kind, starter)
    assert len(check(starter / PLAN).deals) == 1 + len(SOUND)


# fmt: off
ONE_MISTAKE = {
    # name: (kind of the measure that is added, (file to edit, old text, new text, file of the Problem, its line or a text in that line, found, cure))
    'consents left out': (None, (PLAN, '    consents: consents.csv', '    #', PLAN, 'kind: joint-lending', "no key 'measures.0.consents'", "add 'consents:'")),
    'no such table of consents': (None, (PLAN, 'consents: consents.csv', 'consents: contents.csv', PLAN, 'contents.csv', "no file", 'correct the path')),
    'consents without dates': (None, (CONSENTS, 'institution,joined,withdrawn', 'institution,joint,withdrawn', CONSENTS, 1, "'joined'", 'joined')),
    'consent of nobody known': (None, (CONSENTS, 'local-3,', 'local-9,', CONSENTS, 6, "consent of unknown institution 'local-9'", 'correct the id, or add the institution')),
    'consent on no day': (None, (CONSENTS, 'local-3,2020-01-01', 'local-3,2020-02-30', CONSENTS, 6, "joined = '2020-02-30'", 'correct the date')),
    'consent on a day in words': (None, (CONSENTS, 'local-3,2020-01-01', 'local-3,May 2020', CONSENTS, 6, "joined = 'May 2020'", 'correct the date')),
    'withdrawn on no day': (None, (CONSENTS, 'local-3,2020-01-01,', 'local-3,2020-01-01,soon', CONSENTS, 6, "withdrawn = 'soon'", 'correct the date')),
    'consent without a day': (None, (CONSENTS, 'local-3,2020-01-01,', 'local-3,,', CONSENTS, 6, "joined", '')),
    'withdrawn before joined': (None, (CONSENTS, 'local-3,2020-01-01,', 'local-3,2020-01-01,2019-12-31', CONSENTS, 6, "'local-3' withdrew on 2019-12-31, before it joined on 2020-01-01", 'correct one of the dates')),
    'a second consent': (None, (CONSENTS, 'local-3,', 'local-2,', CONSENTS, 6, "a second consent of 'local-2'", 'one row')),
    'unknown rule cited': (None, (PLAN, 'home_region_only: true', 'legal_basis: [XX-99]\n      home_region_only: true', PLAN, 'XX-99', "unknown rule 'XX-99'", 'cite a rule')),
    'draft rule cited': (None, (PLAN, 'home_region_only: true', 'legal_basis: [PD-01]\n      home_region_only: true', PLAN, 'PD-01', "rule 'PD-01', which is draft", 'cite another')),
    'rule no longer in force': (None, (PLAN, 'legal_basis: EU-07', 'legal_basis: EU-06', PLAN, 'EU-06', "rule 'EU-06', in force from 2014-01-01 until 2021-06-27", 'cite another')),
    'rule not yet in force': (None, (PLAN, 'as_of: 2024-12-31', 'as_of: 2021-01-31', PLAN, 'legal_basis: EU-07', "rule 'EU-07', in force from 2021-06-28", 'move the stage')),
    'unknown jurisdiction': (None, (PLAN, 'jurisdictions: [european-union]', 'jurisdictions: [atlantis]', PLAN, 'atlantis', "unknown jurisdiction 'atlantis'", 'a shipped one')),
    'no such file of rules': (None, (PLAN, 'jurisdictions: [european-union]', 'files: [own_rules.csv]', PLAN, 'own_rules.csv', 'no file', 'correct the path')),
    'gate on rules without rules': (None, (PLAN, 'jurisdictions: [european-union]', 'jurisdictions: []', PLAN, 'kind: rules', 'a gate on rules in a plan that is held against none', 'name them')),
    'role of a kind that nobody has': (None, (PLAN, 'roles: { bank: [large-bank, local-bank] }', 'roles: { bank: [big-bank] }', PLAN, 'big-bank', "kind 'big-bank', which no institution has", 'correct the kind')),
    'unknown kind of measure': (None, (PLAN, 'kind: joint-lending', 'kind: joint-landing', PLAN, 'joint-landing', "of kind 'joint-landing'", "give 'kind:'")),
    'no such region rule': (None, (PLAN, 'local_kinds: [local-bank]', 'local_kinds: [local-bank]\n    regions: some', PLAN, 'regions: some', "regions = 'some'", 'use one of these values')),
    'first loss in per cent': (None, (PLAN, 'platform_share: 0.30', 'platform_share: 0.30\n      first_loss: 30', PLAN, 'first_loss: 30', 'first_loss = 30', 'correct')),
    'bank that nobody knows': (None, (LOANS, 'local-4,platform-1,firms-a', 'local-5,platform-1,firms-a', LOANS, 12, "unknown bank 'local-5'", 'correct the name')),
    'partner cap on loans with investment': ('loan-with-investment', (PLAN, 'measure: joint-lending\n    tightest', 'measure: invested\n    tightest', PLAN, 'measure: invested', "partner_cap in a control on 'invested', a measure of kind loan-with-investment", 'another term')),
    'investor that nobody knows': ('loan-with-investment', ('invested.csv', 'bank-2,platform-1', 'bank-2,fund-9', 'invested.csv', 3, "unknown investor 'fund-9'", 'correct the name')),
    'investor without cash': ('loan-with-investment', (PLAN, 'warrant_share: 0.3, investor_debt: 1.0', 'warrant_share: 0.3, investor_debt: 0.5', 'invested.csv', 2, "investor 'platform-1' without cash", 'safe_assets')),
    'investment in an unknown pool': ('loan-with-investment', ('invested.csv', 'firms-b', 'firms-c', 'invested.csv', 3, "unknown pool 'firms-c'", 'correct')),
    'bank as its own investor': ('loan-with-investment', ('invested.csv', 'bank-1,platform-1', 'bank-1,bank-1', 'invested.csv', 2, "'bank-1' as bank and as investor", 'correct one')),
    'shares that do not move': ('loan-with-investment', (PLAN, 'volatility: 0.4 }', 'volatility: 0 }', PLAN, 'volatility: 0 }', 'volatility = 0', 'correct')),
    'cap on firms without what goes to one': ('group-linkage', ('linked.csv', ',largest_firm\nbank-1,local-3,firms-a,50,equity,5,0.2\nbank-2,local-4,firms-b,20,lease,4,0.3', '\nbank-1,local-3,firms-a,50,equity,5\nbank-2,local-4,firms-b,20,lease,4', 'linked.csv', 2, 'single_firm_cap without the column largest_firm', 'add the column')),
    'cap on firms and an empty cell': ('group-linkage', ('linked.csv', ',4,0.3', ',4,', 'linked.csv', 3, 'largest_firm is empty', 'correct largest_firm')),
    'subsidiary of two banks': ('group-linkage', ('linked.csv', 'bank-2,local-4', 'bank-2,local-3', 'linked.csv', 3, "'local-3' as subsidiary of two banks", 'correct the bank')),
    'investment of no form': ('group-linkage', ('linked.csv', ',lease,', ',loan,', 'linked.csv', 3, "form = 'loan'", 'correct')),
    'more than all to one firm': ('group-linkage', ('linked.csv', ',4,0.3', ',4,30', 'linked.csv', 3, 'largest_firm = 30', 'correct')),
    'reinsured by nobody': ('pledged-loans', ('pledged.csv', 'firms-b,20,local-4', 'firms-b,20,', 'pledged.csv', 3, 'reinsured above 0, but no reinsurer', 'set reinsured to 0')),
    'reinsured without the column': ('pledged-loans', ('pledged.csv', ',reinsurer\nbank-1,local-3,firms-a,50,local-4\nbank-2,local-3,firms-b,20,local-4', '\nbank-1,local-3,firms-a,50\nbank-2,local-3,firms-b,20', 'pledged.csv', 2, 'reinsured above 0, but no reinsurer', 'set reinsured to 0')),
    'reinsurer that nobody knows': ('pledged-loans', ('pledged.csv', 'firms-b,20,local-4', 'firms-b,20,local-7', 'pledged.csv', 3, "unknown reinsurer 'local-7'", 'correct the name')),
    'insurer as its own reinsurer': ('pledged-loans', ('pledged.csv', 'firms-b,20,local-4', 'firms-b,20,local-3', 'pledged.csv', 3, "'local-3' as insurer and as reinsurer", 'correct one')),
    'policies of nobody': ('equipment-insurance', ('policies.csv', 'local-3,A', 'local-8,A', 'policies.csv', 2, "unknown insurer 'local-8'", 'correct the name')),
    'half a policy': ('equipment-insurance', ('policies.csv', ',40,10,', ',40,9.5,', 'policies.csv', 2, "policies = '9.5'", '')),
    'no policy': ('equipment-insurance', ('policies.csv', ',40,10,', ',40,0,', 'policies.csv', 2, 'policies = 0', 'correct')),
    'equipment reinsured by nobody': ('equipment-insurance', ('policies.csv', ',10,local-4', ',10,', 'policies.csv', 2, 'reinsured above 0, but no reinsurer', 'name one')),
    'a claim a day': ('equipment-insurance', (PLAN, 'frequency: 0.05', 'frequency: 365', PLAN, 'frequency: 365', 'frequency = 365', 'correct')),
    'total cap on insurance': ('equipment-insurance', (PLAN, 'kind: partner-cap\n    id: partner-cap\n    measure: joint-lending', 'kind: total-cap\n    id: partner-cap\n    measure: equipment', PLAN, 'measure: equipment', "total_cap in a control on 'equipment', a measure of kind equipment-insurance", 'another term')),
    'payments through nobody': ('payment-service', ('service.csv', 'platform-1', 'platform-2', 'service.csv', 2, "unknown platform 'platform-2'", 'correct the name')),
    'no flow': ('payment-service', ('service.csv', ',daily_flow,', ',daily_flaw,', 'service.csv', 1, 'daily_flow', '')),
    'reserve beyond all': ('payment-service', (PLAN, 'reserve_cover: 1.0', 'reserve_cover: 100', PLAN, 'reserve_cover: 100', 'reserve_cover = 100', 'correct')),
    'no table': ('custom', (PLAN, '    exposures: other_exposures.csv\n    holdings: other_holdings.csv\n    buffers: other_buffers.csv\n    dependences: other_dependences.csv\n', '', PLAN, 'kind: custom', 'no table at all', 'name a table')),
    'holding in no pool': ('custom', ('other_holdings.csv', 'firms-c', 'firms-d', 'other_holdings.csv', 3, "unknown pool 'firms-d'", 'correct the name')),
    'holding of nobody': ('custom', ('other_holdings.csv', 'bank-2', 'bank-3', 'other_holdings.csv', 3, "unknown institution 'bank-3'", 'correct the name')),
    'lending to itself': ('custom', ('other_exposures.csv', 'local-3', 'bank-1', 'other_exposures.csv', 2, "'bank-1' on itself", 'correct one')),
    'debtor that nobody knows': ('custom', ('other_exposures.csv', 'local-3', 'local-33', 'other_exposures.csv', 2, "unknown debtor 'local-33'", 'correct the name')),
    'pool of a name that there is': ('custom', ('other_pools.csv', 'firms-c,', 'firms-b,A,trade,0.05,0.5,0.2,0.02\nfirms-c,', 'other_pools.csv', 2, "pool 'firms-b' a second time", 'rename it')),
    'more than certain default': ('custom', ('other_pools.csv', '0.05', '5', 'other_pools.csv', 2, 'default_probability = 5', 'correct')),
    'negative buffer': ('custom', ('other_buffers.csv', 'local-1,3', 'local-1,-3', 'other_buffers.csv', 2, 'amount = -3', 'correct')),
    'provider that nobody knows': ('custom', ('other_dependences.csv', 'platform-1', 'cloud-1', 'other_dependences.csv', 2, "unknown provider 'cloud-1'", 'correct the name')),
    'no such table of holdings': ('custom', (PLAN, 'other_holdings.csv', 'no_holdings.csv', PLAN, 'no_holdings.csv', 'no file', 'correct the path')),
}
# fmt: on
# mistakes that truly make a second one: a source of a table that is named no more, a wrong name beside the missing one
KNOWN_COMPANY = {"no such table of consents", "consents without dates", "no flow"}


@pytest.mark.parametrize("name", ONE_MISTAKE)
def test_one_mistake_is_told_once_with_its_place_and_cure(name: str, starter: Path, problems):
    kind, mistake = ONE_MISTAKE[name]
    if kind is not None:
        with_measure(kind, starter)
    told_once(mistake, starter, problems, name in KNOWN_COMPANY)


def test_mistakes_in_several_measures_come_in_one_go(starter: Path, problems):
    for kind in SOUND:
        with_measure(kind, starter)
    names = (
        "investor that nobody knows",
        "subsidiary of two banks",
        "reinsured by nobody",
        "no policy",
        "payments through nobody",
        "debtor that nobody knows",
        "negative buffer",
    )
    all_told([ONE_MISTAKE[name][1] for name in names], starter, problems)


def test_a_rule_that_only_earlier_terms_cite_need_not_be_in_force(starter: Path):
    edit(starter / PLAN, "platform_share: 0.02", "platform_share: 0.02\n      legal_basis: [EU-06]")
    assert check(starter / PLAN).plan.measures[0].before.legal_basis == ("EU-06",)
