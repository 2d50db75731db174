"""Guarantees, insurance, support and outages on systems small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from poundlock.contagion import clear, propagate
from poundlock.system import Dependences, Guarantee, Layer, system_from_arrays


def matrix(n: int, **entries: float) -> np.ndarray:
    made = np.zeros((n, n))
    for name, amount in entries.items():
        made[int(name[1]), int(name[2])] = amount
    return made


def test_deductible_share_and_limit():
    """0 loses 6 of 10 on 1: min(3, 0.8 * (6 - 1)) = 3 is paid."""
    promise = Guarantee(2, 0, "claims", 1, share=0.8, deductible=1.0, limit=3.0)
    s = system_from_arrays(matrix(3, x01=10.0), [10.0, 12.0, 50.0], [15.0, 0.0, 2.0], guarantees=(promise,))
    found = clear(s, [0.0, 8.0, 0.0])
    assert found.due[0, 0] == 3.0
    np.testing.assert_allclose(found.equity[0], [10 + 4 - 15 + 3, -6, 48 - 3])


def test_two_layers_of_cover_on_one_loss():
    first = Guarantee(2, 0, "claims", 1, limit=2.0)
    second = Guarantee(3, 0, "claims", 1, deductible=2.0, limit=10.0)
    s = system_from_arrays(
        matrix(4, x01=10.0), [10.0, 12.0, 50.0, 50.0], [15.0, 0.0, 2.0, 2.0], guarantees=(first, second)
    )
    np.testing.assert_allclose(clear(s, [0.0, 8.0, 0.0, 0.0]).due[0], [2.0, 4.0])


def test_insurance_of_own_losses_saves_the_insured():
    """0 has equity 5 and loses 8, of which 6 are insured: it does not fail, and no claim on it loses anything."""
    s = system_from_arrays(
        matrix(3, x10=10.0),
        [15.0, 20.0, 50.0],
        [0.0, 0.0, 0.0],
        guarantees=(Guarantee(2, 0, "own-loss", deductible=2.0),),
    )
    found = clear(s, [8.0, 0.0, 0.0])
    assert found.equity[0, 0] == pytest.approx(15 - 10 - 8 + 6)
    assert found.value[0, 0] == 1.0


def test_an_insurer_that_fails_pays_what_it_can():
    """The insurer has 3, owes 1 outside and 6 to the insured: 3/7 of each."""
    s = system_from_arrays(np.zeros((2, 2)), [15.0, 3.0], [10.0, 1.0], guarantees=(Guarantee(1, 0, "own-loss"),))
    found = clear(s, [6.0, 0.0])
    assert found.value[0, 1] == pytest.approx(3.0 / 7.0)
    assert found.equity[0, 0] == pytest.approx(5.0 - 6.0 + 6.0 * 3.0 / 7.0)


def test_insurance_covers_gains_of_nobody():
    s = system_from_arrays(np.zeros((2, 2)), [15.0, 30.0], [10.0, 1.0], guarantees=(Guarantee(1, 0, "own-loss"),))
    assert clear(s, [-6.0, 0.0]).due[0, 0] == 0.0


def test_support_comes_in_the_order_given():
    """A shortfall of 7: the first supporter covers up to 4, the second the next 5."""
    supports = (Guarantee(1, 0, "shortfall", limit=4.0), Guarantee(2, 0, "shortfall", limit=5.0))
    s = system_from_arrays(np.zeros((3, 3)), [10.0, 50.0, 50.0], [5.0, 0.0, 0.0], guarantees=supports)
    found = clear(s, [12.0, 0.0, 0.0])
    np.testing.assert_allclose(found.due[0], [4.0, 3.0])
    np.testing.assert_allclose(found.equity[0], [0.0, 46.0, 47.0])
    assert not found.default.any()


def test_promises_in_a_later_rank_are_paid_after_debts():
    """2 has 5, owes 2 outside in rank 1 and 4.8 under its promise in rank 2: 3 are left for that."""
    promise = Guarantee(2, 0, "claims", 1, share=0.8, rank=2)
    s = system_from_arrays(matrix(3, x01=10.0), [10.0, 12.0, 5.0], [15.0, 0.0, 2.0], guarantees=(promise,))
    assert clear(s, [0.0, 8.0, 0.0]).equity[0, 0] == pytest.approx(10 + 4 - 15 + 3.0)


def test_promises_weigh_on_default_costs_too():
    """2 realises half of its 5: 2.5 for 2 outside and 4.8 promised."""
    promise = Guarantee(2, 0, "claims", 1, share=0.8)
    s = system_from_arrays(matrix(3, x01=10.0), [10.0, 12.0, 5.0], [15.0, 0.0, 2.0], guarantees=(promise,))
    found = propagate(s, [0.0, 8.0, 0.0], valuation="default-costs", alpha=0.5, beta=1.0)
    lost = 10.0 - 0.5 * 4.0  # 1 has 4 left and realises half
    due = 0.8 * lost
    assert found.due[0, 0] == pytest.approx(due)
    assert found.equity[0, 0] == pytest.approx(10.0 + 2.0 - 15.0 + due * 2.5 / (2.0 + due))


def test_a_circle_of_promises_ends():
    """Two subsidiaries that support each other without limit: both are short, neither can help."""
    supports = (Guarantee(0, 1, "shortfall"), Guarantee(1, 0, "shortfall"))
    s = system_from_arrays(np.zeros((2, 2)), [10.0, 10.0], [9.0, 9.0], guarantees=supports)
    found = clear(s, [3.0, 3.0], max_rounds=500)
    assert np.isfinite(found.equity).all()
    assert found.default.all()


def test_an_outage_costs_margin_and_leaves_payments_unsettled():
    margin, flow = (csr_array(matrix(2, x01=x)) for x in (2.0, 30.0))
    s = system_from_arrays(np.zeros((2, 2)), [60.0, 140.0], [40.0, 100.0], dependences=Dependences(margin, flow))
    well = propagate(s, outages=[0.0, 3.0])
    np.testing.assert_allclose(well.equity[0], [14.0, 40.0])
    assert well.value[0, 1] == 1.0, "a provider that stands owes and holds what is not settled"
    failed = propagate(s, [0.0, 50.0], outages=[0.0, 3.0])
    assert failed.loss_by_channel["settlement"][0, 0] == pytest.approx(90.0 * 10.0 / 190.0)


def test_a_provider_that_fails_stops():
    margin = csr_array(matrix(3, x01=2.0, x20=1.0))
    none = csr_array((3, 3))
    s = system_from_arrays(np.zeros((3, 3)), [10.0, 20.0, 5.0], [5.0, 10.0, 0.0], dependences=Dependences(margin, none))
    found = propagate(s, [0.0, 11.0, 0.0], stops_when_failed_days=3.0)
    np.testing.assert_allclose(found.loss_by_channel["outage"][0], [6.0, 0.0, 3.0])
    np.testing.assert_array_equal(found.default[0], [True, True, False])
    calm = propagate(s, [0.0, 11.0, 0.0])
    assert calm.loss_by_channel["outage"].sum() == 0.0


def test_the_least_solution_knows_promises():
    promise = Guarantee(2, 0, "claims", 1, share=0.8)
    s = system_from_arrays(matrix(3, x01=10.0), [10.0, 12.0, 5.0], [15.0, 0.0, 2.0], guarantees=(promise,))
    found = clear(s, [0.0, 8.0, 0.0], bracket=True)
    np.testing.assert_allclose(found.least.equity, found.equity, atol=1e-11)
    assert "bracket" in repr(found)


def test_cover_of_claims_in_several_layers():
    layers = [Layer("a", csr_array(matrix(3, x01=4.0))), Layer("b", csr_array(matrix(3, x01=6.0)), rank=2)]
    s = system_from_arrays(layers, [10.0, 7.0, 50.0], [5.0, 0.0, 0.0], guarantees=(Guarantee(2, 0, "claims", 1),))
    found = clear(s, [0.0, 1.0, 0.0])  # 1 pays 4 of 4 and 2 of 6
    assert found.due[0, 0] == pytest.approx(4.0)
    assert found.equity[0, 0] == pytest.approx(15.0)


def stopped(**options):
    """0 depends on 1: each day without it costs 2 and leaves 4 unsettled."""
    services = Dependences(csr_array(matrix(3, x01=2.0)), csr_array(matrix(3, x01=4.0)))
    return system_from_arrays(np.zeros((3, 3)), [10.0, 3.0, 50.0], [8.0, 3.0, 0.0], dependences=services, **options)


def test_insurance_of_own_losses_does_not_cover_outages():
    s = stopped(guarantees=(Guarantee(2, 0, "own-loss", deductible=0.5),))
    found = clear(s, [1.5, 0.0, 0.0], outages=[0.0, 1.0, 0.0])
    np.testing.assert_allclose(found.loss_by_channel["guarantees"][0], [-1.0, 0.0, 1.0])


def test_support_covers_unsettled_payments_that_are_lost():
    """1 has 3 + 4 for 3 + 4 after losing 3.5: one half. 0 has 2, loses 2 to the outage and 4 / 2 unsettled: 2 are missing."""
    s = stopped(guarantees=(Guarantee(2, 0, "shortfall"),))
    found = clear(s, [0.0, 3.5, 0.0], outages=[0.0, 1.0, 0.0])
    np.testing.assert_allclose(found.loss_by_channel["settlement"][0], [2.0, 0.0, 0.0])
    np.testing.assert_allclose(found.loss_by_channel["guarantees"][0], [-2.0, 0.0, 2.0])
    assert not found.default[0, 0], "made whole is not failed"


def test_support_is_for_what_is_missing_before_guarantees_of_its_own():
    """0 owes 2 under its guarantee, with equity 1: it fails, since its supporter pays for other shortfalls only."""
    promises = (Guarantee(0, 2, "own-loss"), Guarantee(1, 0, "shortfall"))
    s = system_from_arrays(np.zeros((3, 3)), [5.0, 9.0, 5.0], [4.0, 0.0, 0.0], guarantees=promises)
    found = clear(s, [0.0, 0.0, 2.0])
    np.testing.assert_allclose(found.equity[0], [-1.0, 9.0, 3.0 + 2.0 * 5 / 6])


def test_what_is_promised_ranks_among_debts_valued_in_any_way():
    """A guarantee beside a layer that is cleared, in a system valued by DebtRank: 5 for debts of 8 and 2 promised."""
    promises = (Guarantee(0, 2, "own-loss"),)
    layers = [Layer("loans", csr_array(matrix(3, x10=8.0)), valuation="clearing")]
    s = system_from_arrays(layers, [8.0, 0.0, 5.0], [0.0, 0.0, 0.0], guarantees=promises)
    found = propagate(s, [3.0, 0.0, 2.0], valuation="linear-debtrank")
    assert found.value_in("loans")[0, 0] == pytest.approx(0.5)


def test_support_in_full_makes_whole_whatever_the_rounding():
    for missing in (0.1, 0.3, 1.7, 1 / 3):
        for owed in (5.0, 1e6, 1e-6):
            promises = (Guarantee(1, 0, "shortfall", limit=0.1 * owed), Guarantee(2, 0, "shortfall"))
            amounts = np.array([owed, 9 * owed, 9 * owed])
            s = system_from_arrays(np.zeros((3, 3)), amounts, [owed, 0.0, 0.0], guarantees=promises)
            found = clear(s, [missing * owed, 0.0, 0.0], alpha=0.5)
            assert not found.default[0, 0]
            assert found.value[0, 0] == 1.0


def test_without_outages_nothing_is_read_of_them(monkeypatch):
    """The empty array of outages lies, in this test, over memory full of NaN: whoever reads beyond its end finds them."""
    monkeypatch.setattr("poundlock.contagion.engine.EMPTY", np.full((64, 64), np.nan)[:0, :0])
    flow = csr_array(matrix(3, x01=5.0, x21=3.0))
    system = system_from_arrays(
        np.zeros((3, 3)), [10.0] * 3, [8.0] * 3, dependences=Dependences(csr_array(0.1 * flow), flow)
    )
    found = propagate(system, [0.0, 9.0, 0.0])
    np.testing.assert_array_equal(found.due, 0.0)
    np.testing.assert_allclose(found.equity, [[2.0, -7.0, 2.0]])
