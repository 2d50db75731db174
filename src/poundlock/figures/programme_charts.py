"""Each measure alone, all together, and who bears the loss; and which rules are kept: tables, sentences and one chart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import altair as alt

from poundlock.desk.assessment import Assessment
from poundlock.desk.bearing import Insurance, MeasureStudy
from poundlock.figure import SERIES, WIDTH, Figure, lines
from poundlock.figures.risk_charts import members_words
from poundlock.risk import Estimate
from poundlock.risk.controllability import standing
from poundlock.risk.controls import ON_MEASURES
from poundlock.rollout.plan import Tolerance
from poundlock.rollout.wording import shown
from poundlock.rules import Compliance

KIND_WORDS = {
    "joint-lending": "A platform and a bank fund each loan together, each in its share.",
    "loan-with-investment": "Banks lend to firms in which an outside investor takes equity; a warrant passes part of the gain to the bank.",
    "group-linkage": "A bank lends, and its own subsidiaries invest in or lease to the same firms; the parent supports them.",
    "pledged-loans": "Banks lend against intellectual property; insurers, which can fail, cover part of the losses.",
    "equipment-insurance": "Insurers cover first-of-its-kind equipment and new technology; the state pays part of the premium.",
    "payment-service": "Customers' money, settlement and daily business rest on a platform.",
    "custom": "Exposures, holdings, buffers and dependences as the plan's tables give them.",
}
ORDER = ("controlled", "controllable", "undecided", "not controllable")


def controllable_words(a: Assessment, study: MeasureStudy) -> str:
    """What the searches over this measure's controls say, all else as today; the best of them counts, since one suffices; in doubt where the
    other valuation breaks a tolerance that this one does not."""
    verdicts = [
        s.result.verdict
        for s in a.searches
        if len(s.controls) == 1 and isinstance(s.control, ON_MEASURES) and s.control.measure == study.id
    ]
    if not verdicts:
        return "no control on it"
    found = min(verdicts, key=ORDER.index)
    doubt = a.plan.scenarios.bracket and contradicted(a) and found in ("controlled", "controllable")
    return f"{found}, in doubt" if doubt else found


def contradicted(a: Assessment) -> list[Tolerance]:
    """Tolerances that today's world does not break, but breaks under the other valuation."""
    today, other = a.worlds[0].estimates, a.other_valuation.estimates
    return [
        t
        for t in a.plan.tolerances
        if standing(t, today[t.id]) != "broken" and t.id in other and standing(t, other[t.id]) == "broken"
    ]


def points(share: float) -> str:
    """An increment of a share in percentage points, with its sign."""
    said = f"{100 * share:+.3f}".replace("-", "\u2212")
    return "0.000" if said[1:] == "0.000" else said


def _money(amount: float) -> str:
    """Whole units, with a true minus sign, nought without one."""
    said = f"{amount:,.0f}".replace("-", "\u2212")
    return "0" if said == "\u22120" else said


def _added(e: Estimate) -> dict[str, str]:
    return {"value": points(e.value), "small": f"{points(e.low)} to {points(e.high)}"}


def _cell(words: str, small: str = "") -> dict[str, str]:
    return {"value": words, "small": small}


EMPTY = _cell("")


def bearers(study: MeasureStudy) -> list[tuple[str, float]]:
    """Parties that lose in the measure's own worst years, money, the largest first."""
    found = [(party, float(x)) for party, x in zip(study.parties, study.tail, strict=True)]
    return sorted((one for one in found if one[1] > 0.0), key=lambda one: -one[1])


def bearers_words(study: MeasureStudy) -> str:
    """Who bears the measure's tail, in shares of what is lost."""
    found = bearers(study)
    whole = sum(x for _, x in found)
    said = [f"{party.replace('-', ' ')} {x / whole:.0%}" for party, x in found if x >= 0.005 * whole]
    return ", ".join(said) if said else "nobody loses"


def programme_table(a: Assessment) -> dict[str, Any] | None:
    """One row a measure, then all together and what they add by acting together."""
    if a.programme is None:
        return None
    p, unit = a.programme, a.plan.system.unit
    heads = (
        f"Measure; money in {unit}",
        "granted",
        "expected loss a year",
        "net gain in a mean year",
        "lost by those who lose, in its worst years",
        "added to the tail, alone",
        "added to the tail, beside the rest",
        "controllable?",
    )
    rows: list[tuple[dict[str, str], ...]] = [
        (
            _cell(study.id, study.what),
            _cell(f"{study.granted:,.0f}", "" if study.credit else "no credit"),
            _cell(f"{study.expected_loss:,.0f}"),
            _cell(_money(-float(study.expected.sum()))),
            _cell(f"{study.own_tail.value:,.0f}", f"{study.own_tail.low:,.0f} to {study.own_tail.high:,.0f}"),
            _added(study.alone),
            _added(study.added),
            _cell(controllable_words(a, study)),
        )
        for study in p.studies
    ]
    if len(p.studies) > 1:
        credit = a.worlds[0].granted  # where measures share somebody's cash, less than the sum of each alone
        loss = sum(study.expected_loss for study in p.studies)
        gain = -sum(float(study.expected.sum()) for study in p.studies)
        together = (_cell(_money(x)) for x in (credit, loss, gain))
        rows.append((_cell("all together", "credit"), *together, EMPTY, _added(p.together), EMPTY, EMPTY))
    return {"heads": heads, "rows": rows, "sentence": interaction_sentence(a)}


def interaction_sentence(a: Assessment) -> str:
    """How far the measures' risks add up."""
    p = a.programme
    if p is None:
        return ""
    kinds = " and ".join(kind.replace("-", " ") for kind in p.scope.kinds)
    who = f"institutions of kind {kinds}" if kinds else members_words(p.scope).lower()
    how = (
        f"The tail is the shortfall of {who} at {p.level:.0%}, in points of their equity of {p.equity:,.0f} {a.plan.system.unit}; a measure's worst "
        f"years are the 1 % in which those who lose by it, it being alone, lose most. {p.draws:,} scenarios, by clearing, in the network as read."
    )
    if len(p.studies) == 1:
        return how
    apart = sum(study.alone.value for study in p.studies)
    word = "more" if p.interaction > 0.0 else "less"
    return (
        f"{how} One by one the measures add {100 * apart:.3f} points in all, together {100 * p.together.value:.3f}: acting together they add "
        f"{100 * abs(p.interaction):.4f} points {word} than the sum of each alone."
    )


def bearers_figure(a: Assessment) -> Figure | None:
    """Who gains and who loses by each measure, in a mean year and in its own worst years."""
    if a.programme is None:
        return None
    unit, data, rows = a.plan.system.unit, [], []
    parties = list(dict.fromkeys(p for study in a.programme.studies for p in study.parties))
    order = [party.replace("-", " ") for party in parties]
    for study in a.programme.studies:
        worst = sum(x for _, x in bearers(study)) or 1.0
        for party, mean, tail in zip(study.parties, study.expected, study.tail, strict=True):
            data.append({"measure": study.id, "party": party.replace("-", " "), "share": float(tail) / worst})
            rows.append((study.id, party.replace("-", " "), f"{float(mean):,.1f}", f"{float(tail):,.1f}"))
    chart = (
        alt.Chart(lines(data))
        .mark_bar(height=18)
        .encode(
            x=alt.X(
                "sum(share):Q",
                title="share of what is lost in the worst 1 % of the measure's own years",
                axis=alt.Axis(format=".0%"),
            ),
            y=alt.Y("measure:N", sort=[study.id for study in a.programme.studies], title=None),
            color=alt.Color(
                "party:N", scale=alt.Scale(domain=order, range=list(SERIES)[: len(order)]), legend=alt.Legend(columns=4)
            ),
        )
        .properties(width=WIDTH, height=34 * len(a.programme.studies) + 10)
    )
    said = "; ".join(f"{study.id}: {bearers_words(study)}" for study in a.programme.studies)
    return Figure(
        "who-bears",
        "Who bears the loss of each measure?",
        f"In the worst 1 % of years of each measure alone: {said}. Owners of institutions by kind, and creditors outside of those that "
        "fail. In every scenario the parts add up to what is lost.",
        ("measure", "party", f"mean year, {unit}", f"worst 1 % of years, {unit}"),
        tuple(rows),
        chart,
    )


def measure_words(a: Assessment, number: int) -> dict[str, Any]:
    """What a measure's year is expected to bring, and what its insurance or its upside says."""
    if a.programme is None:
        return {"lines": [], "said": []}
    study, unit = a.programme.studies[number], a.plan.system.unit
    table = [(line.party, line.what, f"{line.amount:,.0f}") for line in study.lines if round(line.amount, 6)]
    said = [insurance_sentence(study.insurance, unit)] if study.insurance is not None else []
    for pool, up in study.upsides:
        verdict = "pays for" if up.pays else "does not pay for"
        enough = (
            "not even all of the gain would"
            if up.share_that_pays is None
            else f"{up.share_that_pays:.1%} of the gain would just do"
        )
        said.append(
            f"{pool}: in a mean year the warrant ({up.upside:.2%} of the loan) {verdict} the expected loss "
            f"({up.expected_loss:.2%}); {enough}."
        )
    return {"lines": table, "said": said}


def insurance_sentence(found: Insurance, unit: str) -> str:
    """Fair premium and loss ratio with their intervals."""
    fair, ratio = found.fair, found.loss_ratio
    said = (
        f"Fair premium {fair.value:.3%} of {found.sum_insured:,.0f} {unit} (95 % interval {fair.low:.3%} to {fair.high:.3%}; "
        f"in closed form {found.fair_exact:.3%})"
    )
    if found.premium <= 0.0:
        return f"{said}; no premium is charged."
    return (
        f"{said}; charged {found.premium / found.sum_insured:.3%}. Loss ratio {ratio.value:.0%} on average ({ratio.low:.0%} to "
        f"{ratio.high:.0%}), between {found.low:.0%} and {found.high:.0%} in nine of ten years; claims exceed premiums in {found.beyond:.1%} of years."
    )


def rules_table(a: Assessment) -> dict[str, Any]:
    """By setting and rule: how many institutions keep and breach it, and the worst; then what was not compared."""
    rows = [(setting, *row) for setting, found in a.rules.settings.items() for row in rule_summaries(found)]
    absent = [(rule.cited(), reason) for rule, reason in a.rules.unevaluated]
    return {"on": a.rules.on.isoformat(), "rows": rows, "absent": absent}


def rule_summaries(found: Sequence[Compliance]) -> list[tuple[str, str, str, str]]:
    """A row for each rule: what it says, where, how many keep and breach it, and the figure nearest to the limit or farthest beyond."""
    by_rule = sorted(found, key=lambda c: c.rule.id)
    return [_rule_row(list(group)) for _, group in groupby(by_rule, key=lambda c: c.rule.id)]


def _rule_row(group: list[Compliance]) -> tuple[str, str, str, str]:
    rule, broken = group[0].rule, [c for c in group if c.standing == "breached"]
    worst = max(group, key=lambda c: (c.excess, c.fact.value if rule.operator == "max" else -c.fact.value))
    who = worst.fact.who + (f" on {worst.fact.against}" if worst.fact.against else "")
    whole = len({c.fact.who for c in group})
    standing = f"{len({c.fact.who for c in broken})} of {whole} breach" if broken else f"kept by all {whole}"
    return (
        f"{rule.id}: {rule.said()}",
        f"{rule.place()}, {rule.status}",
        standing + ("" if group[0].binding else " (draft, never binds)"),
        f"{who}: {_figure(worst)}",
    )


def _figure(c: Compliance) -> str:
    if c.fact.value == float("inf"):
        return "over nothing"
    return f"{c.fact.value:,.0f}" if c.rule.operator == "ban" else shown(c.fact.value, "share")
