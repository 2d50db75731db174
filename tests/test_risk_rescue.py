"""The cheapest money that holds a tail limit: worked by hand, against HiGHS on the whole programme, against all subsets."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poundlock.contagion import clear
from poundlock.risk.rescue.active_set import injection_by_active_set
from poundlock.risk.rescue.case import least_cost, make_case, statistic
from poundlock.risk.rescue.programme import injection_by_programme
from poundlock.risk.rescue.rescue import Rescue, cheapest_fund, cheapest_injection, cheapest_rescues
from poundlock.system import Layer, synthetic_system, system_from_arrays

CHAIN = system_from_arrays([[0.0, 0.0], [10.0, 0.0]], [12.0, 0.0], [0.0, 8.0])
HIT = [8.0, 0.0]
"""A (12 outside assets, loses 8) owes 10 to B, which has nothing else and owes 8 outside. A pays 4, so does B: 6 and 4 unpaid."""

THREE = system_from_arrays(
    [[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [12.0, 0.0, 7.0], [0.0, 8.0, 6.0], names=["A", "B", "C"]
)
EITHER = [[8.0, 0.0, 0.0], [0.0, 0.0, 5.0]]
"""The chain, and C (7 outside assets, owes 6 outside): in one scenario A loses 8 (10 unpaid), in the other C loses 5 (4 unpaid)."""


@pytest.mark.parametrize("method", ["auto", "active set", "cuts", "highs-ds", "highs-ipm"])
@pytest.mark.parametrize(
    ("limit", "cost", "price"),
    [(3.0, 3.5, 0.5), (1.0, 5.0, 1.0), (0.0, 6.0, 1.0)],
)
def test_money_to_the_head_of_a_chain_counts_twice(method, limit: float, cost: float, price: float):
    """x to A leaves 6 - x at A and max(0, 4 - x) at B: the loss falls by 2 a unit to x = 4 (loss 2), then by 1 to x = 6."""
    found = cheapest_injection(CHAIN, HIT, limit=limit, level=0.0, method=method)
    assert found.before == pytest.approx(10.0)
    assert found.cost == pytest.approx(cost, rel=1e-7)
    np.testing.assert_allclose(found.injections, [cost, 0.0], atol=1e-6)
    if limit > 0.0:
        assert found.price == pytest.approx(price, rel=1e-6)
    assert found.converged
    assert found.holds
    assert found.bound == pytest.approx(found.cost, rel=1e-7)


def test_costs_move_the_money_down_the_chain():
    """3 a + b, with (6 - a) + max(0, 4 - a - b) <= 3. With b = 4 - a the first term alone counts: a = 3, b = 1, cost 10; all by
    a = 3.5 would cost 10.5. A limit higher by d lets a fall by d and b rise by d: 2 d saved."""
    found = cheapest_injection(CHAIN, HIT, limit=3.0, level=0.0, cost=[3.0, 1.0])
    np.testing.assert_allclose(found.injections, [3.0, 1.0], atol=1e-6)
    assert found.cost == pytest.approx(10.0)
    assert found.price == pytest.approx(2.0)


def test_what_outside_creditors_lose_falls_once():
    """Only B owes outside: 4 unpaid there; each unit to A or to B takes one off."""
    found = cheapest_injection(CHAIN, HIT, limit=1.0, level=0.0, of="unpaid outside")
    assert (found.before, found.cost, found.price) == pytest.approx((4.0, 3.0, 1.0))
    by_weights = cheapest_injection(CHAIN, HIT, limit=1.0, level=0.0, of=[0.0, 1.0])
    assert by_weights.cost == pytest.approx(3.0)


@pytest.mark.parametrize("method", ["auto", "cuts", "highs"])
def test_a_cap_that_cannot_hold_says_by_how_much(method):
    """A may get 1: then 5 are unpaid at A whatever B gets; the limit 3 is missed by 2."""
    found = cheapest_injection(CHAIN, HIT, limit=3.0, level=0.0, most=[1.0, np.inf], method=method)
    assert not found.holds
    assert found.verified_miss == pytest.approx(2.0)
    assert found.bound == np.inf
    assert "infeasible" in found.status
    assert "2" in found.status
    assert "NOT held" in repr(found)


@pytest.mark.parametrize("method", ["auto", "cuts", "highs"])
def test_capital_serves_all_scenarios_a_fund_one_at_a_time(method):
    """Worst of two at most 3: A needs 3.5, C needs 1. Capital: 4.5 in all. A fund pays 3.5 in one scenario and 1 in the other: 3.5."""
    capital = cheapest_injection(THREE, EITHER, limit=3.0, level=0.5, method=method)
    np.testing.assert_allclose(capital.injections, [3.5, 0.0, 1.0], atol=1e-6)
    fund = cheapest_fund(THREE, EITHER, limit=3.0, level=0.5, method=method)
    assert fund.fund == pytest.approx(3.5)
    assert fund.converged
    assert fund.injections.shape == (2, 3)
    assert fund.injections.sum(axis=1).max() <= 3.5 * (1.0 + 1e-6)


@pytest.mark.parametrize("method", ["auto", "cuts", "highs"])
def test_a_limit_on_the_mean(method):
    """Mean 7 to at most 3: losses together from 14 to 6. Capital: 4 to A takes 8 off. A fund of F takes 2 F off the first and F off
    the second (F <= 4): 3 F = 8."""
    capital = cheapest_injection(THREE, EITHER, limit=3.0, level=0.0, method=method)
    assert capital.cost == pytest.approx(4.0)
    fund = cheapest_fund(THREE, EITHER, limit=3.0, level=0.0, method=method)
    assert fund.cost == pytest.approx(8.0 / 3.0)
    assert fund.gap == pytest.approx(0.0, abs=1e-6)


def test_rescues_are_whole():
    """Needs 6, 4, 4. Worst at most 3: A and C, 10 (B instead of A leaves 6 unpaid at A). At most 4: A alone, 6."""
    found = cheapest_rescues(THREE, EITHER, limit=3.0, level=0.5)
    np.testing.assert_allclose(found.injections, [6.0, 0.0, 4.0], rtol=1e-9)
    assert found.converged
    assert cheapest_rescues(THREE, EITHER, limit=4.0, level=0.5).cost == pytest.approx(6.0)
    small = cheapest_rescues(THREE, EITHER, limit=3.0, level=0.5, needs=[1.0, 4.0, 4.0])
    assert "infeasible" in small.status
    assert small.verified_miss == pytest.approx(2.0)  # 5 unpaid at A, B saved


def test_a_ring_passes_help_on():
    """Three in a ring, 10 each to the next and 10 outside; nothing left after the shock but 8 at the first. Half of what each pays
    stays inside: payments 8, 0, 0 and the echo: p1 = 8 + p3 / 2, p2 = p1 / 2, p3 = p2 / 2, so p1 = 64 / 7. A unit to anybody
    lifts payments by 1 + 1/2 + 1/4 + ... = 2 while all fail; only outside creditors take money out, 1 a unit in the end."""
    ring = [[0.0, 0.0, 10.0], [10.0, 0.0, 0.0], [0.0, 10.0, 0.0]]
    system = system_from_arrays(ring, [20.0, 20.0, 20.0], [10.0, 10.0, 10.0])
    found = cheapest_injection(system, [12.0, 20.0, 20.0], limit=34.0, level=0.0)
    assert found.before == pytest.approx(60.0 - 16.0)
    assert found.cost == pytest.approx(5.0)
    assert found.price == pytest.approx(0.5)
    outside = cheapest_injection(system, [12.0, 20.0, 20.0], limit=17.0, level=0.0, of="unpaid outside")
    assert outside.cost == pytest.approx(5.0)  # 22 unpaid outside, each unit takes one off


def test_nothing_is_needed_where_the_limit_holds():
    for found in (
        cheapest_injection(THREE, EITHER, limit=10.0, level=0.5),
        cheapest_fund(THREE, EITHER, limit=10.0, level=0.5),
        cheapest_rescues(THREE, EITHER, limit=10.0, level=0.5),
    ):
        assert found.cost == found.bound == 0.0
        assert not found.injections.sum()
        assert found.converged
        assert found.status == "held already"


def drawn(seed: int, most_banks: int = 40, most_scenarios: int = 50):
    """A random system, losses of any severity, a level with a tail, a limit between all and nothing held."""
    draw = np.random.default_rng(seed)
    n, count = int(draw.integers(2, most_banks + 1)), int(draw.integers(1, most_scenarios + 1))
    exposures = draw.lognormal(0, 1.5, (n, n)) * (draw.random((n, n)) < draw.uniform(0.05, 1.0))
    np.fill_diagonal(exposures, 0.0)
    assets = draw.lognormal(0, 1, n) * max(exposures.sum(), 0.1) / n + 0.1
    system = system_from_arrays(exposures, assets, draw.random(n) * assets * (draw.random(n) < 0.8))
    losses = np.minimum(draw.uniform(0, 1.3, (count, 1)) * draw.random((count, n)), 1.0) * assets
    level = 0.0 if count == 1 else float(draw.uniform(0.0, 1.0 - 1.0 / count))
    asked = {
        "level": level,
        "of": ["unpaid", "unpaid outside", draw.random(n)][draw.integers(3)],
        "cost": None if draw.random() < 0.5 else draw.uniform(0.5, 2.0, n),
    }
    before = cheapest_injection(system, losses, limit=1e9, **asked).before
    return system, losses, {**asked, "limit": before * draw.random()}, draw


def same(found: Rescue, expected: Rescue) -> None:
    size = max(expected.cost, 1e-3 * expected.before, 1e-9)
    assert found.converged, found
    assert found.cost == pytest.approx(expected.cost, abs=1e-7 * size)
    assert found.verified_miss <= 1e-7 * max(found.before, 1e-9)
    assert -1e-7 * size <= found.gap <= 1e-6 * size


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_cuts_cost_what_the_whole_programme_costs(seed: int):
    system, losses, asked, draw = drawn(seed)
    if draw.random() < 0.4:
        short = np.maximum(-clear(system, losses).equity, 0.0).max(axis=0)
        asked["most"] = draw.uniform(0.3, 1.5) * short
    expected = cheapest_injection(system, losses, method="highs-ds", **asked)
    if expected.holds:
        same(cheapest_injection(system, losses, **asked), expected)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_a_fund_by_cuts_is_as_small_as_by_the_whole_programme(seed: int):
    system, losses, asked, _ = drawn(seed, 12, 12)
    asked.pop("cost")
    expected = cheapest_fund(system, losses, method="highs-ds", **asked)
    same(cheapest_fund(system, losses, method="cuts", **asked), expected)
    assert expected.cost <= cheapest_injection(system, losses, **asked).cost * (1.0 + 1e-6) + 1e-9


def one_scenario(seed: int):
    """A sparse system in one scenario, half of them with caps and costs, as a case whose limit can be held."""
    draw = np.random.default_rng(seed)
    n = int(draw.integers(2, 150))
    if draw.random() < 0.5:
        system = synthetic_system(n, min(n - 1, 8), seed=seed % 1000, equity_share=0.03, external_multiple=1.1)
    else:
        exposures = draw.lognormal(0, 1.5, (n, n)) * (draw.random((n, n)) < draw.uniform(2, 12) / n)
        np.fill_diagonal(exposures, 0.0)
        assets = draw.lognormal(0, 1, n) * max(exposures.sum(), 0.1) / n + 0.1
        system = system_from_arrays(exposures, assets, draw.random(n) * assets)
    losses = draw.random() * draw.random(n) * system.external_assets
    most = None if draw.random() < 0.5 else draw.uniform(0.0, 0.5, n) * system.external_assets
    cost = None if draw.random() < 0.5 else draw.uniform(0.7, 1.5, n)
    case = make_case(system, losses, 0.0, 0.0, ["unpaid", "unpaid outside"][draw.integers(2)], most, cost)
    least, before = statistic(case, case.most), statistic(case, np.zeros(n))
    return replace(case, limit=least + (before - least) * draw.uniform(0.02, 0.98)), before - least


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_the_active_set_costs_what_the_whole_programme_costs(seed: int):
    """few = 0: states are guessed however small the system."""
    case, room = one_scenario(seed)
    if room < 1e-6:
        return
    found, expected = injection_by_active_set(case, few=0), injection_by_programme(case, "highs-ds")
    assert found.solved
    assert case.cost @ found.injected == pytest.approx(case.cost @ expected.injected, rel=1e-7, abs=1e-10)
    assert statistic(case, found.injected) <= case.limit + 1e-8


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_any_prices_give_a_bound(seed: int):
    case, room = one_scenario(seed)
    if room < 1e-6:
        return
    draw = np.random.default_rng(seed)
    expected = injection_by_programme(case, "highs-ds")
    best = float(case.cost @ expected.injected)
    for _ in range(20):
        price, found = draw.exponential(1.0, 1), draw.exponential(0.5, (1, len(case.owed)))
        assert least_cost(case, price, found) <= best * (1.0 + 1e-7) + 1e-9


@pytest.mark.parametrize("seed", range(12))
def test_rescues_against_all_subsets(seed: int):
    draw = np.random.default_rng(seed)
    n, count = int(draw.integers(2, 9)), int(draw.integers(2, 6))
    exposures = draw.lognormal(0, 1.0, (n, n)) * (draw.random((n, n)) < 0.5)
    np.fill_diagonal(exposures, 0.0)
    assets = exposures.sum(axis=0) + 1.0
    system = system_from_arrays(exposures, assets, 0.5 * assets)
    losses = draw.random((count, n)) * assets
    short = np.maximum(-clear(system, losses).equity, 0.0)
    needs, limit = short.max(axis=0), 0.4 * short.sum(axis=1).max()
    worst = 1.0 / count  # the worst scenario alone
    found = cheapest_rescues(system, losses, limit=limit, level=1.0 - worst)
    costs = [
        float(needs @ chosen)
        for chosen in product([0.0, 1.0], repeat=n)
        if np.maximum(-clear(system, losses - needs * chosen).equity, 0.0).sum(axis=1).max() <= limit * (1 + 1e-9)
    ]
    assert found.converged
    assert found.cost == pytest.approx(min(costs), rel=1e-6)


def test_a_lower_limit_never_costs_less():
    system = synthetic_system(30, 6, seed=3, equity_share=0.05, external_multiple=1.0)
    losses = np.random.default_rng(0).uniform(0.0, 0.3, (20, 30)) * system.external_assets
    before = cheapest_injection(system, losses, limit=1e9, level=0.8).before
    shares = (1.0, 0.8, 0.5, 0.2, 0.05, 0.0)
    for verb in (cheapest_injection, cheapest_fund):
        costs = [verb(system, losses, limit=share * before, level=0.8).cost for share in shares]
        assert costs[0] == 0.0
        assert np.all(np.diff(costs) > 0.0)
        assert np.all(np.diff(np.diff(costs) / -np.diff(shares)) > -1e-6)  # convex in the limit


def test_money_of_any_size_gives_the_same_answer():
    for unit in (1e-4, 1e7):
        system = system_from_arrays(
            np.array([[0.0, 0.0], [10.0, 0.0]]) * unit, np.array([12.0, 0.0]) * unit, [0.0, 8.0 * unit]
        )
        for method in ("active set", "cuts", "highs"):
            found = cheapest_injection(system, np.array(HIT) * unit, limit=3.0 * unit, level=0.0, method=method)
            assert found.cost == pytest.approx(3.5 * unit, rel=1e-7)


def test_rounds_and_time_that_run_out_are_told():
    system = synthetic_system(40, 8, seed=5, equity_share=0.05, external_multiple=1.0)
    losses = np.random.default_rng(0).uniform(0.0, 0.3, (30, 40)) * system.external_assets
    best = cheapest_injection(system, losses, limit=5.0, level=0.9)
    early = cheapest_injection(system, losses, limit=5.0, level=0.9, method="cuts", rounds=2)
    assert not early.converged
    assert "NOT proved cheapest" in early.status
    assert early.holds
    assert early.bound <= best.cost * (1.0 + 1e-9)
    assert early.cost >= best.cost * (1.0 - 1e-9)
    whole = cheapest_rescues(system, losses, limit=5.0, level=0.9, time_limit=0.05)
    assert whole.holds
    assert whole.bound <= whole.cost
    assert whole.converged or "limit of time" in whole.status


def test_it_tells_the_rule_the_numbers_and_what_would_change_them():
    found = cheapest_injection(THREE, EITHER, limit=3.0, level=0.5)
    said = found.explain()
    for part in ("expected shortfall at 0.5 of unpaid", "at most 3", "A 3.5", "C 1", "saves about", "weak duality"):
        assert part in said
    assert found._repr_html_().startswith("<table>")
    assert [name for name, _ in found.largest] == ["A", "C"]
    assert [amount for _, amount in found.largest] == pytest.approx([3.5, 1.0])
    assert "branch and bound" in cheapest_rescues(THREE, EITHER, limit=3.0, level=0.5).explain()
    assert "fund of" in repr(cheapest_fund(THREE, EITHER, limit=3.0, level=0.5))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"level": 1.0}, "level is 1"),
        ({"level": -0.1}, "level is -0.1"),
        ({"level": 0.99}, "no tail"),
        ({"limit": -1.0}, "limit is -1"),
        ({"limit": np.nan}, "limit is nan"),
        ({"of": "profit"}, "unknown loss 'profit'"),
        ({"of": [1.0]}, "of has shape"),
        ({"of": [1.0, -1.0, 0.0]}, "0 or more"),
        ({"most": [1.0]}, "most has shape"),
        ({"cost": [1.0, 0.0, 1.0]}, "above 0"),
        ({"losses": [[1.0, 2.0]]}, "losses have shape"),
        ({"losses": [[13.0, 0.0, 0.0], [0.0, 0.0, 0.0]]}, "no more than there is to lose"),
        ({"method": "active set"}, "for one scenario"),
        ({"method": "simplex"}, "unknown method"),
    ],
)
def test_what_is_refused(changed, said: str):
    asked = {"limit": 3.0, "level": 0.5, "losses": EITHER, **changed}
    with pytest.raises(ValueError, match=said):
        cheapest_injection(THREE, asked.pop("losses"), **asked)


@pytest.mark.parametrize(
    ("system", "said"),
    [
        (replace(THREE, external_rank=2), "debts of 2 ranks"),
        (replace(THREE, layers=(replace(THREE.layers[0], valuation="default-only"),)), "default-only"),
        (replace(THREE, layers=(*THREE.layers, Layer("held", 0.01 * THREE.layers[0].amounts, kind="stake"))), "stakes"),
    ],
)
def test_other_systems_are_refused(system, said: str):
    with pytest.raises(ValueError, match=said):
        cheapest_injection(system, EITHER, limit=3.0, level=0.5)
