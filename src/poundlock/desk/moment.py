"""The day and the place that a plan is judged at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from poundlock.measures import Moment
from poundlock.rollout.plan import Stage


def moment_of(stages: Sequence[Stage], as_of: dt.date) -> Moment:
    """The date of the balance sheets or, where that is later, the first day of the last stage that runs, else of the first that is planned.
    Where: the regions of all stages that have begun on that day, None where there are no stages."""
    running = [stage.starts for stage in stages if stage.status == "running"]
    planned = [stage.starts for stage in stages if stage.status == "planned"]
    starts = max(running) if running else min(planned) if planned else as_of
    on = max(starts, as_of)
    begun = frozenset(region for stage in stages if stage.starts <= on for region in stage.regions)
    return Moment(on, begun if stages else None)
