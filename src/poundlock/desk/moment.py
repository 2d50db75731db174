"""The day and the place that a plan is judged at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from poundlock.measures import Moment
from poundlock.rollout.plan import Stage


def moment_of(stages: Sequence[Stage], as_of: dt.date, on: dt.date | None = None) -> Moment:
    """The date of the balance sheets or, where it is later, the first day of the last stage that runs, else of the first that is planned; or the day that
    is given. Where: the regions of the stages that run on that day, and of a planned one that the day belongs to; None where there are no
    stages."""
    running = [stage for stage in stages if stage.status == "running"]
    planned = sorted((stage for stage in stages if stage.status == "planned"), key=lambda stage: stage.starts)
    judged = running or planned[:1]
    day = on or max([as_of, *(stage.starts for stage in (sorted(judged, key=lambda s: s.starts)[-1:]))])
    begun = frozenset(region for stage in judged if stage.starts <= day < stage.ends for region in stage.regions)
    return Moment(day, begun if stages else None)
