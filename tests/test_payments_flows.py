"""Flow matrices and the settlement layer made of them."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poundlock.payments.flows import Flows, matrix, settlement_layer

NAMES = ("a", "b", "c")
TABLE = pa.table(
    {
        "payer_institution": ["a", "b", "a", "c"],
        "payee_institution": ["b", "a", "b", "c"],
        "payments": [1, 1, 2, 5],
        "value": [10, 4, 20, 99],
    }
)


def flows(value: list[list[int]]) -> Flows:
    array = np.array(value, dtype=np.int64)
    return Flows(NAMES, array, array)


def test_a_matrix_adds_up() -> None:
    found = matrix(TABLE, NAMES, stands_for=3)
    assert found.value.tolist() == [[0, 30, 0], [4, 0, 0], [0, 0, 99]]
    assert found.payments[0, 1] == 9
    assert found.net.tolist() == [-26, 26, 0]


def test_whom_the_market_does_not_name_is_an_error() -> None:
    with pytest.raises(KeyError):
        matrix(TABLE, ("a", "b"))


def test_the_payee_may_lose_what_the_payer_owes() -> None:
    day = matrix(TABLE, NAMES)
    net = settlement_layer([day])
    assert net[1, 0] == 26.0  # b is owed 30 by a, owes 4
    assert net.sum() == 26.0
    gross = settlement_layer([day], basis="gross")
    assert (gross[1, 0], gross[0, 1], gross[2, 2]) == (30.0, 4.0, 0.0)


def test_over_days_the_mean_or_the_largest() -> None:
    one, two = flows([[0, 10, 0], [0, 0, 0], [0, 0, 0]]), flows([[0, 0, 0], [4, 0, 0], [0, 0, 0]])
    assert settlement_layer([one, two]).tolist() == [[0, 4, 0], [10, 0, 0], [0, 0, 0]]
    assert settlement_layer([one, two], over="mean").tolist() == [[0, 2, 0], [5, 0, 0], [0, 0, 0]]


def test_no_day_or_other_names_are_errors() -> None:
    with pytest.raises(ValueError, match="at least one day"):
        settlement_layer([])
    with pytest.raises(ValueError, match="same names"):
        settlement_layer([flows([[0] * 3] * 3), Flows(("x",), np.zeros((1, 1), np.int64), np.zeros((1, 1), np.int64))])


@given(st.lists(st.integers(0, 10**15), min_size=9, max_size=9))
def test_net_positions_add_up_to_nought_and_to_the_layer(values: list[int]) -> None:
    found = flows(np.array(values).reshape(3, 3).tolist())
    assert found.net.sum() == 0
    layer = settlement_layer([found])
    assert ((layer == 0.0) | (layer.T == 0.0)).all()
    np.testing.assert_allclose(layer.sum(axis=1) - layer.sum(axis=0), found.net, atol=1.0)
