"""Consents: who is in, from which day, until when, what is left after; and stages."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from poundlock.measures import Moment, apply, read_consents
from test_measures_world import ALL, BANK_A, BANK_B, DAY, IDS, PLATFORM, dealt, declared, layer, world

HEAD = "institution,joined,withdrawn\n"


def left(consents: str, on: dt.date = DAY, life: float = 365.0) -> list[float]:
    """Of three joint loans of bank-a twice and bank-b."""
    measure = declared("joint-lending", average_life_days=life)
    found = dealt(measure, consents=consents, at=Moment(on))
    return (found.amount / found.wished).tolist()


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (dt.date(2019, 12, 31), 0.0),
        (dt.date(2020, 1, 1), 1.0),
        (dt.date(2023, 5, 31), 1.0),
        (dt.date(2023, 6, 1), 1.0),
        (dt.date(2023, 6, 2), np.exp(-1 / 50)),
        (dt.date(2023, 9, 9), np.exp(-100 / 50)),
    ],
)
def test_business_begins_with_the_day_of_joining_and_runs_off_from_that_of_leaving(day: dt.date, expected: float):
    text = HEAD + "bank-a,2020-01-01,2023-06-01\nbank-b,2000-01-01,\nplatform,2000-01-01,\n"
    assert left(text, day, life=50.0) == pytest.approx([expected, expected, 1.0])


def test_an_entry_is_in_only_if_all_of_it_are():
    assert left(HEAD + "bank-a,2020-01-01,\nbank-b,2020-01-01,\n") == [0.0, 0.0, 0.0]
    assert left(HEAD + "bank-a,2020-01-01,\nplatform,2020-01-01,\n") == [1.0, 1.0, 0.0]


def test_the_least_that_is_left_of_anybody_counts():
    text = HEAD + "bank-a,2020-01-01,2023-12-22\nbank-b,2020-01-01,\nplatform,2020-01-01,2023-12-12\n"
    assert left(text, life=100.0) == pytest.approx([np.exp(-0.2)] * 3)


def test_a_table_without_the_column_withdrawn_is_one_of_those_who_stay():
    assert left("institution,joined\nbank-a,2020-01-01\nplatform,2020-01-01\n") == [1.0, 1.0, 0.0]


def test_only_banks_that_have_joined_fund_the_platform():
    """Bank-a lends to the platform already; once it has left it lends no more, and the platform borrows outside."""
    measure = declared("joint-lending", {"partner_cap": None})
    for consents, more in ((ALL, 0.4 * 0.3 * 90.0), (HEAD + "bank-b,2020-01-01,\nplatform,2020-01-01,\n", 0.0)):
        deals = dealt(measure, consents=consents)
        after = apply(measure, measure.today, deals, world())
        assert layer(after, "platform funding")[BANK_A, PLATFORM] == pytest.approx(50.0 + more)


def test_standing_is_joined_and_not_left(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text(HEAD + "bank-a,2020-01-01,2023-06-01\nbank-b,2024-01-02,\nplatform,2020-01-01,\n", "utf-8")
    problems = []
    found = read_consents(path, world(), problems)
    assert not problems
    assert found is not None
    assert [IDS[i] for i in np.flatnonzero(found.standing(dt.date(2023, 5, 31)))] == ["bank-a", "platform"]
    assert [IDS[i] for i in np.flatnonzero(found.standing(DAY))] == ["platform"]
    assert not found.standing(dt.date(2019, 1, 1))[BANK_B]


def stages(kind: str, *regions: str) -> list[float]:
    measure = declared(kind, regions="stage")
    found = dealt(measure, at=Moment(DAY, frozenset(regions)))
    return (found.amount / found.wished).tolist()


def test_a_measure_by_stages_is_only_where_a_stage_has_begun():
    assert stages("joint-lending", "A") == [1.0, 0.0, 0.0]
    assert stages("joint-lending", "B") == [0.0, 1.0, 1.0]
    assert stages("joint-lending") == [0.0, 0.0, 0.0]
    measure = declared("joint-lending", regions="stage")
    assert dealt(measure, at=Moment(DAY, None)).amount.tolist() == [40.0, 30.0, 20.0]
    everywhere = declared("joint-lending")
    assert dealt(everywhere, at=Moment(DAY, frozenset())).amount.tolist() == [40.0, 30.0, 20.0]


def test_entries_without_a_pool_are_where_they_say_or_where_the_first_institution_in_them_is():
    assert stages("equipment-insurance", "A") == [1.0, 0.0]
    assert stages("equipment-insurance", "B") == [0.0, 1.0]
    assert stages("payment-service", "B") == [0.0, 1.0]
    # claims of bank-a and bank-b, holdings in firms-a and the measure's own firms-c, a dependence of bank-b
    assert stages("custom", "A") == [1.0, 0.0, 1.0, 1.0, 0.0]
    assert stages("custom", "B") == [0.0, 1.0, 0.0, 0.0, 1.0]


def test_all_that_is_wrong_in_a_row_is_told(tmp_path):
    """An unknown institution does not hide a bad date."""
    (tmp_path / "c.csv").write_text("institution,joined,withdrawn\nnobody,2020-13-01,yesterday\n", encoding="utf-8")
    problems = []
    assert read_consents(tmp_path / "c.csv", world(), problems) is None
    assert [p.line for p in problems] == [2, 2, 2]
    assert {p.found for p in problems} == {
        "consent of unknown institution 'nobody'",
        "joined = '2020-13-01'",
        "withdrawn = 'yesterday'",
    }
