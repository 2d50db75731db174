"""Evidence against what was declared: one finding a gate, the worst of them the verdict.

Ranks: breach > fail > error > no data > inconclusive > pass. Missing, unconverged or doubtful evidence never passes.
A machine judges and may hold; only people promote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from poundlock.evidence import Evidence
from poundlock.rollout.plan import (
    AlarmGate,
    BrakeGate,
    ControlGate,
    EffectGate,
    InequalityGate,
    PaymentsGate,
    RulesGate,
    Tolerance,
    ToleranceGate,
)
from poundlock.rollout.wording import as_html, explained, shown, told

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

    def explain(self) -> str:
        """The rule, its inputs, the numbers, and what would change the finding."""
        return explained(self)


@dataclass(frozen=True, slots=True, repr=False)
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
        hold, stop = ("Hold", "Do not go on") if self.opens else ("Undecided", "Not within limits")
        return {
            "pass": f"Every gate is passed: two people may now sign for stage '{self.opens}'."
            if self.opens
            else "Every question that was asked is answered within its limits.",
            "inconclusive": f"{hold}: {some} {verb} not decided by the evidence, and none is answered against it.",
            "no data": f"{hold}: {some} {'have' if count > 1 else 'has'} no evidence.",
            "error": f"{hold}: the figure for {some} could not be computed.",
            "fail": f"{stop}: {some} {verb} answered against it.",
            "breach": f"{stop}: {some} {verb} answered by a broken hard limit or rule.",
        }[self.worst]

    def explain(self) -> str:
        """Every finding with its rule, inputs, numbers and what would change it; then what was not asked, and why."""
        absent = [f"{asks} NOT ASKED\n  Why: {why}" for asks, why in self.absent]
        return "\n".join([f"Verdict: {self.worst}. {self.sentence}", *(explained(f) for f in self.findings), *absent])

    def __repr__(self) -> str:
        return told(self)

    def _repr_html_(self) -> str:
        return as_html(self)


def verdict(findings: Sequence[Finding], absent: Sequence[tuple[str, str]] = (), opens: str = "") -> Verdict:
    """The worst finding wins; no finding at all is no data."""
    worst: Kind = min((f.kind for f in findings), key=WORST_FIRST.index) if findings else "no data"
    return Verdict(worst, tuple(findings), tuple(absent), opens)


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


@dataclass(frozen=True, slots=True)
class _Bench:
    """One gate with its evidence and limit, waiting for the finding."""

    gate: ToleranceGate | ControlGate | BrakeGate | EffectGate | InequalityGate | AlarmGate | RulesGate | PaymentsGate
    evidence: Evidence
    limit: str

    def finds(self, kind: Kind, why: str, would_change: str) -> Finding:
        return Finding(self.gate.id, self.gate.asks, kind, self.evidence, self.limit, why, would_change)

    def held(self) -> Finding | None:
        """The finding where the evidence can decide nothing, whatever its number."""
        unfit = _unfit(self.evidence)
        if unfit is None:
            return None
        cures = {"no data": "figures and periods that allow it", "error": "a run without this error"}
        unconverged = "an iteration that converges: more rounds or a coarser tolerance"
        cure = "; ".join(d.cure for d in self.evidence.doubts) or cures.get(unfit[0], unconverged)
        return self.finds(*unfit, cure)

    @property
    def bounds(self) -> tuple[float, float, float]:
        """Value and interval; a number without interval is its own interval."""
        value = self.evidence.value
        assert value is not None
        low = self.evidence.low if self.evidence.low is not None else value
        return value, low, self.evidence.high if self.evidence.high is not None else value


def judge_tolerance(gate: ToleranceGate, tolerance: Tolerance, evidence: Evidence) -> Finding:
    """Pass when the whole interval is at or below the limit; fail or breach when it is above; else inconclusive."""
    limit = tolerance.at_most
    bench = _Bench(gate, evidence, f"at most {shown(limit, 'share')}")
    if (held := bench.held()) is not None:
        return held
    value, low, high = bench.bounds
    if high <= limit:
        room = f"a limit below {shown(high, 'share')}, or a figure larger by {_points(limit - high)}"
        return bench.finds(
            "pass", "the whole interval is within the limit", room if high < limit else "any larger loss"
        )
    if low > limit:
        change = f"a figure smaller by at least {_points(value - limit)}: tighter controls or more capital"
        return bench.finds("breach" if tolerance.hard else "fail", "the whole interval is above the limit", change)
    return bench.finds(
        "inconclusive", "the interval straddles the limit", _more_draws(evidence, abs(value - limit), high - low)
    )


def _points(difference: float) -> str:
    return shown(difference, "share").removesuffix(" %") + " points"


def _more_draws(evidence: Evidence, distance: float, width: float) -> str:
    if evidence.draws is None or distance <= 0:
        return "more scenarios"
    needed = max(evidence.draws * (0.5 * width / distance) ** 2, evidence.draws * 1.1)
    return f"about {needed:,.0f} scenarios instead of {evidence.draws:,}, if the estimate stays where it is"


def judge_control(
    gate: ControlGate,
    evidence: Evidence,
    outcome: str,
    today: str,
    cheapest: str,
    *,
    today_broken: bool,
    rising: bool = False,
) -> Finding:
    """Controlled passes; controllable or not controllable fails if today's setting breaks a limit; else inconclusive.

    evidence: the loosest setting that holds, its `high` the next looser that does not (None at the end of the range); of several
    controls, the cost of the cheapest setting. outcome: verdict of the search. today, cheapest: those settings in words, the latter empty where none holds. today_broken: it surely breaks a tolerance; False when it straddles one. rising: a
    larger setting is the tighter one.
    """
    stands = "today, without a cap" if today == "no cap" else f"at today's {today}"
    bench = _Bench(gate, evidence, f"every tolerance holds {stands}")
    if outcome == "not controllable" and not evidence.error:
        why = "not controllable: not even the tightest permitted setting holds every tolerance"
        return bench.finds("fail", why, "another control, more capital or a smaller measure")
    if outcome == "undecided" and not evidence.error:
        why = "undecided: simulation error straddles a limit at the tightest setting too"
        return bench.finds("inconclusive", why, "more scenarios")
    if (held := bench.held()) is not None:
        return held
    found = shown(evidence.value, evidence.unit)
    where, tighter, looser = f"up to {found}", f"a setting of at most {found}", f"a setting looser than {found}"
    if rising:
        where, tighter, looser = f"from {found} on", f"a setting of at least {found}", f"a setting below {found}"
    if gate.together:
        where, tighter = f"at {cheapest}, the cheapest setting, which costs {found}", cheapest
        looser = "a setting that costs less"
    if outcome == "controllable" and not today_broken:
        why = f"simulation error straddles a limit at today's setting; every tolerance surely holds {where}"
        return bench.finds("inconclusive", why, f"more scenarios, or {tighter}")
    if outcome == "controllable":
        why = f"controllable, but not at today's setting: every tolerance holds {where}"
        return bench.finds("fail", why, tighter)
    why, change = f"controlled: every tolerance holds today, and {where}", f"{looser}, or larger losses"
    if evidence.high is None and not gate.together:
        why += ", the loosest that may be set"
        change = "larger losses or tighter tolerances; no permitted setting of this control"
    return bench.finds("pass", why, change)


def judge_brake(gate: BrakeGate, evidence: Evidence, delay: float, *, holds: bool, broken: bool) -> Finding:
    """Pass when every tolerance holds with the plan's own delay, fail when one is surely broken, else inconclusive.

    evidence: the longest delay at which all hold, days. delay: the plan's. holds, broken: what the tolerances say there."""
    bench = _Bench(gate, evidence, f"every tolerance holds after {delay:,.0f} days")
    if broken and not evidence.error:
        longest = "at none" if evidence.value is None else f"up to {shown(evidence.value, evidence.unit)}"
        why = f"decided on after {delay:,.0f} days the control comes too late: every tolerance holds {longest}"
        return bench.finds("fail", why, "faster reports, a faster decision, shorter loans or a tighter control")
    if (held := bench.held()) is not None:
        return held
    longest = shown(evidence.value, evidence.unit)
    if holds:
        return bench.finds("pass", f"in time: every tolerance holds up to {longest}", f"a delay longer than {longest}")
    why = f"simulation error straddles a limit after {delay:,.0f} days; every tolerance surely holds up to {longest}"
    return bench.finds("inconclusive", why, f"more scenarios, or a delay of at most {longest}")


def judge_effect(gate: EffectGate, evidence: Evidence) -> Finding:
    """Pass when the whole interval is on the promised side; fail when it is wholly on the other; else inconclusive."""
    sign, bound = (1.0, gate.above) if gate.above is not None else (-1.0, gate.below)
    assert bound is not None
    at = shown(bound, evidence.unit)
    bench = _Bench(gate, evidence, f"{'above' if sign > 0 else 'below'} {at}")
    if (held := bench.held()) is not None:
        return held
    value, low, high = bench.bounds
    nearest, farthest = (low, high) if sign > 0 else (high, low)
    if sign * nearest > sign * bound:
        return bench.finds(
            "pass", "the whole interval is on the promised side", f"an effect that reaches {at} within its interval"
        )
    if sign * farthest <= sign * bound:
        return bench.finds("fail", "the whole interval is on the other side", "an effect of the other sign")
    below, above, needed = (
        shown(x, evidence.unit).lstrip("+") for x in (value - low, high - value, abs(value - bound))
    )
    why = f"the interval holds {at}: it reaches {below} below the estimate and {above} above it"
    passes = sign * value > sign * bound
    side = "below" if (sign > 0) == passes else "above"
    then = "pass" if passes else "fail"
    change = (
        f"a reach {side} the estimate of {'less than' if passes else 'at most'} {needed} (at today's estimate it would then {then}): "
        "a closer fit before the start, or more periods"
    )
    return bench.finds("inconclusive", why, change)


def judge_inequality(gate: InequalityGate, evidence: Evidence) -> Finding:
    """An exact descriptive figure: pass when the change is within what is tolerated, else fail."""
    bench = _Bench(gate, evidence, f"at most {shown(gate.change_at_most, 'index change')}")
    if (held := bench.held()) is not None:
        return held
    change = bench.bounds[0]
    margin = shown(abs(gate.change_at_most - change), "index")
    if change <= gate.change_at_most:
        return bench.finds(
            "pass",
            "the index did not rise by more than is tolerated; this describes the years, it is no estimate of the pilot's own part",
            f"a later index higher by more than {margin}",
        )
    return bench.finds("fail", "the index rose by more than is tolerated", f"an index lower by {margin}")


def judge_alarm(gate: AlarmGate, evidence: Evidence) -> Finding:
    """Fail when the evidence of harm reached 1 / alpha at any look, whatever else is in doubt; pass when it never did. evidence: the largest so far."""
    alarm = 1.0 / gate.alpha
    bench = _Bench(gate, evidence, f"evidence of harm below {shown(alarm, 'times')}")
    if evidence.value is not None and evidence.value >= alarm and not evidence.error:
        why = f"the alarm sounded: such evidence comes by chance in {shown(gate.alpha, 'share')} of pilots at most, however often one looks"
        why += "".join(f"; {doubt.reason}" for doubt in evidence.doubts)
        return bench.finds("fail", why, "an explanation of the change that is not the pilot, or the end of the pilot")
    if (held := bench.held()) is not None:
        return held
    why = "no alarm at any look; that none was heard does not show that there is no harm"
    return bench.finds("pass", why, f"gaps that bring the evidence to {shown(alarm, 'times')}")


def judge_rules(gate: RulesGate, evidence: Evidence, broken: str) -> Finding:
    """Pass when no rule that binds is breached, else a breach. evidence: number of comparisons that breach. broken: by whom, in words."""
    bench = _Bench(gate, evidence, "no rule that binds is breached")
    if (held := bench.held()) is not None:
        return held
    if bench.bounds[0] > 0:
        return bench.finds("breach", f"breached: {broken}", "terms or exposures that keep the rule")
    return bench.finds(
        "pass", "every figure that could be compared keeps its rule", "a figure beyond the limit of a rule"
    )


def judge_payments(gate: PaymentsGate, evidence: Evidence) -> Finding:
    """A figure of the payment market against its limit. It has no sampling error; records in doubt make it inconclusive."""
    bound, most = (gate.at_most, True) if gate.at_most is not None else (gate.at_least, False)
    assert bound is not None
    at = shown(bound, evidence.unit)
    bench = _Bench(gate, evidence, f"{'at most' if most else 'at least'} {at}")
    if (held := bench.held()) is not None:
        return held
    value = bench.bounds[0]
    if value <= bound if most else value >= bound:
        return bench.finds("pass", "the figure is within the limit", f"a figure {'above' if most else 'below'} {at}")
    change = f"a figure of {at} or {'less' if most else 'more'}"
    return bench.finds("breach" if gate.hard else "fail", "the figure is beyond the limit", change)
