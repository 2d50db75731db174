"""A System from plain arrays."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from poundlock.system import AssetClass, Layer, claims, equity, obligations, system_from_arrays


def test_names_are_numbers_and_the_rest_is_nought():
    s = system_from_arrays([[0.0, 2.0], [0.0, 0.0]], [5.0, 6.0], [1.0, 1.0])
    assert s.ids == ("0", "1")
    np.testing.assert_array_equal(equity(s), [6.0, 3.0])
    np.testing.assert_array_equal(s.safe_assets, 0.0)
    assert len(s) == 2


def test_layers_by_name_and_as_records():
    matrix = [[0.0, 2.0], [0.0, 0.0]]
    by_name = system_from_arrays({"a": matrix, "b": matrix}, [5.0, 6.0], [1.0, 1.0])
    assert [layer.name for layer in by_name.layers] == ["a", "b"]
    stake = Layer("s", csr_array(np.array(matrix)), kind="stake")
    records = system_from_arrays([Layer("a", csr_array(np.array(matrix))), stake], [5.0, 6.0], [1.0, 1.0])
    np.testing.assert_array_equal(claims(records), [4.0, 0.0])
    np.testing.assert_array_equal(obligations(records), [0.0, 2.0], "nobody owes a stake")


def test_labels_and_reported_fields():
    s = system_from_arrays(
        np.zeros((2, 2)), [5.0, 6.0], [1.0, 1.0], names=("a", "b"), kinds=("bank", "fund"), regions=("X", "Y"),
        holdings=[[1.0], [2.0]], depth=[10.0], volatility=[0.1, 0.2], external_rank=2, unit="mn EUR",
    )  # fmt: skip
    assert (s.ids, s.kinds, s.regions, s.unit, s.external_rank) == (
        ("a", "b"),
        ("bank", "fund"),
        ("X", "Y"),
        "mn EUR",
        2,
    )
    assert s.asset_classes[0].depth == 10.0
    assert s.volatility is not None
    assert s.volatility.dtype == np.float64


def test_a_depth_for_each_asset_class():
    with pytest.raises(ValueError, match="holdings have 1 asset classes, depth has 0"):
        system_from_arrays(np.zeros((1, 1)), [5.0], [1.0], holdings=[[1.0]])


def test_asset_classes_instead_of_depths():
    pool = AssetClass("loans", "", "", 0.0, 0.0, 0.0, 0.0)
    s = system_from_arrays(np.zeros((1, 1)), [5.0], [1.0], holdings=[[2.0]], asset_classes=(pool,))
    assert s.asset_classes == (pool,)
    with pytest.raises(ValueError, match="one depth for each"):
        system_from_arrays(np.zeros((1, 1)), [5.0], [1.0], holdings=[[2.0]])
