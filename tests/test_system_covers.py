"""What falls due under covers: layers, gains, reinsurance, and sums by pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poundlock.contagion import propagate
from poundlock.system import system_from_arrays
from poundlock.system.balance import AssetClass
from poundlock.system.covers import Cover, due_under, dues_by_pair, pairs_of

LOST = np.array([[0.0, 0.5], [0.1, -0.2], [0.4, 0.0], [-0.3, 1.0]])


def due(*covers: Cover) -> list[list[float]]:
    return due_under(covers, LOST).tolist()


def test_a_layer_of_a_loss():
    """Of 100 that lose 0, 10, 40 and gain 30: 80 % of what is beyond 5, at most 20."""
    (found,) = zip(*due(Cover(0, 1, 0, 100.0, 0.8, 5.0, 20.0)), strict=True)
    assert found == pytest.approx([0.0, 4.0, 20.0, 0.0])


def test_a_share_of_a_gain():
    (found,) = zip(*due(Cover(0, 1, 1, 50.0, 0.5, 2.0, on="gain")), strict=True)
    assert found == pytest.approx([0.0, 4.0, 0.0, 0.0])


def test_reinsurance_follows_the_cover_that_it_is_of():
    first = Cover(0, 1, 0, 100.0, 0.8, 5.0, 20.0)
    second = Cover(2, 0, -1, 0.0, 0.3, of=0)
    third = Cover(3, 2, -1, 0.0, 0.5, 1.0, 2.0, of=1)
    np.testing.assert_allclose(
        due(first, second, third), [[0.0, 0.0, 0.0], [4.0, 1.2, 0.1], [20.0, 6.0, 2.0], [0.0, 0.0, 0.0]], atol=1e-12
    )


def test_nothing_covered_nothing_due():
    assert due_under((), LOST).shape == (4, 0)
    assert dues_by_pair((), LOST).shape == (4, 0)
    assert due(Cover(0, 1, 0, 0.0)) == [[0.0]] * 4
    assert due(Cover(0, 1, 0, 9.0, 0.0)) == [[0.0]] * 4
    assert due(Cover(0, 1, 0, 9.0, limit=0.0)) == [[0.0]] * 4


def test_dues_add_up_by_payer_payee_and_rank():
    covers = (Cover(0, 1, 0, 10.0), Cover(2, 1, 0, 1.0), Cover(0, 1, 1, 20.0), Cover(0, 1, 0, 5.0, rank=2))
    assert pairs_of(covers) == ((0, 1, 1), (2, 1, 1), (0, 1, 2))
    np.testing.assert_allclose(
        dues_by_pair(covers, LOST), [[10.0, 0.0, 0.0], [1.0, 0.1, 0.5], [4.0, 0.4, 2.0], [20.0, 0.0, 0.0]]
    )


@given(
    st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=8),
    st.floats(0.0, 1e3),
    st.floats(0.0, 1.0),
    st.floats(0.0, 100.0),
    st.floats(0.0, 100.0),
    st.sampled_from(["loss", "gain"]),
)
def test_dues_stay_within_the_loss_and_the_limit_and_rise_with_the_loss(lost, amount, share, deductible, limit, on):
    x = np.sort(np.array(lost))[:, None]
    found = due_under([Cover(0, 1, 0, amount, share, deductible, limit, on=on)], x)[:, 0]
    bound = np.maximum(0.0, (x if on == "loss" else -x)[:, 0] * amount)
    assert np.all(found >= 0.0)
    assert np.all(found <= np.minimum(bound, limit) + 1e-12)
    assert np.all(np.diff(found) * (1.0 if on == "loss" else -1.0) >= 0.0)


def test_what_is_due_is_paid_so_far_as_the_payer_can():
    """Payer 0 has 100 and owes 80 outside; 30 fall due to 1. With 110 owed and 100 there, each gets 10/11. Payer 2 can pay."""
    pool = AssetClass("p", "", "", 0.1, 1.0, 0.1, 0.0)
    system = system_from_arrays(
        np.zeros((3, 3)),
        [100.0, 50.0, 100.0],
        [80.0, 40.0, 20.0],
        asset_classes=(pool,),
        holdings=np.zeros((3, 1)),
        covers=(Cover(0, 1, 0, 100.0), Cover(2, 1, 0, 10.0)),
    )
    found = propagate(system, np.zeros(3), dues=dues_by_pair(system.covers, np.array([[0.3]])), valuation="clearing")
    np.testing.assert_allclose(found.equity[0], [-10.0, 10.0 + 30.0 * 100.0 / 110.0 + 3.0, 77.0])
    quiet = propagate(system, np.zeros(3), valuation="clearing")
    np.testing.assert_allclose(quiet.equity[0], [20.0, 10.0, 80.0])


def test_one_that_pays_last_pays_after_the_creditors_outside():
    pool = AssetClass("p", "", "", 0.1, 1.0, 0.1, 0.0)
    system = system_from_arrays(
        np.zeros((2, 2)),
        [100.0, 50.0],
        [80.0, 40.0],
        asset_classes=(pool,),
        holdings=np.zeros((2, 1)),
        covers=(Cover(0, 1, 0, 100.0, rank=2),),
    )
    found = propagate(system, np.zeros(2), dues=[[30.0]], valuation="clearing")
    np.testing.assert_allclose(found.equity[0], [-10.0, 30.0])


@pytest.mark.parametrize("dues", [[[1.0, 2.0]], [[-1.0]]])
def test_dues_of_another_shape_or_below_nought_are_refused(dues):
    pool = AssetClass("p", "", "", 0.1, 1.0, 0.1, 0.0)
    system = system_from_arrays(
        np.zeros((2, 2)), [9.0, 9.0], [5.0, 5.0], asset_classes=(pool,), holdings=np.zeros((2, 1)), covers=(Cover(0, 1, 0, 1.0),)
    )  # fmt: skip
    with pytest.raises(ValueError, match="dues have shape"):
        propagate(system, np.zeros(2), dues=dues, valuation="clearing")
