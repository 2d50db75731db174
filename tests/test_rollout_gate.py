from __future__ import annotations

import itertools

import pytest

from poundlock.evidence import Doubt, Evidence
from poundlock.rollout.gate import (
    WORST_FIRST,
    Finding,
    judge_control,
    judge_effect,
    judge_inequality,
    judge_payments,
    judge_rules,
    judge_tolerance,
    verdict,
)
from poundlock.rollout.plan import (
    ControlGate,
    EffectGate,
    ExpectedShortfall,
    InequalityGate,
    PaymentsGate,
    RulesGate,
    ToleranceGate,
)
from poundlock.rollout.wording import shown

TOLERANCE = ExpectedShortfall(id="t", label="t", statistic="expected-shortfall", level=0.99, at_most=0.5)
HARD = TOLERANCE.model_copy(update={"hard": True})
LIMIT_GATE = ToleranceGate(kind="tolerance", id="g", asks="?", tolerance="t")
EFFECT_GATE = EffectGate(kind="effect", id="g", asks="?", outcome="o", above=0.0)
EVEN_GATE = InequalityGate(kind="inequality", id="g", asks="?", index="gini", from_year=2020, to_year=2022)
CONTROL_GATE = ControlGate(kind="controllable", id="g", asks="?", control="c")


def evidence(value=0.4, low=None, high=None, **options) -> Evidence:
    base = {
        "metric": "m",
        "value": value,
        "unit": "share",
        "as_of": "2024",
        "method": "m",
        "inputs": "d",
        "low": low,
        "high": high,
        "level": 0.95,
        "draws": 1000,
    }
    return Evidence(**(base | options))


@pytest.mark.parametrize(
    ("tolerance", "low", "high", "kind"),
    [
        (TOLERANCE, 0.39, 0.41, "pass"),
        (TOLERANCE, 0.39, 0.5, "pass"),
        (TOLERANCE, 0.45, 0.55, "inconclusive"),
        (TOLERANCE, 0.51, 0.55, "fail"),
        (HARD, 0.51, 0.55, "breach"),
        (HARD, 0.45, 0.55, "inconclusive"),
    ],
)
def test_a_tolerance_is_judged_by_the_whole_interval(tolerance, low, high, kind):
    found = judge_tolerance(LIMIT_GATE, tolerance, evidence((low + high) / 2, low, high))
    assert found.kind == kind
    assert found.would_change


UNFIT = [
    (evidence(None, missing="no figures"), "no data"),
    (evidence(None, error="it broke"), "error"),
    (evidence(0.1, 0.1, 0.1, converged=False), "inconclusive"),
    (evidence(0.1, 0.1, 0.1, doubts=(Doubt("poor fit", "another comparison"),)), "inconclusive"),
]


@pytest.mark.parametrize(("unfit", "kind"), UNFIT)
def test_missing_unconverged_or_doubtful_evidence_never_passes(unfit: Evidence, kind: str):
    """Whatever the gate and however good the number looks."""
    judged = [
        judge_tolerance(LIMIT_GATE, TOLERANCE, unfit),
        judge_effect(EFFECT_GATE, unfit),
        judge_inequality(EVEN_GATE, unfit),
        judge_control(CONTROL_GATE, unfit, "controlled", "25 % of tier 1", "30 % of tier 1", today_broken=False),
    ]
    assert {f.kind for f in judged} == {kind}
    assert all(f.why and f.would_change for f in judged)


def test_every_doubt_brings_its_cure():
    found = judge_effect(EFFECT_GATE, evidence(1.0, 0.9, 1.1, doubts=(Doubt("a", "cure a"), Doubt("b", "cure b"))))
    assert (found.why, found.would_change) == ("a; b", "cure a; cure b")


@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [(0.1, 0.3, "pass"), (-0.1, 0.3, "inconclusive"), (-0.3, -0.1, "fail"), (0.0, 0.3, "inconclusive")],
)
def test_an_effect_must_be_wholly_on_the_promised_side(low, high, kind):
    assert judge_effect(EFFECT_GATE, evidence((low + high) / 2, low, high, unit="log points")).kind == kind
    below = EffectGate(kind="effect", id="g", asks="?", outcome="o", below=0.0)
    assert judge_effect(below, evidence(-(low + high) / 2, -high, -low, unit="log points")).kind == kind


@pytest.mark.parametrize(("value", "kind"), [(-0.01, "pass"), (0.0, "pass"), (0.01, "fail")])
def test_inequality_is_judged_by_its_change(value, kind):
    assert judge_inequality(EVEN_GATE, evidence(value, unit="index change")).kind == kind


@pytest.mark.parametrize(
    ("outcome", "value", "broken", "kind"),
    [
        ("controlled", 0.4, False, "pass"),
        ("controllable", 0.1, True, "fail"),
        ("controllable", 0.1, False, "inconclusive"),
        ("not controllable", None, True, "fail"),
        ("undecided", None, False, "inconclusive"),
    ],
)
def test_controllability_is_judged_at_todays_setting(outcome, value, broken, kind):
    found = evidence(value, missing="" if value is not None else "no setting holds", unit="of tier 1")
    assert (
        judge_control(CONTROL_GATE, found, outcome, "25 % of tier 1", "30 % of tier 1", today_broken=broken).kind
        == kind
    )


def test_the_worst_finding_wins_in_any_order():
    """Every pair of kinds, both ways round; and nothing at all is no data, never a pass."""

    def finding(kind) -> Finding:
        return Finding("g", "?", kind, evidence(), "l", "w", "c")

    for a, b in itertools.product(WORST_FIRST, repeat=2):
        worst = WORST_FIRST[min(WORST_FIRST.index(a), WORST_FIRST.index(b))]
        assert verdict([finding(a), finding(b)]).worst == worst
        assert verdict([finding(b), finding(a)]).sentence
    assert verdict([]).worst == "no data"


def test_what_was_not_asked_is_not_passed():
    v = verdict([], [("Did it work?", "no pilot")])
    assert v.worst == "no data"
    assert v.absent == (("Did it work?", "no pilot"),)


def test_straddling_says_how_many_scenarios_would_decide():
    found = judge_tolerance(LIMIT_GATE, TOLERANCE, evidence(0.49, 0.47, 0.51))
    assert "about 4,000 scenarios instead of 1,000" in found.would_change


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.12345, "share", "12.35 %"),
        (0.0002, "share", "0.02 %"),
        (0.0, "share", "0.00 %"),
        (-0.208, "log points", "−0.208"),
        (-0.00035, "log points", "−0.0003"),
        (0.25, "of tier 1", "25 % of tier 1"),
        (None, "share", "none"),
        (0.0, "log points", "0"),
    ],
)
def test_numbers_read_well(value, unit, text):
    assert shown(value, unit) == text


def test_evidence_refuses_what_it_cannot_stand_for():
    with pytest.raises(ValueError, match="does not say why"):
        evidence(None)
    with pytest.raises(ValueError, match="upside down"):
        evidence(0.5, 0.6, 0.4)
    with pytest.raises(ValueError, match="not finite"):
        evidence(float("nan"))


def test_a_rule_that_binds_is_kept_or_breached():
    gate = RulesGate(kind="rules", id="g", asks="?")
    kept, broken = (judge_rules(gate, evidence(x, unit="in breach"), "A-01 by 2 institutions") for x in (0.0, 2.0))
    assert (kept.kind, broken.kind) == ("pass", "breach")
    assert broken.why == "breached: A-01 by 2 institutions"
    assert judge_rules(gate, evidence(None, missing="nothing is limited"), "").kind == "no data"


def payments_gate(**side):
    return PaymentsGate(kind="payments", id="g", asks="?", indicator="largest-share", **side)


def test_a_payment_figure_passes_within_its_limit_and_fails_or_breaches_beyond():
    most, hard, least = payments_gate(at_most=0.5), payments_gate(at_most=0.5, hard=True), payments_gate(at_least=1.0)
    kinds = [
        judge_payments(gate, evidence(x)).kind
        for gate, x in ((most, 0.5), (most, 0.51), (hard, 0.51), (least, 1.0), (least, 0.99))
    ]
    assert kinds == ["pass", "fail", "breach", "pass", "fail"]
    assert judge_payments(most, evidence(0.51)).would_change == "a figure of 50.00 % or less"
    assert judge_payments(least, evidence(1.0)).would_change == "a figure below 100.00 %"


def test_a_payment_figure_in_doubt_never_passes():
    doubt = Doubt("3 late records among the records", "corrected files")
    assert judge_payments(payments_gate(at_most=1.0), evidence(0.1, doubts=(doubt,))).kind == "inconclusive"
    assert judge_payments(payments_gate(at_most=1.0), evidence(None, missing="no figure")).kind == "no data"


@pytest.mark.parametrize("sides", [{}, {"at_most": 1.0, "at_least": 0.0}])
def test_a_payment_gate_has_one_side(sides):
    with pytest.raises(ValueError, match="exactly one"):
        payments_gate(**sides)
