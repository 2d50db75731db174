"""What a plan declares of the payment market: where its records are, and over which days they are looked at."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import model_validator

from poundlock.reading import Declared


class Payments(Declared):
    """The payment market that the plan looks at beside its measures."""

    market: str
    """YAML file that describes the market: currency, regions, platforms, participants, days."""
    store: str | None = None
    """Folder that `poundlock payments ingest` filled with records; left out: only the totals that the market file names."""
    kept: bool = False
    """Take partials that the store keeps, such as those that a cluster computed, instead of computing them from the records; they are inputs then,
    beside the list of days, and the files of records are not."""
    period: Literal["day", "week", "month", "quarter", "year"] = "month"
    """By what volumes and shares are added up."""
    first_day: dt.date | None = None
    """First day that counts; left out: the market's."""
    last_day: dt.date | None = None
    """Last day that counts; left out: the market's."""

    @model_validator(mode="after")
    def _in_order(self) -> Payments:
        if self.first_day is not None and self.last_day is not None and self.last_day < self.first_day:
            raise ValueError(
                f"last_day {self.last_day}, first_day {self.first_day}; expected a last day not before the first; cure correct one of them"
            )
        return self
