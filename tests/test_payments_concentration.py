"""Shares, HHI, concentration ratios, and the lines of dated rules."""

import datetime as dt

import numpy as np
import pytest

from poundlock.payments.activity import Volumes
from poundlock.payments.concentration import DOMINANCE, WARNING, concentration, lines
from poundlock.rules import of_jurisdiction


def of(*value: list[int]) -> Volumes:
    array = np.array(value, dtype=np.int64)
    groups = tuple((name,) for name in "abcd"[: array.shape[1]])
    return Volumes(
        "month", ("platform",), tuple(f"2021-{k + 1:02d}" for k in range(len(array))), groups, array * 2, array
    )


def test_by_hand() -> None:
    found = concentration(of([50, 30, 20, 0], [1, 1, 1, 1]))
    assert found.share[0].tolist() == [0.5, 0.3, 0.2, 0.0]
    assert found.hhi == pytest.approx([0.25 + 0.09 + 0.04, 0.25])
    assert found.ratios[0] == pytest.approx([0.5, 0.8, 1.0])
    assert found.ratios[1] == pytest.approx([0.25, 0.5, 0.75])


def test_one_alone_is_the_market() -> None:
    found = concentration(of([7]))
    assert found.hhi.tolist() == [1.0]
    assert found.ratios[0].tolist() == [1.0, 1.0, 1.0]


def test_a_period_without_payments_has_no_share() -> None:
    found = concentration(of([0, 0], [1, 3]))
    assert np.isnan(found.share[0]).all()
    assert np.isnan(found.hhi[0])
    assert found.ratios[1].tolist() == [0.75, 1.0, 1.0]


def test_a_rest_is_in_the_whole_and_never_among_the_largest() -> None:
    found = concentration(of([50, 10, 40, 0]), rest=("c",))
    assert found.share[0].tolist() == [0.5, 0.1, 0.4, 0.0]
    assert found.ratios[0] == pytest.approx([0.5, 0.6, 0.6])
    assert found.hhi == pytest.approx([0.26])
    assert np.isnan(concentration(of([7]), rest=("a",)).ratios).all()


def test_by_number_of_payments() -> None:
    table = of([1, 1])
    table.payments[0] = [9, 1]
    assert concentration(table, count=True).share[0].tolist() == [0.9, 0.1]


def test_lines_of_the_draft_say_that_they_are_a_draft() -> None:
    rules = of_jurisdiction("china")
    found = lines(rules, dt.date(2022, 3, 18))
    assert [(line.rule, line.largest, round(line.limit, 4)) for line in found] == [
        ("PD-01", 1, 0.3333),
        ("PD-02", 2, 0.5),
        ("PD-03", 3, 0.6),
    ]
    assert not any(line.binding for line in found)
    assert [line.limit for line in lines(rules, dt.date(2022, 3, 18), DOMINANCE)] == pytest.approx(
        [1 / 2, 2 / 3, 3 / 4]
    )
    assert lines(rules, dt.date(2020, 12, 31), WARNING) == ()  # nobody had seen the draft
