"""Every way in which a gate can be judged, and how a verdict is told."""

from __future__ import annotations

import pytest

from poundlock.rollout.gate import (
    WORST_FIRST,
    Finding,
    Verdict,
    judge_alarm,
    judge_brake,
    judge_control,
    judge_effect,
    judge_tolerance,
    verdict,
)
from poundlock.rollout.plan import AlarmGate, BrakeGate, ControlGate, EffectGate
from test_rollout_gate import CONTROL_GATE, HARD, LIMIT_GATE, TOLERANCE, UNFIT, evidence

BRAKE_GATE = BrakeGate(kind="brake", id="g", asks="In time?", brake="b")
ALARM_GATE = AlarmGate(kind="alarm", id="g", asks="Quiet?", outcome="o")
DAYS = evidence(20.0, unit="days")


def found(kind: str) -> Finding:
    return Finding("g", "Is it so?", kind, evidence(), "at most 1", "it is", "less")


@pytest.mark.parametrize(
    ("holds", "broken", "kind", "why"),
    [
        (True, False, "pass", "in time: every tolerance holds up to 20 days"),
        (False, False, "inconclusive", "simulation error straddles a limit after 10 days"),
        (
            False,
            True,
            "fail",
            "decided on after 10 days the control comes too late: every tolerance holds up to 20 days",
        ),
    ],
)
def test_a_brake_is_judged_at_the_delay_of_the_plan(holds: bool, broken: bool, kind: str, why: str):
    judged = judge_brake(BRAKE_GATE, DAYS, 10.0, holds=holds, broken=broken)
    assert judged.kind == kind
    assert judged.why.startswith(why)
    assert judged.would_change


def test_a_brake_that_holds_at_no_delay_says_so():
    judged = judge_brake(BRAKE_GATE, evidence(None, missing="none"), 10.0, holds=False, broken=True)
    assert judged.why.endswith("every tolerance holds at none")


@pytest.mark.parametrize(("unfit", "kind"), UNFIT)
def test_an_unfit_brake_or_silent_alarm_never_passes(unfit, kind):
    assert judge_brake(BRAKE_GATE, unfit, 10.0, holds=True, broken=False).kind == kind
    assert judge_alarm(ALARM_GATE, unfit).kind == kind


def test_an_alarm_sounds_at_one_over_alpha_and_not_below():
    assert judge_alarm(ALARM_GATE, evidence(19.9, unit="times")).kind == "pass"
    assert judge_alarm(ALARM_GATE, evidence(20.0, unit="times")).kind == "fail"


def test_an_alarm_that_sounded_counts_whatever_else_is_in_doubt_but_not_through_an_error():
    doubtful = UNFIT[3][0].__class__
    doubts = UNFIT[3][0].doubts
    loud = evidence(50.0, unit="times", doubts=doubts)
    assert isinstance(loud, doubtful)
    judged = judge_alarm(ALARM_GATE, loud)
    assert judged.kind == "fail"
    assert judged.why.endswith(f"; {doubts[0].reason}")


@pytest.mark.parametrize(
    ("low", "high", "change"),
    [(0.3, 0.4, "a limit below 40.00 %, or a figure larger by 10.00 points"), (0.4, 0.5, "any larger loss")],
)
def test_what_would_change_a_pass(low, high, change):
    assert judge_tolerance(LIMIT_GATE, TOLERANCE, evidence((low + high) / 2, low, high)).would_change == change
    assert judge_tolerance(LIMIT_GATE, HARD, evidence(0.5, 0.45, 0.55, draws=None)).would_change == "more scenarios"


def test_a_control_says_from_where_or_up_to_where_it_holds():
    limited = evidence(0.25, low=0.25, high=0.3, unit="of tier 1")
    up = judge_control(CONTROL_GATE, limited, "controlled", "no cap", "", today_broken=False)
    assert "holds today, and up to 25 %" in up.why
    assert up.limit == "every tolerance holds today, without a cap"
    rising = judge_control(CONTROL_GATE, limited, "controllable", "x", "", today_broken=True, rising=True)
    assert (rising.kind, rising.would_change[:21]) == ("fail", "a setting of at least")
    loosest = judge_control(CONTROL_GATE, evidence(0.25), "controlled", "x", "", today_broken=False)
    assert loosest.why.endswith("the loosest that may be set")
    both = ControlGate(kind="controllable", id="g", asks="?", control="c", together=("d",))
    cheapest = judge_control(both, evidence(0.25), "controllable", "x", "a cap of 3 %", today_broken=True)
    assert cheapest.would_change == "a cap of 3 %"
    held = judge_control(both, evidence(0.25), "controlled", "x", "a cap of 3 %", today_broken=False)
    assert held.would_change.startswith("a setting that costs less")


@pytest.mark.parametrize("outcome", ["not controllable", "undecided"])
def test_a_search_that_broke_off_is_an_error_whatever_it_says(outcome: str):
    broke = evidence(None, error="it broke")
    assert judge_control(CONTROL_GATE, broke, outcome, "x", "", today_broken=True).kind == "error"


@pytest.mark.parametrize(
    ("gate", "value", "side"),
    [
        ({"above": 0.0}, 0.1, "below the estimate of less than"),
        ({"above": 0.0}, -0.1, "above the estimate of at most"),
        ({"below": 0.0}, -0.1, "above the estimate of less than"),
        ({"below": 0.0}, 0.1, "below the estimate of at most"),
    ],
)
def test_an_undecided_effect_says_which_way_it_leans(gate, value, side):
    effect = EffectGate(kind="effect", id="g", asks="?", outcome="o", **gate)
    judged = judge_effect(effect, evidence(value, -0.2, 0.2, unit="log points"))
    assert judged.kind == "inconclusive"
    assert side in judged.would_change


@pytest.mark.parametrize("kind", WORST_FIRST)
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("opens", ["", "delta"])
def test_a_verdict_says_what_it_means_for_the_next_step(kind, count, opens):
    said = verdict([found(kind)] * count, opens=opens).sentence
    assert said.endswith(".")
    if kind == "pass":
        assert ("two people may now sign for stage 'delta'" in said) == bool(opens)
    else:
        assert said.startswith(("Hold", "Do not go on") if opens else ("Undecided", "Not within limits"))
        assert ("2 of 2 questions" in said) == (count == 2)


def test_a_verdict_explains_every_finding_and_what_was_not_asked():
    of: Verdict = verdict([found("pass"), found("fail")], [("Did it work?", "no pilot")])
    said = of.explain()
    assert said.startswith("Verdict: fail.")
    assert said.endswith("Did it work? NOT ASKED\n  Why: no pilot")
    assert said.count("Is it so?") == 2
    assert of.findings[0].explain() in said
    assert "fail" in repr(of)
    assert "<table" in of._repr_html_()
