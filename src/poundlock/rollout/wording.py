"""Findings and verdicts in words: the interval, the explanation, the table of a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from poundlock.evidence import Evidence

if TYPE_CHECKING:
    from poundlock.rollout.gate import Finding, Verdict


def shown(value: float | None, unit: str) -> str:
    """A number as a reader wants it: shares, and shares of something, in per cent, log points with their sign, money with its unit."""
    if value is None:
        return "none"
    if value == float("inf"):
        return "no cap"
    if unit == "share":
        percent = 100.0 * value
        text = f"{percent:.2f} %" if abs(percent) >= 0.095 or percent == 0 else f"{percent:.2g} %"
    elif unit.startswith("of "):
        percent = 100.0 * value
        digits = 0 if abs(percent - round(percent)) < 1e-6 else 1 if abs(value) >= 0.0995 else 2
        text = f"{percent:.{digits}f} % {unit}"
    elif unit == "log points":
        text = f"{value:+.3f}" if abs(value) >= 0.0005 or value == 0 else f"{value:+.1g}"
    elif unit in ("index", "index change"):
        text = f"{value:+.4f}" if unit == "index change" else f"{value:.4f}"
    else:
        text = f"{value:,.0f} {unit}".rstrip() if abs(value) >= 1e4 else f"{value:,.4g} {unit}".rstrip()
    return text.replace("-", "−").replace("+0.0000", "0").replace("+0.000", "0")


def interval(evidence: Evidence) -> str:
    """The interval as text, or why there is none."""
    if evidence.value is None:
        return "–"
    if evidence.low is None or evidence.high is None:
        counted = evidence.draws is not None or evidence.unit == "in breach"
        return "–" if counted else "none (no sampling error given)"
    ends = f"{shown(evidence.low, evidence.unit)} to {shown(evidence.high, evidence.unit)}"
    return ends if evidence.level is None else f"{ends} ({level_words(evidence.level)})"


def level_words(level: float) -> str:
    """A level or its complement in per cent, to three digits, more where three would say 100: 95%, 99.6%, 0.1%, 99.99%."""
    return f"{100.0 * level:.{3 if level < 0.9995 else 6}g}%"


def explained(finding: Finding) -> str:
    """The rule, its inputs, the numbers, and what would change the finding."""
    found = finding.evidence
    drawn = "" if found.draws is None else f", {found.draws:,} scenarios"
    seed = "" if found.seed is None else f", seed {found.seed}"
    numbers = found.missing or found.error if found.value is None else shown(found.value, found.unit)
    if found.value is not None and found.low is not None:
        numbers += f", interval {interval(found)}"
    if not found.converged:
        numbers += "; not converged"
    return "\n".join([
        f"{finding.asks} {finding.kind.upper()}",
        f"  Rule: {finding.limit}.",
        f"  Inputs: {found.metric} as of {found.as_of}, {found.method}{drawn}{seed}, digest {found.inputs[:12]}.",
        f"  Numbers: {numbers}.",
        f"  Why: {finding.why}.",
        f"  What would change it: {finding.would_change}.",
    ])  # fmt: skip


def told(verdict: Verdict) -> str:
    """The sentence, a line for each finding, and for each question that was not asked."""
    lines = [
        f"  {f.kind:12} {f.gate}: {shown(f.evidence.value, f.evidence.unit)}; {f.limit}; {f.why}"
        for f in verdict.findings
    ]
    lines += [f"  {'not asked':12} {asks} {why}" for asks, why in verdict.absent]
    return "\n".join([f"Verdict: {verdict.worst}. {verdict.sentence}", *lines])


def as_html(verdict: Verdict) -> str:
    """The verdict as a table."""
    heads = ("asked", "number", "interval", "limit", "finding", "why", "what would change it")
    rows: list[tuple[str, ...]] = [
        (f.asks, shown(f.evidence.value, f.evidence.unit), interval(f.evidence), f.limit, f.kind, f.why, f.would_change)
        for f in verdict.findings
    ]
    rows += [(asks, "–", "–", "–", "not asked", why, "–") for asks, why in verdict.absent]
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    head = "".join(f"<th>{head}</th>" for head in heads)
    said = f"<p><b>Verdict: {escape(verdict.worst)}.</b> {escape(verdict.sentence)}</p>"
    return f"{said}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
