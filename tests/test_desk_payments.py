"""The payment market in a plan: read, measured, judged; and every mistake of its section at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ledgers
from conftest import edit
from poundlock import Problem
from poundlock.desk.payments import doubts, indicators_of, payments_evidence, read_payments, returned_facts
from poundlock.evidence import Evidence
from poundlock.figures.payment_charts import payments_content
from poundlock.figures.payment_values import payment_values
from poundlock.payments.declared import Payments
from poundlock.payments.indicators import Indicators
from poundlock.payments.planting import Planted
from poundlock.payments.readings import INDICATORS, reading
from poundlock.payments.synthetic_returns import generate_returns
from poundlock.rollout.gate import judge_payments
from poundlock.rollout.plan import PaymentsGate


def gate(indicator: str, **more: object) -> PaymentsGate:
    return PaymentsGate.model_validate({"kind": "payments", "id": "g", "asks": "?", "indicator": indicator, **more})


def measured(folder: Path, **more: object) -> Indicators:
    problems: list[Problem] = []
    declared = Payments.model_validate({"market": "market.yaml", "store": "store", **more})
    read = read_payments(folder, declared, problems, where=lambda *keys: ("plan.yaml", 7))
    assert read is not None, problems
    return indicators_of(read)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Indicators:
    folder = tmp_path_factory.mktemp("clean")
    ledgers.made(folder)
    return measured(folder)


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Indicators:
    folder = tmp_path_factory.mktemp("dirty")
    ledgers.made(folder, planted=Planted(duplicates=2, late=1))
    return measured(folder)


def test_a_figure_within_its_limit_passes_and_one_beyond_fails(clean: Indicators) -> None:
    share = reading(clean, "largest-share").value
    assert share is not None
    for at_most, hard, kind in ((share, False, "pass"), (share - 0.01, False, "fail"), (share - 0.01, True, "breach")):
        asked = gate("largest-share", at_most=at_most, hard=hard)
        found = judge_payments(asked, payments_evidence(asked, clean, "digest"))
        assert found.kind == kind
    low = gate("turnover", at_least=1e9)
    assert judge_payments(low, payments_evidence(low, clean, "digest")).kind == "fail"


def test_a_figure_on_bad_data_never_passes(dirty: Indicators) -> None:
    for name in INDICATORS:
        if name == "faults" or INDICATORS[name].tables:
            continue
        side = {"at_least": -1e30} if INDICATORS[name].worst == "smallest" else {"at_most": 1e30}
        asked = gate(name, **side)
        evidence = payments_evidence(asked, dirty, "digest")
        kind = judge_payments(asked, evidence).kind
        assert kind == ("no data" if evidence.value is None else "inconclusive"), name
    assert {d.reason for d in doubts(dirty)} == {"6 duplicates among the records", "3 late records among the records"}


def test_faults_themselves_are_counted(clean: Indicators, dirty: Indicators) -> None:
    asked = gate("faults", at_most=0)
    assert judge_payments(asked, payments_evidence(asked, clean, "d")).kind == "pass"
    assert payments_evidence(asked, clean, "d").method.endswith("; not looked for: unbalanced")
    assert "not looked for" not in payments_evidence(gate("hhi", at_most=1.0), clean, "d").method
    found = judge_payments(asked, payments_evidence(asked, dirty, "d"))
    assert (found.kind, found.evidence.value) == ("fail", 9.0)


def test_missing_days_are_a_doubt_of_every_figure(tmp_path: Path) -> None:
    ledgers.made(tmp_path, 5, planted=Planted(missing_days=1))
    found = measured(tmp_path)
    asked = gate("hhi", at_most=1.0)
    assert judge_payments(asked, payments_evidence(asked, found, "d")).kind == "inconclusive"
    assert reading(found, "faults").value == 1.0


def test_a_plan_may_stand_on_kept_partials(tmp_path: Path) -> None:
    ledgers.made(tmp_path, 2, rows=200)
    declared = Payments(market="market.yaml", store="store", kept=True)
    problems: list[Problem] = []
    assert read_payments(tmp_path, declared, problems, where=lambda *keys: ("plan.yaml", 7)) is None
    assert "2 days without kept partials" in str(problems[0])
    plain = Payments(market="market.yaml", store="store")
    read = read_payments(tmp_path, plain, [], where=lambda *keys: ("plan.yaml", 7))
    assert read is not None
    wanted = indicators_of(read, keep=True)
    kept = read_payments(tmp_path, declared, [], where=lambda *keys: ("plan.yaml", 7))
    assert kept is not None
    names = {Path(file.name).parent.name for file in kept.inputs}
    assert {"activity", "minutes", "days"} <= names
    assert "ledger" not in names
    for file in (tmp_path / "store" / "ledger").iterdir():
        file.write_bytes(b"x" * file.stat().st_size)  # nobody looks at the records
    found = indicators_of(kept)
    assert payment_values(found) == payment_values(wanted)


def test_what_is_not_there_is_no_data(clean: Indicators) -> None:
    for asked in (gate("delay", at_most=1.0), gate("reserve-cover", at_least=0.0), gate("growth", at_most=9.0)):
        evidence = payments_evidence(asked, clean, "d")
        assert isinstance(evidence, Evidence)
        assert evidence.missing
        assert judge_payments(asked, evidence).kind == "no data"


def test_amounts_are_those_of_whole_periods(tmp_path: Path) -> None:
    ledgers.made(tmp_path, 12, rows=40)  # Friday 1 October to Tuesday 12 October: one whole week
    weekly = measured(tmp_path, period="week")
    assert weekly.by_platform.periods == ("2021-W39", "2021-W40", "2021-W41")
    assert weekly.whole == (1,)
    found = reading(weekly, "volume")
    assert (found.value, found.as_of) == (float(weekly.by_platform.payments[1].sum()), "2021-W40")
    assert reading(weekly, "largest-share").as_of == "2021-W41"
    assert "no two periods in a row" in reading(weekly, "growth").missing
    assert reading(measured(tmp_path, period="month"), "value").value is None
    assert reading(measured(tmp_path, period="day"), "growth").as_of == "2021-10-12"


def test_of_one_or_the_worst_of_all(clean: Indicators) -> None:
    use = INDICATORS["liquidity-use"].read(clean)
    assert reading(clean, "liquidity-use").value == max(use.values())
    assert reading(clean, "liquidity-use", "bank-3").value == use["bank-3"]
    assert reading(clean, "share", "other").value == pytest.approx(
        clean.platforms.share[-1][clean.platforms.who.index("other")]
    )
    with pytest.raises(KeyError):
        reading(clean, "no-such")


def test_a_ledger_without_a_settled_payment_has_no_figures(tmp_path: Path) -> None:
    market, _ = ledgers.made(tmp_path, 1, rows=30)
    path = tmp_path / "files" / "2021-10-01.parquet"
    table = pq.read_table(path)
    at = table.column_names.index("status")
    pq.write_table(table.set_column(at, table.schema.field(at), pa.array(["rejected"] * table.num_rows)), path)
    ledgers.stored(market, [path], tmp_path / "store")
    found = measured(tmp_path)
    for name in INDICATORS:
        value = reading(found, name).value
        assert value in (None, 0.0), name
    assert payment_values(found)
    assert payments_content(found, (), ledgers.FIRST)


def test_totals_alone_answer_what_totals_can(tmp_path: Path) -> None:
    market, _ = ledgers.made(tmp_path)
    generate_returns(market, tmp_path / "returns.csv", seed=1, rows_per_day=2_000, days=ledgers.days(3))
    ledgers.market_in(tmp_path, more="returns: returns.csv\n")
    problems: list[Problem] = []
    read = read_payments(
        tmp_path, Payments(market="market.yaml", period="day"), problems, where=lambda *keys: ("plan.yaml", 7)
    )
    assert read is not None, problems
    totals, records = indicators_of(read), measured(tmp_path, period="day")
    for name in ("volume", "value", "average-ticket", "growth", "largest-share", "hhi"):
        assert reading(totals, name).value is not None
        assert reading(totals, name).value == reading(records, name).value
    assert totals.sides == ()
    assert doubts(totals) == ()
    missing = reading(totals, "turnover")
    assert missing.value is None
    assert "single records" in missing.missing


def test_totals_whose_sides_differ_decide_nothing(tmp_path: Path) -> None:
    ledgers.market_in(tmp_path, 1, more="returns: returns.csv\n")
    (tmp_path / "returns.csv").write_text(
        "day,institution,region,platform,side,payments,value\n2021-10-01,bank-1,310000,other,sent,2,100\n2021-10-01,bank-2,310000,other,received,2,90\n"
    )
    found = measured(tmp_path, store=None)
    assert [(d.day, d.returned, d.recorded) for d in found.sides] == [(ledgers.FIRST, 100, 90)]
    asked = gate("hhi", at_most=1.0)
    assert judge_payments(asked, payments_evidence(asked, found, "d")).kind == "inconclusive"


def test_reserves_and_partners_are_facts_for_rules(tmp_path: Path) -> None:
    (tmp_path / "reserves.csv").parent.mkdir(exist_ok=True)
    ledgers.made(tmp_path)
    (tmp_path / "reserves.csv").write_text(
        "platform,day,customer_funds,reserve_deposits\nplatform-a,2021-10-01,100,90\nplatform-a,2021-11-01,100,99\nplatform-b,2021-10-01,50,50\n"
    )
    (tmp_path / "lending.csv").write_text(
        "day,bank,partner,outstanding,partner_funded,bank_tier1,bank_total_loans\n2021-10-01,bank-1,platform-a,1000,300,2800,10000\n2021-10-01,bank-1,platform-b,100,20,2800,10000\n"
    )
    ledgers.market_in(tmp_path, more="reserves: reserves.csv\nlending: lending.csv\n")
    found = measured(tmp_path)
    assert reading(found, "reserve-cover").value == 0.9  # November lies after the last day
    assert reading(found, "reserve-cover").as_of == "2021-10-01"
    assert reading(found, "reserve-cover", "platform-b").value == 1.0
    assert reading(found, "partner-contribution").value == 0.2
    assert reading(found, "joint-loans-over-tier1").value == 0.25
    facts = {
        (f.quantity, f.who, f.against): f.value for f in returned_facts(found.market, {"bank-1": "bank"}, ledgers.FIRST)
    }
    assert facts["reserve-cover", "platform-a", ""] == 0.9  # of November nothing was known
    assert facts["partner-contribution-share", "bank-1", "platform-b"] == 0.2
    assert facts["joint-loans-over-total-loans", "bank-1", ""] == 0.078


@pytest.mark.parametrize(
    ("section", "gates", "said"),
    [
        ("{ market: none.yaml, store: s }", "", "none.yaml"),
        ("{ market: pay/market.yaml, store: nowhere }", "", "no store of payment records"),
        (
            "{ market: pay/market.yaml, store: pay/store, first_day: 2030-01-01, last_day: 2030-01-02 }",
            "",
            "no day of records",
        ),
        (
            "{ market: pay/market.yaml, store: pay/store, first_day: 2021-10-03, last_day: 2021-10-02 }",
            "",
            "not before the first",
        ),
        ("{ market: pay/market.yaml, store: pay/store }", "indicator: hhii, at_most: 1", "unknown indicator 'hhii'"),
        ("{ market: pay/market.yaml, store: pay/store }", "indicator: hhi, of: bank-1, at_most: 1", "no 'of'"),
        (
            "{ market: pay/market.yaml, store: pay/store }",
            "indicator: share, of: bank-1, at_most: 1",
            "one of the market's platforms",
        ),
        ("{ market: pay/market.yaml, store: pay/store }", "indicator: hhi", "exactly one"),
        ("", "indicator: hhi, at_most: 1", "a gate on payments in a plan without them"),
    ],
)
def test_mistakes_of_the_section_are_problems(
    starter: Path, problems: Callable[[Path], tuple[Problem, ...]], section: str, gates: str, said: str
) -> None:
    ledgers.made(starter / "pay", 1, rows=20)
    asked = f"payments: {section}\n" if section else ""
    more = f"  - {{ kind: payments, id: market, asks: Is it sound?, {gates} }}\n" if gates else ""
    edit(starter / "plan.yaml", "gates:\n", f"{asked}gates:\n{more}")
    found = problems(starter)
    assert any(said in f"{p.found} {p.expected}" and p.line for p in found), [str(p) for p in found]


def test_json_has_the_figures(clean: Indicators) -> None:
    assert json.loads(json.dumps(payment_values(clean)))
