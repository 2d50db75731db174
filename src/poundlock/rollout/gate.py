"""Evidence against what was declared: one finding a gate, the worst of them the verdict.

Ranks: breach > fail > error > no data > inconclusive > pass. Missing, unconverged or doubtful evidence never passes.
A machine judges and may hold; only people promote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from poundlock.evidence import Evidence
from poundlock.rollout.plan import ControlGate, EffectGate, InequalityGate, Tolerance, ToleranceGate

Kind = Literal["pass", "inconclusive", "no data", "error", "fail", "breach"]
WORST_FIRST: Final[tuple[Kind, ...]] = ("breach", "fail", "error", "no data", "inconclusive", "pass")


@dataclass(frozen=True, slots=True)
class Finding:
    """One gate judged. limit: what was asked of the number, in words. why: one sentence. would_change: what would have
    to be different for another finding."""

    gate: str
    asks: str
    kind: Kind
    evidence: Evidence
    limit: str
    why: str
    would_change: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """worst: the worst finding, or 'no data' where a plan has no gate. absent: questions that the plan left out, with
    its reason; they are not passed, they were not asked. opens: id of the stage that a pass would open, if any."""

    worst: Kind
    findings: tuple[Finding, ...]
    absent: tuple[tuple[str, str], ...] = ()
    opens: str = ""

    @property
    def sentence(self) -> str:
        """What the verdict means for the next step, and how many gates stand behind it."""
        count = sum(f.kind == self.worst for f in self.findings)
        some = f"{count} of {len(self.findings)} questions" if count > 1 else f"one of {len(self.findings)} questions"
        verb = "are" if count > 1 else "is"
        return {
            "pass": f"Every gate is passed: two people may now sign for stage '{self.opens}'."
            if self.opens
            else "Every question that was asked is answered within its limits.",
            "inconclusive": f"Hold: {some} {verb} not decided by the evidence, and none is answered against it.",
            "no data": f"Hold: {some} {'have' if count > 1 else 'has'} no evidence.",
            "error": f"Hold: the figure for {some} could not be computed.",
            "fail": f"Do not go on: {some} {verb} answered against it.",
            "breach": f"Do not go on: {some} {verb} answered by a broken hard limit.",
        }[self.worst]


def verdict(findings: Sequence[Finding], absent: Sequence[tuple[str, str]] = (), opens: str = "") -> Verdict:
    """The worst finding wins; no finding at all is no data."""
    worst: Kind = min((f.kind for f in findings), key=WORST_FIRST.index) if findings else "no data"
    return Verdict(worst, tuple(findings), tuple(absent), opens)


def shown(value: float | None, unit: str) -> str:
    """A number as a reader wants it: shares in per cent, log points with their sign, money with its unit."""
    if value is None:
        return "none"
    if unit == "share":
        percent = 100.0 * value
        text = f"{percent:.2f} %" if abs(percent) >= 0.095 or percent == 0 else f"{percent:.2g} %"
    elif unit == "of tier 1":
        text = f"{100.0 * value:.0f} % of tier 1"
    elif unit == "log points":
        text = f"{value:+.3f}" if abs(value) >= 0.0005 or value == 0 else f"{value:+.1g}"
    elif unit in ("index", "index change"):
        text = f"{value:+.4f}" if unit == "index change" else f"{value:.4f}"
    else:
        text = f"{value:,.4g} {unit}"
    return text.replace("-", "−").replace("+0.0000", "0").replace("+0.000", "0")


def _unfit(evidence: Evidence) -> tuple[Kind, str] | None:
    if evidence.error:
        return "error", evidence.error
    if evidence.value is None:
        return "no data", evidence.missing
    if not evidence.converged:
        return "inconclusive", "an iteration behind this number stopped at its bound before it converged"
    if evidence.doubts:
        return "inconclusive", "; ".join(d.reason for d in evidence.doubts)
    return None


def _held(gate: str, asks: str, evidence: Evidence, limit: str, unfit: tuple[Kind, str]) -> Finding:
    cures = {"no data": "the missing figures", "error": "a run without this error"}
    cure = "; ".join(d.cure for d in evidence.doubts) or cures.get(
        unfit[0], "an iteration that converges: more rounds or a coarser tolerance"
    )
    return Finding(gate, asks, unfit[0], evidence, limit, unfit[1], cure)


def judge_tolerance(gate: ToleranceGate, tolerance: Tolerance, evidence: Evidence) -> Finding:
    """Pass when the whole interval is at or below the limit; fail or breach when it is above; else inconclusive."""
    limit = f"at most {shown(tolerance.at_most, 'share')}"
    if unfit := _unfit(evidence):
        return _held(gate.id, gate.asks, evidence, limit, unfit)
    value, low, high = _bounds(evidence)
    if high <= tolerance.at_most:
        change = (
            f"a limit below {shown(high, 'share')}, or a figure larger by {_points(tolerance.at_most - high)}"
            if high < tolerance.at_most
            else "any larger loss"
        )
        return Finding(gate.id, gate.asks, "pass", evidence, limit, "the whole interval is within the limit", change)
    if low > tolerance.at_most:
        kind: Kind = "breach" if tolerance.hard else "fail"
        return Finding(
            gate.id,
            gate.asks,
            kind,
            evidence,
            limit,
            "the whole interval is above the limit",
            f"a figure smaller by at least {_points(value - tolerance.at_most)}: tighter controls or more capital",
        )
    return Finding(
        gate.id,
        gate.asks,
        "inconclusive",
        evidence,
        limit,
        "the interval straddles the limit",
        _more_draws(evidence, tolerance.at_most),
    )


def _points(difference: float) -> str:
    return shown(difference, "share").removesuffix(" %") + " points"


def _more_draws(evidence: Evidence, limit: float) -> str:
    value, low, high = _bounds(evidence)
    distance = abs(value - limit)
    if evidence.draws is None or distance <= 0:
        return "more scenarios"
    needed = evidence.draws * (0.5 * (high - low) / distance) ** 2
    return f"about {max(needed, evidence.draws * 1.1):,.0f} scenarios instead of {evidence.draws:,}, if the estimate stays where it is"


def judge_control(gate: ControlGate, evidence: Evidence, outcome: str, today: float, unit: str) -> Finding:
    """Controlled passes; controllable or not controllable fails at today's setting; undecided is inconclusive."""
    limit = f"every tolerance holds at today's {shown(today, unit)}"
    if outcome == "not controllable":
        return Finding(
            gate.id,
            gate.asks,
            "fail",
            evidence,
            limit,
            "not controllable: not even the tightest permitted setting holds every tolerance",
            "another control, more capital or a smaller measure",
        )
    if outcome == "undecided":
        return Finding(
            gate.id,
            gate.asks,
            "inconclusive",
            evidence,
            limit,
            "undecided: simulation error straddles a limit at the tightest setting too",
            "more scenarios",
        )
    if unfit := _unfit(evidence):
        return _held(gate.id, gate.asks, evidence, limit, unfit)
    found, at_edge = shown(evidence.value, unit), evidence.high is None
    if outcome == "controlled":
        reach = f"up to {found}, the loosest that may be set" if at_edge else f"up to {found}"
        change = (
            "larger losses or tighter tolerances; no permitted setting of this control"
            if at_edge
            else f"a setting looser than {found}, or larger losses"
        )
        return Finding(
            gate.id, gate.asks, "pass", evidence, limit, f"controlled: every tolerance holds today, and {reach}", change
        )
    return Finding(
        gate.id,
        gate.asks,
        "fail",
        evidence,
        limit,
        f"controllable, but not at today's setting: every tolerance holds up to {found}",
        f"a setting of at most {found}",
    )


def judge_effect(gate: EffectGate, evidence: Evidence) -> Finding:
    """Pass when the whole interval is on the promised side; fail when it is wholly on the other; else inconclusive."""
    side, bound = ("above", gate.above) if gate.above is not None else ("below", gate.below)
    assert bound is not None
    limit = f"{side} {shown(bound, evidence.unit)}"
    if unfit := _unfit(evidence):
        return _held(gate.id, gate.asks, evidence, limit, unfit)
    value, low, high = _bounds(evidence)
    if (low > bound) if side == "above" else (high < bound):
        return Finding(
            gate.id,
            gate.asks,
            "pass",
            evidence,
            limit,
            "the whole interval is on the promised side",
            f"an effect that reaches {shown(bound, evidence.unit)} within its interval",
        )
    if (high <= bound) if side == "above" else (low >= bound):
        return Finding(
            gate.id,
            gate.asks,
            "fail",
            evidence,
            limit,
            "the whole interval is on the other side",
            "an effect of the other sign",
        )
    half = 0.5 * (high - low)
    reason = f"the interval holds {shown(bound, evidence.unit)}: an effect smaller than {shown(half, evidence.unit).lstrip('+')} could not have been told from none"
    return Finding(
        gate.id,
        gate.asks,
        "inconclusive",
        evidence,
        limit,
        reason,
        f"a half width below {shown(abs(value - bound), evidence.unit).lstrip('+')}: a closer fit before the start, more regions to compare with, or more periods",
    )


def judge_inequality(gate: InequalityGate, evidence: Evidence) -> Finding:
    """An exact descriptive figure: pass when the change is within what is tolerated, else fail."""
    limit = f"at most {shown(gate.change_at_most, 'index change')}"
    if unfit := _unfit(evidence):
        return _held(gate.id, gate.asks, evidence, limit, unfit)
    assert evidence.value is not None
    margin = shown(abs(gate.change_at_most - evidence.value), "index")
    if evidence.value <= gate.change_at_most:
        return Finding(
            gate.id,
            gate.asks,
            "pass",
            evidence,
            limit,
            "the index did not rise by more than is tolerated",
            f"an index higher by {margin}",
        )
    return Finding(
        gate.id,
        gate.asks,
        "fail",
        evidence,
        limit,
        "the index rose by more than is tolerated",
        f"an index lower by {margin}",
    )


def _bounds(evidence: Evidence) -> tuple[float, float, float]:
    """Value and interval; a number without interval is its own interval."""
    assert evidence.value is not None
    low = evidence.low if evidence.low is not None else evidence.value
    high = evidence.high if evidence.high is not None else evidence.value
    return evidence.value, low, high
