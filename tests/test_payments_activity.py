"""Volume, value and ticket by period and group."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from poundlock.payments.activity import period_of, volumes

DAYS = [dt.date(2021, 9, 30), dt.date(2021, 10, 1), dt.date(2021, 10, 1), dt.date(2021, 10, 2)]
TABLE = pa.table(
    {
        "day": pa.array(DAYS, pa.date32()),
        "payer_institution": ["b", "a", "b", "b"],
        "payer_region": ["33", "31", "33", "31"],
        "platform": ["p", "p", "q", "q"],
        "payments": [1, 2, 3, 4],
        "value": [100, 50, 70, 10],
    }
)


def test_sums_by_month_and_platform() -> None:
    found = volumes(TABLE, "month", ["platform"], stands_for=10)
    assert found.periods == ("2021-09", "2021-10")
    assert found.groups == (("p",), ("q",))
    assert found.payments.tolist() == [[10, 0], [20, 70]]
    assert found.value.tolist() == [[100, 0], [50, 80]]
    assert found.ticket[1].tolist() == [2.5, 80 / 70]
    assert np.isnan(found.ticket[0, 1])


def test_all_together_and_by_two() -> None:
    assert volumes(TABLE, "day", []).value.tolist() == [[100], [120], [10]]
    both = volumes(TABLE, "quarter", ["institution", "region"])
    assert both.groups == (("a", "31"), ("b", "31"), ("b", "33"))
    assert both.value.tolist() == [[0, 0, 100], [50, 10, 70]]


def test_no_row_no_period() -> None:
    found = volumes(TABLE.slice(0, 0), "day", ["platform"])
    assert found.periods == ()
    assert found.value.shape == (0, 0)


@pytest.mark.parametrize(
    ("period", "name"),
    [("day", "2021-01-03"), ("week", "2020-W53"), ("month", "2021-01"), ("quarter", "2021-Q1"), ("year", "2021")],
)
def test_periods_have_iso_names(period: str, name: str) -> None:
    assert period_of(dt.date(2021, 1, 3), period) == name  # type: ignore[arg-type]
