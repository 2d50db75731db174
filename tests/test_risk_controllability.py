from __future__ import annotations

import pytest

from poundlock.risk.controllability import loosest_cap, standing
from poundlock.risk.statistics import Estimate
from poundlock.rollout.plan import ExpectedShortfall

TOLERANCE = ExpectedShortfall(id="t", label="t", statistic="expected-shortfall", level=0.99, at_most=0.5)


def estimate(value: float, half: float = 0.01) -> Estimate:
    return Estimate(value, half / 1.96, value - half, value + half, 0.95, 1000)


def search(loss, *, today: float, tightest: float = 0.0, loosest: float = 1.0, half: float = 0.01):
    return loosest_cap(
        lambda c: ([estimate(loss(c), half)], 100 * c, True),
        [TOLERANCE],
        today=today,
        tightest=tightest,
        loosest=loosest,
        resolution=0.001,
    )


def test_a_standing_is_decided_by_the_whole_interval():
    assert standing(TOLERANCE, estimate(0.4)) == "holds"
    assert standing(TOLERANCE, estimate(0.495)) == "straddles"
    assert standing(TOLERANCE, estimate(0.6)) == "broken"


def test_the_loosest_cap_is_found_with_its_certificate():
    found = search(lambda c: c, today=0.3)
    assert found.verdict == "controlled"
    assert found.setting == pytest.approx(0.49, abs=0.001)  # the upper end meets the limit there
    assert found.next_looser is not None
    assert found.setting < found.next_looser <= found.setting + 0.001
    assert not next(p for p in found.points if p.setting == found.next_looser).holds


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
    asked: list[float] = []

    def evaluate(setting: float):
        asked.append(setting)
        return [estimate(setting)], 0.0, True

    loosest_cap(evaluate, [TOLERANCE], today=1.0, tightest=0.0, loosest=1.0, resolution=0.01)
    assert len(asked) == len(set(asked))
    assert len(asked) <= 2 + 7
