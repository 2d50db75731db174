"""The payment market in a report: words and numbers, figures that draw, HTML that holds them, values that survive JSON."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from markupsafe import Markup

from poundlock.figure import VARIABLES, Figure, svg
from poundlock.figures import payment_charts, report_html
from poundlock.figures.payment_charts import (
    apart,
    payments_content,
    rule_lines,
    shares_figure,
    spikes_sentence,
    volumes_figure,
)
from poundlock.figures.payment_flow_charts import (
    debit_figure,
    failures_figure,
    folded,
    institutions_figure,
    liquidity_rows,
    regions_figure,
)
from poundlock.figures.payment_values import payment_values, quality_values
from poundlock.figures.payment_words import (
    cover_rows,
    doubt,
    effect_rows,
    example_words,
    indicator_rows,
    large,
    lending_rows,
    lending_sentence,
    meaning,
    money,
    opening,
    quality_rows,
)
from poundlock.figures.report import _environment, input_rows
from poundlock.figures.result import result
from poundlock.payments.activity import Volumes
from poundlock.payments.baseline import Seasonal
from poundlock.payments.concentration import concentration
from poundlock.payments.cover import Cover, Partnership
from poundlock.payments.declared import Payments
from poundlock.payments.effects import Effect
from poundlock.payments.flows import Flows
from poundlock.payments.indicators import Indicators, OfRecords
from poundlock.payments.market import Market, MarketFile, Participant
from poundlock.payments.netting import netting
from poundlock.payments.quality import KINDS, Fault, Quality
from poundlock.payments.queues import Queues
from poundlock.payments.readings import INDICATORS
from poundlock.payments.totals import Difference
from poundlock.payments.unwinding import Unwinding
from poundlock.reading import InputFile, combined_digest
from poundlock.rules import Rule, of_jurisdiction

ON = dt.date(2022, 3, 31)
CHINA = of_jurisdiction("china")
DAYS = (dt.date(2021, 10, 30), dt.date(2021, 10, 31), dt.date(2021, 11, 1))
BANKS = ("bank-a", "bank-b", "bank-c")
BN = 100_000_000_000  # minor units in a billion


def market(**more: Any) -> MarketFile:
    declared: dict[str, Any] = {
        "format": 1, "name": "A <small> market", "origin": "synthetic", "note": "Made & written by hand.", "currency": "CNY",
        "first_day": DAYS[0], "last_day": dt.date(2021, 11, 2), "regions": ("330000", "310000"), "platforms": ("alpha", "beta", "gamma"),
        "channels": ("mobile",), "participants": "participants.csv",
    }  # fmt: skip
    people = tuple(Participant(name, "bank", None, 0) for name in BANKS)
    return MarketFile(Market(**(declared | more)), Path("market.yaml"), people, ())


def volumes(by: str, groups: tuple[str, ...], value: list[list[int]]) -> Volumes:
    amounts = np.array(value, dtype=np.int64) * (BN // 100)
    return Volumes("month", (by,), ("2021-10", "2021-11"), tuple((g,) for g in groups), amounts // 10_000, amounts)  # type: ignore[arg-type]


def flows(names: tuple[str, ...], value: list[list[int]]) -> Flows:
    amounts = np.array(value, dtype=np.int64) * (BN // 100)
    return Flows(names, amounts // 10_000, amounts)


def day_net(day: dt.date, scale: int) -> Any:
    """bank-a pays bank-b 3 at 10:00, bank-b pays bank-a 1 at 11:00, and bank-c pays nothing."""
    sent, received = np.zeros((2, 1440, 3), dtype=np.int64)
    sent[600, 0] = received[600, 1] = 3 * scale
    sent[660, 1] = received[660, 0] = scale
    return netting(day, BANKS, sent, received)


def unwinding(shortfall: list[int], failed_in: list[int], unsettled: int) -> Unwinding:
    zeros = np.zeros(3, dtype=np.int64)
    lack = np.array(shortfall, dtype=np.int64)
    return Unwinding(zeros, zeros, lack, np.array(failed_in, dtype=np.int64), 1, True, unsettled)


def queues(indicator: float, unsettled: int) -> Queues:
    waiting, left = np.zeros(1440, dtype=np.int64), np.array([unsettled, 0, 0])
    waiting[600] = 2 * unsettled
    shares = np.array([indicator, 0.0, 0.0])
    return Queues(waiting * 0, waiting, left, left, shares, 1.5, shares, indicator)


RECORD = {
    "day": "2021-10-31", "time": "2021-10-30 23:59:01.500000+00:00", "payer_region": "330000", "payee_region": "310000", "payer_institution": "bank-a",
    "payee_institution": "bank-b", "platform": "alpha", "channel": "mobile", "amount": "-123450", "currency": "CNY", "status": "settled", "record_id": "77",
}  # fmt: skip


def quality(**counts: int) -> Quality:
    """Faults of the kinds that are given, blanks in their names as underscores."""
    told = {kind.replace("_", " "): count for kind, count in counts.items()}
    faults = tuple(
        Fault(
            kind,
            told.get(kind, 0),
            told.get(kind, 0) * 12_345,
            1 if kind in told else 0,
            (RECORD,) if kind in told else (),
        )
        for kind in KINDS
    )
    return Quality(faults, (), (), (), pa.table({"kind": pa.array([], pa.string())}))


def records(found: Quality, effects: tuple[Effect, ...] = (), waits: tuple[Queues, ...] = ()) -> OfRecords:
    by_bank = flows(BANKS, [[10, 60, 0], [20, 0, 10], [0, 0, 0]])
    return OfRecords(
        engine="duckdb",
        regions=flows(("330000", "310000"), [[50, 30], [10, 10]]),
        flows=by_bank,
        daily=tuple(replace(by_bank, value=by_bank.value * k) for k in (1, 3, 2)),
        through=(("alpha",), np.zeros((3, 1), dtype=np.int64)),
        netting=tuple(day_net(day, k * BN) for day, k in zip(DAYS, (1, 2, 1), strict=True)),
        queues=waits,
        failures=(
            ("bank-a", unwinding([0, 2 * BN, 0], [0, 1, -1], 3 * BN)),
            ("bank-b", unwinding([BN // 2, 0, 0], [-1, 0, -1], 3 * BN)),
            ("bank-c", unwinding([0, 0, 0], [-1, -1, 0], 0)),
        ),
        quality=found,
        effects=effects,
        sql=(("activity", "SELECT secret"),),
    )


def indicators(**more: Any) -> Indicators:
    platforms = volumes("platform", ("alpha", "beta", "gamma"), [[600, 300, 100], [540, 480, 180]])
    banks = volumes("institution", BANKS, [[700, 200, 100], [800, 300, 100]])
    value = np.array([4.0, 6.0, 12.0]) * BN
    seen = Seasonal(DAYS, value, np.array([np.nan, 5.0 * BN, 4.0 * BN]), 0.05, np.array([np.nan, 1.0, 21.6]), np.array([False, False, True]))  # fmt: skip
    made: dict[str, Any] = {
        "market": market(),
        "period": "month",
        "days": DAYS,
        "missing": (dt.date(2021, 11, 2),),
        "by_platform": platforms,
        "by_institution": banks,
        "by_region": volumes("region", ("310000", "330000"), [[400, 600], [500, 700]]),
        "platforms": concentration(platforms),
        "institutions": concentration(banks),
        "seasonal": seen,
        "cover": (
            Cover(dt.date(2021, 10, 31), "alpha", 100 * BN, 90 * BN),
            Cover(dt.date(2021, 11, 30), "alpha", 100 * BN, 100 * BN),
            Cover(dt.date(2021, 11, 30), "beta", 80 * BN, 60 * BN),
            Cover(dt.date(2022, 4, 30), "alpha", 100 * BN, BN),
        ),
        "lending": (
            Partnership(dt.date(2021, 11, 30), "bank-a", "alpha", 100, 30, 1_000, 5_000),
            Partnership(dt.date(2021, 11, 30), "bank-b", "alpha", 1_000, 200, 2_000, 5_000),
        ),
        "sides": (),
        "records": records(quality()),
    }
    return Indicators(**(made | more))


def totals() -> Indicators:
    return indicators(records=None, missing=(), cover=(), lending=())


def all_figures(found: Indicators) -> list[Figure]:
    figures = [shares_figure(found, rule_lines(CHINA, ON)), volumes_figure(found), regions_figure(found), institutions_figure(found), debit_figure(found), failures_figure(found)]  # fmt: skip
    return [figure for figure in figures if figure is not None]


def page(found: Indicators) -> str:
    content = payments_content(found, CHINA, ON)
    return _environment().get_template("payments.html").render(payments=content)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures with a blank for a drawing; that each draws is another test."""
    blank = Markup("<svg ></svg>")
    monkeypatch.setattr(payment_charts, "drawn", lambda figure: {"figure": figure, "svg": blank})


def test_every_figure_has_words_and_data_and_draws():
    figures = all_figures(indicators())
    assert [figure.id for figure in figures] == [
        "payment-shares",
        "payment-volumes",
        "payment-flows-region",
        "payment-flows-institution",
        "payment-net-debit",
        "payment-failures",
    ]
    for figure in figures:
        assert len(figure.summary) > 40
        assert figure.rows
        assert {len(row) for row in figure.rows} == {len(figure.header)}
        drawn = svg(figure)
        assert drawn.startswith('<svg role="img" aria-label="')
        assert not any(f'"{colour}"' in drawn for colour in VARIABLES)


def test_shares_are_held_against_the_lines_of_rules_for_as_many_as_they_speak_of():
    figure = shares_figure(indicators(), rule_lines(CHINA, ON))
    assert figure is not None
    assert "In 2021-11 alpha carried 45.0% of the value, the two largest together 85.0%" in figure.summary
    assert "PD-01 (warning at 33.3% for the largest, found 45.0%)" in figure.summary
    assert "PD-05 (dominance at 66.7% for the two largest together, found 85.0%)" in figure.summary
    assert "PD-04" not in figure.summary  # half for one: 45 % does not reach it
    assert "All of these lines are drafts: shown, never binding." in figure.summary
    assert figure.header[:4] == ("period", "alpha", "beta", "gamma")
    assert figure.rows[0] == ("2021-10", "60.0%", "30.0%", "10.0%", "60.0%", "90.0%", "100.0%", "0.4600")
    drawn = svg(figure)
    assert "PD-01, warning at 33.3%: draft, not in force" in drawn
    assert "PD-03, warning at 60.0%: draft, not in force" in drawn
    assert "alpha 45.0%" in drawn


def test_a_line_in_force_says_so_and_without_rules_there_is_none():
    warning = next(rule for rule in CHINA if rule.id == "PD-01")
    force: Rule = replace(warning, id="XX-1", status="final", in_force_from=dt.date(2021, 1, 1), limit=0.5)
    figure = shares_figure(indicators(), rule_lines([force], ON))
    assert figure is not None
    assert "Every line of a rule lies above." in figure.summary
    assert "draft" not in figure.summary
    assert "XX-1, warning at 50.0%: in force" in svg(figure)
    bare = shares_figure(indicators())
    assert bare is not None
    assert "draws a line for shares" in bare.summary


def test_many_platforms_share_one_line_and_names_do_not_meet():
    names = tuple(f"platform-{k:02d}" for k in range(12))
    many = volumes("platform", names, [[50 - k for k in range(12)], [60 - k for k in range(12)]])
    figure = shares_figure(indicators(by_platform=many, platforms=concentration(many)))
    assert figure is not None
    drawn = svg(figure)
    assert "5 others together" in drawn
    assert "platform-06" in drawn
    assert "platform-07 " not in drawn
    assert len(figure.header) == 1 + 12 + 4  # the table has all
    places = apart([0.5, 0.5, 0.51, 0.1], 0.05, 1.0)
    assert np.diff(sorted(places)).min() >= 0.05 - 1e-12
    assert places[3] == 0.1
    assert max(apart([1.0, 1.0, 0.99], 0.1, 1.0)) == 1.0


def test_volumes_say_growth_days_that_lack_and_spikes():
    figure = volumes_figure(indicators())
    assert figure is not None
    assert figure.summary.startswith("2021-11: 120.00 mn payments of 12.00 bn CNY, 100.00 CNY on average; in value +20.0% against 2021-10.")  # fmt: skip
    assert "2021-10 has figures of 2 of 31 days, 2021-11 has figures of 1 of 30 days" in figure.summary
    assert "One day lies far from the median of the same weekday before: 2021-11-01 (+200%, +22 usual deviations)." in figure.summary  # fmt: skip
    assert figure.rows[1] == ("2021-11", "1 of 30", "120,000,000", "12.00 bn CNY", "100.00 CNY", "+20.0%")
    assert figure.rows[0][-1] == "–"
    assert "baseline: median of the same weekday before" in svg(figure)


def test_a_day_of_nothing_and_no_baseline_in_words():
    seen = indicators().seasonal
    nothing = replace(seen, observed=np.array([4.0, 6.0, 0.0]) * BN, score=np.array([np.nan, 1.0, -np.inf]))
    assert "2021-11-01 (nothing paid, 4.00 bn CNY expected)" in spikes_sentence(indicators(seasonal=nothing))
    calm = replace(seen, spikes=np.zeros(3, dtype=bool))
    assert "None of the 2 days" in spikes_sentence(indicators(seasonal=calm))
    unknown = replace(calm, expected=np.full(3, np.nan))
    assert "No day has a baseline" in spikes_sentence(indicators(seasonal=unknown))


def test_flows_say_what_stays_the_largest_and_who_gains():
    figure = regions_figure(indicators())
    assert figure is not None
    assert "Of 1.00 bn CNY, 60.0% stays within one region." in figure.summary
    assert "from 330000 to 310000: 30.00% of all value" in figure.summary
    assert "310000 received most more than it paid, 200.0 mn CNY" in figure.summary
    assert figure.rows[0] == ("330000", "330000", "5,000,000", "500.0 mn CNY", "50.000%")
    assert "Numbers are per cent of all value" in svg(figure)


def test_of_many_names_the_largest_are_kept_and_nothing_is_lost():
    rng = np.random.default_rng(5)
    value = rng.integers(1, 1_000, (60, 60))
    value[7] *= 1_000_000
    many = Flows(tuple(f"r{k}" for k in range(60)), value, value * 3)
    kept = folded(many, 30)
    assert len(kept.names) == 31
    assert kept.names[-1] == "30 others"
    assert "r7" in kept.names
    assert int(kept.value.sum()) == int(many.value.sum())
    assert int(kept.net[kept.names.index("r7")]) == int(many.net[7])
    assert folded(many, 59) is many
    figure = regions_figure(indicators(records=replace(records(quality()), regions=many)))
    assert figure is not None
    assert "30 others" in svg(figure)


def test_liquidity_of_the_day():
    figure = debit_figure(indicators())
    assert figure is not None
    # at 10:00 bank-a is 6 bn in debit on the second day, twice the other two: 3, 6, 3, mean 4
    assert "up to 6.00 bn CNY in debit, on 2021-10-31 at 10:00 UTC; the mean day's curve reaches 4.00 bn CNY." in figure.summary  # fmt: skip
    assert "bank-a needs most, 6.00 bn CNY." in figure.summary
    assert "75.0% of what is sent (liquidity use), so that a unit of liquidity settles 1.3 (turnover)" in figure.summary
    assert "100.0% of value is settled by 12:00 UTC" in figure.summary
    assert "No participant declares its liquidity" in figure.summary
    assert figure.rows[10] == ("11:00", "4.00 bn CNY", "6.00 bn CNY", "75.0%")
    assert figure.rows[11] == ("12:00", "2.67 bn CNY", "4.00 bn CNY", "100.0%")
    heads, rows = liquidity_rows(indicators())
    assert rows == [("bank-a", "6.00 bn CNY", "2021-10-31 10:00", "100.0%")]
    assert len(heads) == 4


def test_delay_where_liquidity_is_declared():
    waits = (queues(0.0, 0), queues(0.25, BN), queues(0.1, 0))
    found = indicators(records=records(quality(), waits=waits))
    figure = debit_figure(found)
    assert figure is not None
    assert "the delay indicator is 0.250 on the worst day, 2021-10-31" in figure.summary
    assert "1.00 bn CNY is then left unsettled" in figure.summary
    heads, rows = liquidity_rows(found)
    assert heads[-1] == "delay indicator, worst day"
    assert rows[0][-1] == "0.250"


def test_failures_of_one_participant():
    figure = failures_figure(indicators())
    assert figure is not None
    assert figure.title == "If one participant does not settle on 2021-10-31"
    assert "If bank-a alone does not settle and its payments are unwound, others lack 2.00 bn CNY" in figure.summary
    assert "(100.0% of the day's value)" in figure.summary
    assert "Failures bring down at most 1 others." not in figure.summary
    assert "Failures bring down at most one other." in figure.summary
    assert figure.rows[0] == ("bank-a", "3.00 bn CNY", "100.0%", "2.00 bn CNY", "bank-b", "1", "1")
    assert [row[0] for row in figure.rows] == ["bank-a", "bank-b", "bank-c"]


def test_cover_and_joint_loans_beside_the_rules_of_the_day():
    heads, rows = cover_rows(indicators(), CHINA, ON)
    assert heads[4] == "cover"
    assert rows[0] == ("beta", "2021-11-30", "80.00 bn CNY", "60.00 bn CNY", "75.00%", "75.00%", "2021-11-30", "below RF-01 (at least 100%)")  # fmt: skip
    assert rows[1] == ("alpha", "2021-11-30", "100.0 bn CNY", "100.0 bn CNY", "100.00%", "90.00%", "2021-10-31", "meets RF-01 (at least 100%)")  # fmt: skip
    _, pairs = lending_rows(indicators(), CHINA, ON)
    assert pairs[0][:2] == ("bank-b", "alpha")
    assert pairs[0][4:] == ("20.0%", "40.0%", "below JL-01 (at least 30%); above JL-02 (at most 25%)")
    assert pairs[1][4:] == ("30.0%", "7.0%", "meets JL-01 (at least 30%); meets JL-02 (at most 25%)")
    assert lending_sentence(indicators(), CHINA, ON) == "2 pairs of bank and partner; partners put up 20.0% to 30.0% of their loans; 1 of the pairs misses a limit."  # fmt: skip
    _, early = lending_rows(indicators(), CHINA, dt.date(2021, 12, 1))  # before the partner's part had to be put up
    assert early[0][-1] == "above JL-02 (at most 25%)"
    assert lending_rows(indicators(), CHINA, dt.date(2020, 1, 1))[1] == []
    assert "limit" not in lending_sentence(indicators(), (), ON)  # without a rule nothing is met or missed


def test_quality_in_words():
    found = indicators(records=records(quality(negative=2)))
    heads, rows = quality_rows(found)
    assert heads == ("kind", "found", "value", "days", "for example")
    by_kind = {row[0]: row for row in rows}
    assert set(by_kind) == set(KINDS)
    assert by_kind["negative"][1:4] == ("2", "246.90 CNY", "1")
    assert by_kind["negative"][4] == "record 77 in the file of 2021-10-31: bank-a to bank-b, −1,234.50 CNY, 2021-10-30 23:59:01 UTC"  # fmt: skip
    assert by_kind["duplicate"][1:] == ("nothing found", "", "", "")
    assert "2 amounts below nought" in doubt(found)
    assert doubt(indicators(missing=())) == ""
    assert "1 expected day without figures" in doubt(indicators())
    assert all("{" not in meaning(kind) for kind in KINDS)


@pytest.mark.usefixtures("undrawn")
def test_totals_that_do_not_agree_are_in_doubt_without_any_record():
    found = replace(totals(), sides=(Difference(DAYS[0], "", "sent", 5 * BN, 4 * BN),))
    said = doubt(found)
    assert said.startswith("In doubt, so that no gate on these days passes: on 1 day what institutions returned")
    assert "On 2021-10-30, for example, 5.00 bn CNY was returned as sent and 4.00 bn CNY as received." in said
    assert said in page(found)
    values = payment_values(found)
    assert values is not None
    assert values["days_on_which_sent_is_not_received"] == [{"day": "2021-10-30", "sent": 5 * BN, "received": 4 * BN}]


def test_what_could_not_be_looked_for_is_not_called_clean():
    faults = tuple(replace(f, unasked="too few days") if f.kind == "gap" else f for f in quality().faults)
    _, rows = quality_rows(indicators(records=records(replace(quality(), faults=faults))))
    assert ("gap", "not looked for", "", "", "too few days") in rows


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ({"day": "2021-10-31", "institution": "bank-a", "hour": "3", "usual": "81.5"}, "bank-a on 2021-10-31 from 3:00 UTC, an hour that usually has 82 records"),
        ({"day": "2021-10-31", "institution": "bank-a", "side": "sent", "returned": "500", "recorded": "450"}, "bank-a on 2021-10-31, sent: 5.00 CNY sent in, 4.50 CNY recorded"),
        ({"record_id": "5", "amount": "100", "day": "2021-10-31"}, "record 5 in the file of 2021-10-31, 1.00 CNY"),
        ({"day": "2021-10-31"}, "2021-10-31"),
    ],
)  # fmt: skip
def test_examples(example: dict[str, str], said: str):
    assert example_words(example, market().market) == said


def test_effects_as_read_and_without():
    effects = (
        Effect("duplicate", "volume", "payments", 1_000.0, 990.0),
        Effect("duplicate", "value", "minor units", 2.0 * BN, 2.0 * BN),
        Effect("duplicate", "share of the largest platform", "share", 0.5, 0.5001),
        Effect("zero", "volume", "payments", 1_000.0, 999.999999),
        Effect("zero", "value", "minor units", 2.0 * BN, BN),
        Effect("zero", "share of the largest platform", "share", 0.5, 0.5),
    )
    heads, rows = effect_rows(indicators(records=records(quality(duplicate=1, zero=1), effects)))
    assert heads == ("figure", "as read", "without duplicate", "without zero")
    assert rows == [
        ("volume", "1,000", "990 (−1.000%)", "1,000 (hardly less)"),
        ("value", "2.00 bn CNY", "the same", "1.00 bn CNY (−50.000%)"),
        ("share of the largest platform", "50.00 %", "50.01 % (+0.010 points)", "the same"),
    ]
    assert effect_rows(indicators()) == ((), [])


def test_money_in_a_unit_that_can_be_read():
    yen = market(currency="JPY", minor_units=0).market
    cases = {0: "0.00 CNY", 123_456: "1,234.56 CNY", 99_999_999: "999,999.99 CNY", 100_000_000: "1.00 mn CNY", -25 * BN: "−25.00 bn CNY", 9_096_000 * BN // 100: "90.96 trn CNY"}  # fmt: skip
    for minor, said in cases.items():
        assert money(minor, market().market) == said
    assert money(1_500, yen) == "1,500 JPY"
    assert money(float("nan"), yen) == "–"
    assert large(999_999) == "999,999"
    assert large(92_921_241_700) == "92.92 bn"


def test_indicators_by_the_name_that_a_gate_gives_them():
    heads, rows = indicator_rows(indicators())
    assert heads == ("name", "indicator", "value", "as of")
    by_name = {row[0]: row for row in rows}
    assert set(by_name) == set(INDICATORS)
    assert by_name["value"][2] == "– (no period whose days all have figures)"
    daily = {row[0]: row for row in indicator_rows(indicators(period="day", by_platform=replace(indicators().by_platform, periods=("2021-10-30", "2021-10-31"))))[1]}  # fmt: skip
    assert daily["value"][2:] == ("12.00 bn CNY", "2021-10-31")
    assert by_name["largest-share"][2:] == ("45.00 %", "2021-11")
    assert by_name["peak-net-debit"][2] == "6.00 bn CNY (bank-a)"
    assert by_name["reserve-cover"][2] == "1.00 % (alpha)"
    assert "only totals" in {row[0]: row for row in indicator_rows(totals())[1]}["turnover"][2]


@pytest.mark.usefixtures("undrawn")
def test_the_section_holds_everything_and_escapes_names():
    html = page(indicators())
    assert html.count("Is the market still sound?") == 1
    assert html.index('class="tag"') < html.index("<figure")
    assert "Synthetic payment records." in html
    assert "Made &amp; written by hand." in html
    assert "A &lt;small&gt; market" in html
    assert "<small>" not in html
    assert html.count("<svg ") == 6
    assert "1 expected day without figures: 2021-11-02." in html
    assert "Nothing found" in html
    assert "RF-01" in html
    assert 'class="caveat"' in html  # a day is missing
    assert 'class="caveat"' not in page(indicators(missing=()))
    faulty = page(indicators(records=records(quality(duplicate=3))))
    assert "3 duplicates" in faulty
    assert "Nothing found" not in faulty


@pytest.mark.usefixtures("undrawn")
def test_without_records_only_totals_are_shown():
    html = page(totals())
    assert html.count("<svg ") == 2
    assert "Synthetic payment totals." in html
    assert "need single records" in html
    assert "What is wrong with the records?" not in html
    assert "Who needs most liquidity" not in html
    assert _environment().get_template("payments.html").render(payments=None).strip() == ""


def test_a_single_day():
    one = Volumes("day", ("platform",), ("2021-10-30",), (("alpha",),), np.array([[5]]), np.array([[BN]]))
    seen = Seasonal(DAYS[:1], np.array([float(BN)]), np.array([np.nan]), 0.01, np.array([np.nan]), np.array([False]))
    all_of = records(quality())
    of_day = replace(all_of, netting=all_of.netting[:1], daily=all_of.daily[:1])
    found = indicators(
        period="day", days=DAYS[:1], missing=(), by_platform=one, platforms=concentration(one), seasonal=seen, records=of_day, cover=(), lending=(),
    )  # fmt: skip
    assert opening(found).endswith("Payment records of 2021-10-30, added up by day.")
    figures = all_figures(found)
    assert len(figures) == 6
    assert all(svg(figure) for figure in figures)
    assert "alpha carried 100.0% of the value;" in figures[0].summary
    assert "against" not in figures[1].summary
    assert "mean day" not in figures[4].summary
    assert json.dumps(payment_values(found), allow_nan=False)


def test_values_survive_json():
    found = indicators(records=records(quality(duplicate=2), (Effect("duplicate", "volume", "payments", 2.0, 1.0),)))
    values = payment_values(found, CHINA, ON)
    assert values is not None
    text = json.dumps(values, allow_nan=False)
    assert json.loads(text) == values
    assert "secret" not in text
    assert values["days"] == 3
    assert values["missing_days"] == ["2021-11-02"]
    assert values["days_of_periods"]["2021-11"] == {"with_figures": 1, "in_all": 30}
    assert values["volumes"]["platform"]["beta"]["value"] == [3 * BN, 48 * BN // 10]
    assert values["growth_of_value"] == [None, pytest.approx(0.2)]
    assert values["concentration"]["platform"]["two_largest"] == pytest.approx([0.9, 0.85])
    reached = {line["rule"]: line["reached"] for line in values["lines"]}
    assert reached["PD-01"] is True
    assert reached["PD-04"] is False
    assert values["lines"][0]["binding"] is False
    assert values["flows"]["region"]["names"] == ["330000", "310000"]
    assert values["flows"]["region"]["value"][0][1] == 30 * BN // 100
    bank_a = values["netting"]["by_institution"][0]
    assert (bank_a["largest_net_debit"], bank_a["on"], bank_a["minute"]) == (6 * BN, "2021-10-31", 600)
    assert values["failures"][0]["fail_too"] == 1
    assert values["cover"][0]["share"] == 0.9
    assert set(values["readings"]) == set(INDICATORS)
    assert values["readings"]["value"]["value"] is None
    assert values["readings"]["largest-share"]["value"] == pytest.approx(0.45)
    assert values["quality"]["faults"][2]["count"] == 2
    assert values["quality"]["effects"][0]["without"] == 1.0
    assert values["quality"] == quality_values(found)
    assert payment_values(None) is None


def test_values_without_records():
    values = payment_values(totals(), CHINA, ON)
    assert values is not None
    assert json.dumps(values, allow_nan=False)
    assert values["from"] == "totals"
    assert values["flows"] is None
    assert values["quality"] is None
    assert values["readings"]["turnover"]["value"] is None
    assert "only totals" in values["readings"]["turnover"]["missing"]


@pytest.mark.usefixtures("undrawn")
def test_the_report_has_the_market_between_rules_and_pilot(starter_run):
    a = replace(starter_run, payments=indicators())
    html = report_html(a)
    places = [html.index(f">{heading}</h2>") for heading in ("Which rules are kept?", "Is the market still sound?", "Did it work?")]  # fmt: skip
    assert places == sorted(places)
    top = html[html.index('class="origin"') : html.index("<main>")]
    assert "Synthetic payment records." in top
    assert "Made \\000026 written by hand" in html[: html.index("<body>")]  # at the foot of every printed page
    assert result(a)["payments"]["days"] == 3
    assert result(starter_run)["payments"] is None


def files(*names: str) -> list[InputFile]:
    return [InputFile(name, f"{k:064x}") for k, name in enumerate(names)]


@pytest.mark.parametrize(
    ("store", "root"),
    [
        ("ledger", "ledger"),
        ("./ledger/", "ledger"),
        ("../data/ledger", "../data/ledger"),
        ("/srv/data/ledger", "../../data/ledger"),
    ],
)
def test_the_store_is_one_line_of_the_inputs(starter_run, store: str, root: str):
    held = files(
        f"{root}/market.json", f"{root}/days/2021-10-01.json", f"{root}/ledger/2021-10-01-0123456789ab.parquet"
    )
    others = files("plan.yaml", "payments.yaml", "ledger.csv", "other/market.json", f"{root}2/days/2021-10-01.json")
    plan = starter_run.plan.model_copy(
        update={"payments": Payments(market="payments.yaml", store=store), "sources": {store: "made for a test"}}
    )
    rows = input_rows(plan, [*others, *held])
    assert [row[0] for row in rows[:-1]] == [f.name for f in others]
    assert rows[0][1] == "this plan"
    assert rows[-1][0].endswith("ledger/ (3 files)")
    assert rows[-1][1:] == ("made for a test", combined_digest(held))
    assert len(input_rows(starter_run.plan, [*others, *held])) == 8
