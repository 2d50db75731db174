"""What speaks against going on, on a day: findings, stale checks, overdue returns, open incidents; and what moves the run because of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from poundlock.rollout.gate import Kind
from poundlock.rollout.machine import owed
from poundlock.rollout.machine.programme import Check, Programme, Run
from poundlock.rollout.machine.terms import Metric

WAIVABLE: frozenset[str] = frozenset(("inconclusive", "no data", "error"))
RETURNS, STALE, INCIDENT = "overdue return", "stale", "incident"


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing against going on. check: entry of the check that found it, or 0. kind: a finding, 'overdue return', 'stale' or 'incident'.
    critical: no new business."""

    check: int
    metric: str
    kind: str
    critical: bool

    @property
    def waivable(self) -> bool:
        """Two people may go on in spite of it: it says that nothing is known, not that harm was seen."""
        return self.kind in WAIVABLE or self.kind == RETURNS

    def __str__(self) -> str:
        if self.kind == INCIDENT:
            return f"{self.metric} is open"
        return f"{self.metric}: {self.kind}" + (f" (check {self.check})" if self.check else "")

    @property
    def cure(self) -> str:
        """What lifts it, in words."""
        if self.kind == INCIDENT:
            return "close the incident"
        if self.kind == STALE:
            return "enter a new check"
        if self.kind == RETURNS:
            return f"file it, or waive {self.metric}"
        return (
            f"enter newer evidence, or waive {self.metric} of check {self.check}"
            if self.waivable
            else "enter newer evidence"
        )


def kind_of(check: Check, metric: Metric) -> Kind:
    """What a check says of a metric; silence is no data."""
    return next((f.kind for f in check.findings if f.metric == metric.gate), "no data")


def counted(programme: Programme, run: Run, check: Check) -> tuple[Metric, ...]:
    """Metrics that count of a check: made after the start, all but signals; made before it, limits and quality, and guardrails that it found
    broken."""
    metrics = tuple(m for m in programme.terms.metrics if m.kind != "signal")
    if run.started is not None and check.entry > run.began:
        return metrics
    broken = {f.metric for f in check.findings if f.kind in ("breach", "fail")}
    return tuple(m for m in metrics if m.kind in ("limit", "quality") or (m.kind == "guardrail" and m.gate in broken))


def _early(run: Run, metric: Metric, check: Check, kind: Kind) -> bool:
    """Success that cannot be shown yet."""
    return metric.kind == "success" and kind in WAIVABLE and run.decide_on is not None and check.as_of < run.decide_on


def standing(programme: Programme, run: Run, day: dt.date) -> tuple[Doubt, ...]:
    """Everything against going on, whether waived or not."""
    found = [*_of_check(programme, run), *_of_age(programme, run, day)]
    vital = {kind for m in programme.terms.metrics if m.without_data == "hold critical" for kind in m.needs}
    for filings, number in owed.overdue(run, day):
        found.append(Doubt(0, owed.name(filings, number), RETURNS, filings.kind in vital))
    return (*found, *of_incidents(programme))


def of_incidents(programme: Programme) -> tuple[Doubt, ...]:
    """Open incidents that are not minor."""
    grave = (i for i in programme.incidents if not i.closed and i.severity != "minor")
    return tuple(Doubt(i.entry, f"incident {i.entry}", "incident", i.severity == "critical") for i in grave)


def _of_check(programme: Programme, run: Run) -> list[Doubt]:
    check = run.check
    if check is None:
        return []
    found = []
    for metric in counted(programme, run, check):
        kind = kind_of(check, metric)
        if kind == "pass" or _early(run, metric, check, kind):
            continue
        critical = kind == "breach" or (kind == "no data" and metric.without_data == "hold critical")
        found.append(Doubt(check.entry, metric.gate, kind, critical))
    return found


def _of_age(programme: Programme, run: Run, day: dt.date) -> list[Doubt]:
    last = stale_on(programme, run)
    return [Doubt(0, "check", STALE, False)] if last is not None and day >= last else []


def stale_on(programme: Programme, run: Run) -> dt.date | None:
    """The day on which the last check is too old; a run that was never checked counts from its start."""
    if run.started is None:
        return None
    seen = max(run.started, run.check.as_of) if run.check else run.started
    return seen + dt.timedelta(programme.terms.check_within_days + 1)


def waived(run: Run, doubt: Doubt, day: dt.date) -> bool:
    """Bound to one check and one metric, and not expired."""
    return doubt.waivable and any(
        w.check == doubt.check and w.metric == doubt.metric and day <= w.until for w in run.waivers
    )


def open_doubts(programme: Programme, run: Run, day: dt.date) -> tuple[Doubt, ...]:
    """What stands and is not waived."""
    return tuple(d for d in standing(programme, run, day) if not waived(run, d, day))


def cause(programme: Programme, run: Run, day: dt.date) -> tuple[str, str] | None:
    """What the machine must do now, and why: 'breach' before 'doubt' before 'overdue'; None where nothing speaks against going on."""
    doubts = open_doubts(programme, run, day)
    if not doubts:
        return None
    critical = [d for d in doubts if d.critical]
    why = "; ".join(str(d) for d in (critical or doubts))
    if critical:
        return "breach", why
    return ("overdue" if all(d.kind in (RETURNS, STALE) for d in doubts) else "doubt"), why


def pre_authorised(programme: Programme, run: Run) -> bool:
    """Whether the last check breached something whose breach the plan lets roll back at once."""
    check = run.check
    return check is not None and any(
        f.kind == "breach" and f.metric in programme.terms.pre_authorised for f in check.findings
    )
