from __future__ import annotations

import pytest

from poundlock.risk.controllability import Networks, Range, Tried, cheapest_setting, standing
from poundlock.risk.statistics import Estimate
from poundlock.rollout.plan import ExpectedShortfall

TOLERANCE = ExpectedShortfall(id="t", label="t", statistic="expected-shortfall", level=0.99, at_most=0.5)


def estimate(value: float, half: float = 0.01) -> Estimate:
    return Estimate(value, half / 1.96, value - half, value + half, 0.95, 1000)


def search(loss, *, today: float, tightest: float = 0.0, loosest: float = 1.0, half: float = 0.01):
    def evaluate(setting):
        return Tried(((estimate(loss(setting[0]), half),),), 100 * setting[0], 0.0, True)

    return cheapest_setting(evaluate, [TOLERANCE], [Range(tightest, loosest, 0.001)], today=(today,))


def test_a_standing_is_decided_by_the_whole_interval():
    assert standing(TOLERANCE, estimate(0.4)) == "holds"
    assert standing(TOLERANCE, estimate(0.495)) == "straddles"
    assert standing(TOLERANCE, estimate(0.6)) == "broken"


def test_the_loosest_cap_is_found_with_its_certificate():
    found = search(lambda c: c, today=0.3)
    assert found.verdict == "controlled"
    (setting,), (looser,) = found.setting, found.next_looser
    assert setting == pytest.approx(0.49, abs=0.001)  # the upper end meets the limit there
    assert setting < looser <= setting + 0.001
    assert not next(p for p in found.points if p.setting == (looser,)).holds


@pytest.mark.parametrize(
    ("loss", "today", "verdict"),
    [
        (lambda c: c, 0.8, "controllable"),
        (lambda c: 0.7 + c, 0.3, "not controllable"),
        (lambda c: 0.5, 0.3, "undecided"),
        (lambda c: 0.1, 0.3, "controlled"),
    ],
)
def test_the_four_verdicts(loss, today: float, verdict: str):
    assert search(loss, today=today).verdict == verdict


def test_a_cap_that_raises_risk_when_tightened_is_not_called_monotone():
    found = search(lambda c: 0.9 - 0.5 * c, today=0.5)
    assert not found.monotone
    assert found.verdict == "controllable"  # the loosest was tried and holds, whatever lies between
    missed = search(lambda c: 0.9 - 0.3 * c, today=0.5)
    assert not missed.monotone
    assert missed.verdict == "undecided"  # a dip between the settings tried may have been missed


def test_every_setting_is_simulated_once():
    asked: list[tuple[float, ...]] = []

    def evaluate(setting):
        asked.append(setting)
        return Tried(((estimate(setting[0]),),), 0.0, 0.0, True)

    cheapest_setting(evaluate, [TOLERANCE], [Range(0.0, 1.0, 0.01)], today=(1.0,))
    assert len(asked) == len(set(asked))
    assert len(asked) <= 2 + 7


def plane(weights, costs, *, limit_at: float = 0.5, ranges=None, share: float = 1.0):
    """Loss is a weighted sum of the settings; cost falls with each."""
    ranges = ranges or [Range(0.0, 1.0, 0.001)] * len(weights)

    def cost(setting):
        return sum(c * abs(v - r.loosest) for c, v, r in zip(costs, setting, ranges, strict=True))

    def evaluate(setting):
        loss = sum(w * v for w, v in zip(weights, setting, strict=True))
        return Tried(((estimate(loss, 1e-6),),), 0.0, cost(setting), True)

    tolerance = TOLERANCE.model_copy(update={"at_most": limit_at})
    today = tuple(r.loosest for r in ranges)
    return cheapest_setting(evaluate, [tolerance], ranges, today=today, cost=cost, share=share), cost


@pytest.mark.parametrize(
    ("weights", "costs", "best"),
    [
        ((0.5, 0.5), (1.0, 3.0), (0.0, 1.0)),  # the first is cheaper by unit of loss: it goes all the way
        ((0.5, 0.5), (3.0, 1.0), (1.0, 0.0)),
        ((0.8, 0.3), (1.0, 1.0), (0.25, 1.0)),  # tightening the first lowers more for the same cost
    ],
)
def test_the_cheapest_of_two_is_found(weights, costs, best):
    found, cost = plane(weights, costs)
    assert found.verdict == "controllable"
    assert cost(found.setting) <= cost(best) + 0.1  # within the last step of the outer grid
    assert found.held.holds


def test_three_controls_against_every_setting_of_a_grid():
    weights, costs = (0.6, 0.4, 0.3), (2.0, 1.0, 1.5)
    found, cost = plane(weights, costs, ranges=[Range(0.0, 1.0, 0.01)] * 3)
    grid = [k / 20 for k in range(21)]
    best = min(
        cost((a, b, c))
        for a in grid
        for b in grid
        for c in grid
        if weights[0] * a + weights[1] * b + weights[2] * c <= 0.5 - 1e-6
    )
    assert cost(found.setting) <= best + 0.1
    assert len(found.points) < 700


def test_a_control_that_rises_when_it_is_tightened():
    def evaluate(setting):
        return Tried(((estimate(0.9 - setting[0], 1e-6),),), 0.0, 0.0, True)

    found = cheapest_setting(evaluate, [TOLERANCE], [Range(1.0, 0.0, 0.001)], today=(0.0,))
    assert found.setting[0] == pytest.approx(0.4, abs=0.002)
    assert found.next_looser[0] < found.setting[0]
    assert found.monotone


def test_it_must_hold_in_the_share_of_networks_that_was_asked_for():
    def evaluate(setting):
        losses = [setting[0] * (1.0 + 0.1 * k) for k in range(10)]
        return Tried(tuple((estimate(x, 1e-6),) for x in losses), 0.0, 0.0, True)

    def held(share):
        found = cheapest_setting(evaluate, [TOLERANCE], [Range(0.0, 1.0, 1e-4)], today=(1.0,), share=share)
        assert found.networks == 10
        return found.setting[0]

    assert held(1.0) == pytest.approx(0.5 / 1.9, abs=2e-4)
    assert held(0.9) == pytest.approx(0.5 / 1.8, abs=2e-4)
    assert held(0.1) == pytest.approx(0.5, abs=2e-4)


def test_no_more_networks_are_looked_at_than_the_answer_needs():
    """Ten networks, network k at 1 + k / 10 times the setting: at 0.9 of the share, two that fail settle a setting."""
    asked: list[tuple[float, int]] = []

    def at(setting, network):
        asked.append((setting[0], network))
        return (estimate(setting[0] * (1.0 + 0.1 * network), 1e-6),), True, True

    networks = Networks(at, 10, [TOLERANCE], 0.9)
    found = cheapest_setting(
        lambda s: networks.tried(s, 0.0, 0.0), [TOLERANCE], [Range(0.0, 1.0, 1e-3)], today=(1.0,), share=0.9
    )
    assert found.setting[0] == pytest.approx(0.5 / 1.8, abs=2e-3)
    assert found.networks == 10
    assert found.held.share >= 0.9
    assert len(asked) < 0.8 * 10 * len(found.points)


def test_what_cannot_be_searched_is_refused():
    with pytest.raises(ValueError, match="one to four"):
        cheapest_setting(lambda s: None, [TOLERANCE], [], today=())
    with pytest.raises(ValueError, match="share of networks is 0"):
        cheapest_setting(lambda s: None, [TOLERANCE], [Range(0, 1, 0.1)], today=(0.0,), share=0.0)


def test_an_answer_prints_and_explains_itself():
    found, _ = plane((0.5, 0.5), (1.0, 3.0))
    assert "controllable: every tolerance holds at some permitted setting" in repr(found)
    assert "control 1" in repr(found)
    assert "next looser" in repr(found)
    said = found.explain()
    assert "Rule: a tolerance holds where the upper end" in said
    assert "tolerance 't' is used to" in said
    assert found._repr_html_().count("<tr>") == len(found.points) + 1
    none = search(lambda c: 0.7 + c, today=0.3)
    assert "even the tightest setting breaks a tolerance" in repr(none)
    assert "another control" in none.explain()
