"""What the pilot's estimates say, in sentences and tables."""

from __future__ import annotations

import math

import numpy as np

from poundlock.desk.evaluation import Beside, OutcomeStudy
from poundlock.pilots import Outcome, Pilot
from poundlock.pilots.by_diff_diff import PINNED
from poundlock.rollout.wording import level_words

Row = tuple[str, str, str, str]
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
    if study.detectable is not None:
        down, up = study.detectable
        said.append(
            f"Estimates below {signed(down)} or above {signed(up)} would have been told from none."
            if study.effect is not None
            else f"An effect of {up:.3f} would be found in 80 % of cases."
        )
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
    (least, without_least), (most, without_most) = e.leave_one_out
    said = [
        f"By the test behind this interval p = {e.p_value:.2f}, and with {e.units} regions it could not be below {e.smallest_p:.2f}.",
        f"By the published statistic, the ratio of gaps after and before the start, it ranks {e.rank} of {e.units}. Fit "
        f"before the start: error {e.pre_error:.4f} (limit {outcome.largest_pre_error:g}), {e.pre_error_rank} of {e.units}.",
        f"Comparison: {donors}. Leaving out one of them at a time moves the effect between {signed(least)}"
        f"{_without(study, without_least)} and {signed(most)}{_without(study, without_most)}.",
    ]
    if e.in_time is not None:
        value, low, high = e.in_time
        said.append(
            f"Pretending a start in {outcome.in_time_placebo} gives {signed(value)}, interval {between(low, high)}."
        )
    return said


def _without(study: OutcomeStudy, unit: int) -> str:
    return f" (without {study.units[unit]})" if unit >= 0 else " (with all)"


def _of_several(study: OutcomeStudy, outcome: Outcome) -> list[str]:
    compared = len(study.units) - len(study.treated)
    said = [f"{len(study.treated)} treated regions against {compared} others; {study.evidence.method}."]
    if study.pre_error is not None:
        limit = f"limit {outcome.largest_pre_error:g}"
        said.append(
            f"Before the start, where there should be none, effects have a root mean square of {study.pre_error:.4f} ({limit})."
        )
    return said


def engines_sentence(study: OutcomeStudy) -> str:
    """Whether two engines give the same answer."""
    said = []
    for one in study.agreement:
        verb = "agree" if one.agree else "DISAGREE"
        apart = abs(one.ours.effect - one.other.effect)
        errors = (
            "" if math.isnan(one.ours.error) else f", standard errors by {abs(one.ours.error - one.other.error):.1e}"
        )
        said.append(
            f"Two engines, ours and diff-diff {PINNED}, {verb} on {one.method}: they differ by {apart:.1e}{errors}."
        )
    return " ".join(said)


def looks_sentence(study: OutcomeStudy) -> str:
    """What was seen at every look since the start, and whether the method can be relied on here."""
    seen = study.watch
    if seen is None:
        return f"No looks in every period: {study.watch_missing}." if study.watch_missing else ""
    largest = max(look.evidence for look in seen.looks)
    sounded = [look.period for look in seen.looks if look.alarm]
    when = f"the alarm sounded first in {study.periods[sounded[0]]}" if sounded else "no alarm"
    last = seen.looks[-1]
    said = [
        f"Looking in every period since the start: {when}; the largest evidence is {largest:.2g} and {1.0 / seen.alpha:.0f} sounds the alarm, which by chance happens in "
        f"{seen.alpha:.0%} of pilots at most."
    ]
    if math.isfinite(last.low) and math.isfinite(last.high):
        said.append(f"The sequence that holds at all looks together ends at {between(last.low, last.high)}.")
    if study.placebos is not None:
        out = study.placebos.first
        stands = "never stood out" if out is None else f"stood out first in {study.periods[out]}"
        said.append(f"Among {len(study.units)} regions, each held against its own comparison, it {stands}.")
    said += [
        f"Near the method's limit ({words}): this can show harm, but not that there is none."
        for words in seen.near_limit
    ]
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
            what = f"if trends part after the start up to {bound.bound:g} times as much as before"
            rows.append(
                (
                    what,
                    signed(doubted.mean),
                    between(bound.low, bound.high),
                    HONEST,
                )
            )
        for bend, low, high in doubted.smooth:
            what = (
                "if a straight trend went on" if bend == 0.0 else f"if the trend bends by {bend:.3f} a period at most"
            )
            rows.append(
                (
                    what,
                    signed(doubted.mean),
                    between(low, high),
                    HONEST,
                )
            )
    return rows


def _row(one: Beside) -> Row:
    return one.what, signed(one.effect), between(one.low, one.high), one.says


def _level(level: float | None) -> str:
    return "" if level is None else f"{level_words(level)} interval"


def unseen_sentence(study: OutcomeStudy) -> str:
    """How strong an unseen cause would have to be."""
    strength = study.doubted.robustness
    said = []
    if strength is not None:
        chance = (
            f"{strength.at_alpha:.0%} would leave it within chance"
            if strength.at_alpha > 0.0
            else "it lies within chance as it is"
        )
        said.append(
            f"To explain the difference in differences against the last period before the start away, an unseen cause would have to account for {strength.value:.0%} of what is left of both the "
            f"treatment and the outcome; {chance} (Cinelli and Hazlett 2020)."
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
    side = "above" if sign > 0 else "below"
    asked = f"an effect {side} {signed(limit)}" if limit else ("a rise" if sign > 0 else "a fall")
    near, far = (e.low, e.high) if sign > 0 else (e.high, e.low)
    if sign * near > sign * limit:
        said = f"In {window} the estimate shows {asked}: {signed(e.value)}, {between(e.low, e.high)}"
    elif sign * far <= sign * limit:
        said = f"In {window} the estimate shows no such thing ({asked} was asked): {signed(e.value)}, {between(e.low, e.high)}"
    else:
        said = (
            f"{window.capitalize()} do not tell whether there was {asked}: {signed(e.value)}, {between(e.low, e.high)}"
        )
    if e.doubts:
        return f"{said}; but it does not decide: {'; '.join(d.reason for d in e.doubts)}."
    return f"{said}{_could(study, sign)}."


def _could(study: OutcomeStudy, sign: float) -> str:
    """What would have been found."""
    if study.detectable is None:
        return ""
    end = study.detectable[1] if sign > 0 else study.detectable[0]
    if study.effect is None:
        return f"; an effect of {signed(end)} would be found in 80 % of cases"
    return f"; an estimate {'above' if sign > 0 else 'below'} {signed(end)} would have been told from none"
