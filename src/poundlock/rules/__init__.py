"""Dated legal parameters with their sources, as data: one file a jurisdiction beside this module."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Rule:
    """One parameter of one legal text. value and unit are as written there; status: final, pilot, draft_only or
    final_may_be_superseded; effective: ISO date, or words where the text gives no date."""

    id: str
    topic: str
    instrument: str
    issuer: str
    issued: str
    effective: str
    article: str
    parameter: str
    value: str
    unit: str
    operator: str
    applies_to: str
    status: str
    source: str
    note: str

    def cited(self) -> str:
        """One line for a report: what it says and where."""
        article = f", article {self.article}" if self.article else ""
        said = " ".join(x for x in (self.parameter.replace("_", " "), self.operator, self.value, self.unit) if x)
        return f"{self.id}: {said} ({self.instrument}{article})"


@cache
def rules() -> dict[str, Rule]:
    """Every rule of the shipped jurisdictions, by id."""
    found: dict[str, Rule] = {}
    for file in sorted(files(__package__).iterdir(), key=lambda f: f.name):
        if file.name.endswith(".csv"):
            for row in csv.reader(file.read_text(encoding="utf-8").splitlines()[1:]):
                found[row[0]] = Rule(*row)
    return found
