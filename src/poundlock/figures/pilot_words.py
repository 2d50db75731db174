"""What the pilot's estimates say, in sentences and tables."""

from __future__ import annotations

import math

import numpy as np

from poundlock.desk.evaluation import Beside, OutcomeStudy
from poundlock.pilots import Outcome, Pilot
from poundlock.pilots.by_diff_diff import PINNED
from poundlock.rollout.wording import level_words

Row = tuple[str, str, str, str]
TIMES = {0.5: "half as much as", 1.0: "as much as", 2.0: "twice as much as"}
HONEST = "difference in differences against the last period before the start, honest bounds (Rambachan and Roth 2023)"


def outcome_of(pilot: Pilot, study: OutcomeStudy) -> Outcome:
    """As the plan declares it."""
    return next(o for o in pilot.outcomes if o.id == study.id)


def signed(value: float | None) -> str:
    """A number with its sign, or a dash."""
    if value is None or not math.isfinite(value):
        return "–" if value is None else ("unbounded above" if value > 0 else "unbounded below")
    return f"{value:+.3f}".replace("-", "−")


def between(low: float | None, high: float | None) -> str:
    """An interval, or a dash."""
    return "–" if low is None or high is None else f"{signed(low)} to {signed(high)}"


def effect_sentence(pilot: Pilot, study: OutcomeStudy) -> str:
    """The estimate, its interval, fit, comparison and what speaks against it, in words."""
    outcome, e = outcome_of(pilot, study), study.evidence
    if e.value is None:
        return f"No estimate: {e.missing}."
    percent = f" (about {np.expm1(e.value):+.0%})".replace("-", "−") if outcome.transform == "log" else ""
    said = [
        f"Mean effect after the start {signed(e.value)}{percent}, {level_words(e.level or pilot.level)} interval {between(e.low, e.high)}."
    ]
    said += _of_one(pilot, study) if study.effect is not None else _of_several(study, outcome)
    if e.level is not None and abs(e.level - pilot.level) > 0.004:
        agreed, reached = level_words(pilot.level), level_words(e.level)
        said.append(
            f"{agreed} was agreed; with {len(study.units)} regions the lowest level that reaches it is {reached}."
        )
    if pilot.neighbours:
        count = len(pilot.neighbours)
        said.append(f"{count} {'neighbour is' if count == 1 else 'neighbours are'} not compared with.")
    if study.dropped:
        said.append(f"Left out for missing years: {', '.join(study.dropped)}.")
    if outcome.note:
        said.append(outcome.note)
    return " ".join(said)


def _of_one(pilot: Pilot, study: OutcomeStudy) -> list[str]:
    outcome, e = outcome_of(pilot, study), study.effect
    assert e is not None
    donors = ", ".join(
        f"{study.units[d]} {w:.0%}"
        for w, d in sorted(zip(e.weights, e.donors, strict=True), reverse=True)
        if w >= 0.005
    )
    least, most = e.leave_one_out
    said = [
        f"By the test behind this interval p = {e.p_value:.2f}, and with {e.units} regions it could not be below {e.smallest_p:.2f}.",
        f"By the published statistic, the ratio of gaps after and before the start, it ranks {e.rank} of {e.units}. Fit "
        f"before the start: error {e.pre_error:.4f} (limit {outcome.largest_pre_error:g}), {e.pre_error_rank} of {e.units}.",
        f"Comparison: {donors}. Leaving out one of them at a time moves the effect between {_without(study, outcome, *least)} and {_without(study, outcome, *most)}.",
    ]
    if e.in_time is not None:
        value, low, high = e.in_time
        part = f", {abs(value / e.effect):.0%} of the effect found" if e.effect else ""
        said.append(
            f"A pretended start in {outcome.in_time_placebo}, where there should be no effect, gives {signed(value)}{part}; interval {between(low, high)}."
        )
    return said


def _without(study: OutcomeStudy, outcome: Outcome, effect: float, unit: int, error: float) -> str:
    """An effect without one donor; where its comparison does not fit, that is said."""
    if unit < 0:
        return f"{signed(effect)} (with all)"
    poor = f", error before the start {error:.3f}, no usable comparison" if error > outcome.largest_pre_error else ""
    return f"{signed(effect)} (without {study.units[unit]}{poor})"


def _of_several(study: OutcomeStudy, outcome: Outcome) -> list[str]:
    compared = len(study.units) - len(study.treated)
    said = [f"{len(study.treated)} treated regions against {compared} others; {study.evidence.method}."]
    if study.pre_error is not None:
        limit = f"limit {outcome.largest_pre_error:g}"
        said.append(
            f"Before the start, where there should be none, effects have a root mean square of {study.pre_error:.4f} ({limit})."
        )
    return said


def engines_sentence(studies: tuple[OutcomeStudy, ...]) -> str:
    """Whether a second program gives the same effects; by how much they part where it does not."""
    parted = [f"{study.id}: {one!r}" for study in studies for one in study.agreement if not one.agree]
    if parted:
        return f"Two programs give two answers. {'; '.join(parted)}."
    if not any(study.agreement for study in studies):
        return ""
    return f"A second program, diff-diff {PINNED}, gives the same effects. This checks the arithmetic, not the assumptions."


def looks_sentence(pilot: Pilot, study: OutcomeStudy) -> str:
    """What was seen at every look since the start, and whether the method can be relied on here."""
    seen = study.watch
    if seen is None:
        return f"Not watched period by period: {study.watch_missing}." if study.watch_missing else ""
    harm = {"down": "a fall", "up": "a rise", "both": "a rise or a fall"}[outcome_of(pilot, study).harm]
    largest = max(look.evidence for look in seen.looks)
    sounded = [look.period for look in seen.looks if look.alarm]
    when = f"the alarm sounded first in {study.periods[sounded[0]]}" if sounded else "no alarm"
    said = [
        f"Watch for harm, here {harm}, in every period: {when}. Evidence reached {largest:.2g}; the alarm needs {1.0 / seen.alpha:.0f}, which chance reaches in "
        f"{seen.alpha:.0%} of pilots at most."
    ]
    last = seen.looks[-1]
    if math.isfinite(last.low) and math.isfinite(last.high):
        said.append(f"Bounds that allow for looking in every period end at {between(last.low, last.high)}.")
    if study.placebos is not None:
        out = study.placebos.first
        stands = "never stood out" if out is None else f"stood out first in {study.periods[out]}"
        said.append(f"Among {len(study.units)} regions, each held against its own comparison, it {stands}.")
    if seen.near_limit:
        near = "; ".join(seen.near_limit)
        said.append(
            f"Near the method's limit ({near}): these bounds decide nothing, and no alarm is no proof that there is no harm."
        )
    return " ".join(said)


def beside_rows(pilot: Pilot, study: OutcomeStudy) -> list[Row]:
    """The leading estimate, other estimators, other terms and honest bounds: what, effect, interval, how."""
    e = study.evidence
    if e.value is None:
        return []
    rows: list[Row] = [(f"{study.method} (leads)", signed(e.value), between(e.low, e.high), _level(e.level))]
    rows += [_row(one) for one in (*study.beside, *study.what_if)]
    doubted = study.doubted
    if doubted.mean is not None:
        for bound in doubted.magnitudes:
            times = TIMES.get(bound.bound, f"{bound.bound:g} times as much as")
            what = f"if trends part after the start {times} before"
            rows.append((what, signed(doubted.mean), between(bound.low, bound.high), HONEST))
        for bend, low, high in doubted.smooth:
            what = (
                f"if the trend bends by {bend:.3f} a period at most" if bend else "if the trend before went on straight"
            )
            rows.append((what, signed(doubted.mean), between(low, high), HONEST))
    return rows


def _row(one: Beside) -> Row:
    return one.what, signed(one.effect), between(one.low, one.high), one.says


def _level(level: float | None) -> str:
    return "" if level is None else f"{level_words(level)} interval"


def unseen_sentence(study: OutcomeStudy) -> str:
    """How strong an unseen cause would have to be."""
    strength = study.doubted.robustness
    said = []
    if strength is not None and study.doubted.mean is not None:
        chance = (
            f"; one tied to {strength.at_alpha:.0%} would bring it within chance"
            if strength.at_alpha > 0.0
            else "; it lies within chance as it is"
        )
        said.append(
            f"Against the last period before the start alone, by difference in differences, the effect is {signed(study.doubted.mean)}. An unseen cause tied to {strength.value:.0%} of the "
            f"remaining variation of both treatment and outcome would remove it{chance} (Cinelli and Hazlett 2020)."
        )
    if study.doubted.missing:
        said.append(f"No honest bounds: {study.doubted.missing}.")
    if study.two_way is not None:
        said.append(
            f"Static two-way fixed effects, a diagnostic only, give {signed(study.two_way.effect)}; {study.two_way.share_forbidden:.0%} of it compares with regions that were treated before "
            "(Goodman-Bacon 2021)."
        )
    return " ".join(said)


def answer_sentence(study: OutcomeStudy, limit: float, sign: float) -> str:
    """What the figures can and cannot show of the question, in one or two sentences. limit, sign: what is asked, 1 for above."""
    e = study.evidence
    periods = sum(p >= study.start for p in study.periods)
    window = f"{periods} period{'s' if periods != 1 else ''} after the start"
    if e.error:
        return f"Nothing can be said: {e.error}."
    if e.value is None or e.low is None or e.high is None:
        return f"Nothing can be said: {e.missing or 'the effect is not bounded'}."
    side = f"an effect {'above' if sign > 0 else 'below'} {signed(limit)}"
    asked = side if limit else ("a rise" if sign > 0 else "a fall")
    near, far = (e.low, e.high) if sign > 0 else (e.high, e.low)
    numbers = f"{signed(e.value)}, {between(e.low, e.high)}"
    shows, denies = sign * near > sign * limit, sign * far <= sign * limit
    doubts = "; ".join(d.reason for d in e.doubts)
    if doubts and not (shows or denies):
        return f"Not decided: {doubts}. The estimate is {numbers}; {asked} was asked."
    if shows:
        said = f"In {window} the estimate shows {asked}: {numbers}"
    elif denies:
        said = f"In {window} the estimate shows no such thing ({asked} was asked): {numbers}"
    else:
        said = f"{window.capitalize()} {'does' if periods == 1 else 'do'} not tell whether there was {asked}: {numbers}{_could(study, limit, sign)}"
    return f"{said}; but it does not decide: {doubts}." if doubts else f"{said}."


def _could(study: OutcomeStudy, limit: float, sign: float) -> str:
    """What would have been found."""
    if study.detectable is None:
        return ""
    end = limit + (study.detectable[1] if sign > 0 else study.detectable[0])
    if study.effect is None:
        return f"; an effect of {signed(end)} would be found in 80 % of cases"
    side, than = "above" if sign > 0 else "below", signed(limit) if limit else "no effect"
    return f"; only an estimate {side} {signed(end)} could have been told from {than}"


def contrary(study: OutcomeStudy, limit: float, sign: float) -> str:
    """Other estimates that would by themselves decide otherwise than the leading one, in words; empty where none would."""
    e = study.evidence
    if e.low is None or e.high is None:
        return ""

    def stands(low: float, high: float) -> str:
        near, far = (low, high) if sign > 0 else (high, low)
        return "pass" if sign * near > sign * limit else "fail" if sign * far <= sign * limit else "undecided"

    leads = stands(e.low, e.high)
    others = [
        f"{one.what} ({stands(one.low, one.high)}: {between(one.low, one.high)})"
        for one in (*study.beside, *study.what_if)
        if one.low is not None and one.high is not None and stands(one.low, one.high) != leads
    ]
    return f" By themselves these would decide otherwise: {'; '.join(others)}." if others else ""
