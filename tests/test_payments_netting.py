"""Net debit through the day, by hand and by law."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poundlock.payments.netting import minute_sums, netting

DAY = dt.date(2021, 10, 1)


def of(payments: list[tuple[int, int, int, int]], n: int = 3) -> tuple[np.ndarray, np.ndarray]:
    sent, received = np.zeros((2, 1440, n), dtype=np.int64)
    for minute, payer, payee, value in payments:
        sent[minute, payer] += value
        received[minute, payee] += value
    return sent, received


def test_by_hand() -> None:
    sent, received = of([(60, 0, 1, 100), (120, 1, 0, 30), (120, 1, 2, 50), (700, 2, 0, 50)])
    found = netting(DAY, ("a", "b", "c"), sent, received)
    assert found.net.tolist() == [-20, 20, 0]
    assert found.peak_debit.tolist() == [100, 0, 0]
    assert found.peak_minute.tolist() == [60, 0, 0]
    assert found.sent.tolist() == [100, 80, 50]
    assert found.liquidity_use.tolist() == [1.0, 0.0, 0.0]
    assert found.turnover == 230 / 100
    assert found.debit[[59, 60, 119, 120, 1439]].tolist() == [0, 100, 100, 70, 20]
    assert found.throughput[[0, 1, 2, 23]] == pytest.approx([0.0, 100 / 230, 180 / 230, 1.0])
    assert found.liquidity_concentration == 1.0


def test_a_quiet_day_has_no_ratio() -> None:
    found = netting(DAY, ("a", "b", "c"), *of([]))
    assert np.isnan([found.turnover, found.liquidity_concentration, *found.throughput, *found.liquidity_use]).all()


def test_from_a_table() -> None:
    table = pa.table(
        {
            "minute": [5, 5],
            "institution": ["b", "a"],
            "payments_sent": [1, 0],
            "value_sent": [7, 0],
            "payments_received": [0, 1],
            "value_received": [0, 7],
        }
    )
    sent, received, count = minute_sums(table, ("a", "b"))
    assert (sent[5].tolist(), received[5].tolist(), count[5].tolist()) == ([0, 7], [7, 0], [0, 1])
    with pytest.raises(ValueError, match="not among"):
        minute_sums(table, ("a",))


@given(
    st.lists(st.tuples(st.integers(0, 1439), st.integers(0, 2), st.integers(0, 2), st.integers(0, 10**12)), max_size=40)
)
def test_what_one_pays_another_receives(payments: list[tuple[int, int, int, int]]) -> None:
    found = netting(DAY, ("a", "b", "c"), *of(payments))
    assert found.net.sum() == 0
    assert (found.peak_debit >= np.maximum(-found.net, 0)).all()
    assert found.peak_debit.sum() >= found.debit.max()
    assert found.sent.sum() == found.received.sum() == found.settled.sum() == sum(p[3] for p in payments)
