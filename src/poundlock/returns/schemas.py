"""The five returns that an institution owes each period: their columns, what each means, and the data dictionary made of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

Type = Literal["text", "code", "integer", "money", "number", "share", "date", "period"]


@dataclass(frozen=True, slots=True)
class Field:
    """One column. meaning: one sentence; minimum, maximum: bounds as text, both allowed themselves; longest: characters of a text."""

    name: str
    type: Type
    meaning: str
    unit: str = ""
    required: bool = True
    choices: tuple[str, ...] = ()
    minimum: str | None = None
    maximum: str | None = None
    longest: int = 64

    @property
    def expected(self) -> str:
        """The values that this column takes, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        bounds = [f"at least {self.minimum}"] * (self.minimum is not None)
        bounds += [f"at most {self.maximum}"] * (self.maximum is not None)
        if self.type in ("text", "code"):
            bounds = [f"at most {self.longest:,} characters"]
        return " of ".join((WORDS[self.type], " and ".join(bounds))) if bounds else WORDS[self.type]


WORDS: dict[Type, str] = {
    "text": "text without control characters",
    "code": "a code without spaces",
    "integer": "a whole number",
    "money": "an amount such as 1234.5",
    "number": "a number such as 1234.5",
    "share": "a share such as 0.12",
    "date": "a date such as 2026-09-30",
    "period": "a period such as 2026-09, 2026-09-30, 2026-Q3 or 2026",
}


@dataclass(frozen=True, slots=True)
class Schema:
    """One return. key: the columns that no two rows share; totals: a column to add up, and the column it is split by."""

    kind: str
    meaning: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    totals: tuple[tuple[str, str | None], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in the order of the template."""
        return tuple(field.name for field in self.fields)


ENVELOPE = ("reporting_institution", "reporting_period")
"""Columns that any return may carry besides its own; they must say what the filing says."""

_EXPOSURES = Schema(
    "exposures",
    "What the institution lent to others and borrowed from them, both sides, at the end of the period.",
    (
        Field(
            "side",
            "code",
            "Whether the filer lent (its asset) or borrowed (its liability).",
            choices=("lent", "borrowed"),
        ),
        Field("counterparty", "code", "The other institution, by LEI or by the id that the programme gave it."),
        Field("layer", "code", "The kind of claim, as the programme names its layers: interbank, joint-loan, deposit."),
        Field(
            "amount",
            "money",
            "What is owed, before any collateral or provision.",
            "the programme's money unit",
            minimum="0",
        ),
        Field(
            "maturity_days",
            "integer",
            "Days from the end of the period until it falls due; 0 is on demand.",
            "days",
            minimum="0",
            maximum="36600",
        ),
        Field(
            "recovery",
            "share",
            "The share that the lender expects back if the debtor fails.",
            "share",
            required=False,
            minimum="0",
            maximum="1",
        ),
    ),
    key=("side", "counterparty", "layer", "maturity_days"),
    totals=(("amount", "side"),),
)
REQUIRED_ITEMS = ("total-assets", "total-liabilities", "equity")
_ITEMS = (*REQUIRED_ITEMS, "tier1-capital", "risk-weighted-assets", "liquid-assets", "net-outflows-30-days", "loans", "customer-deposits",
          "client-money", "claims-on-institutions", "owed-to-institutions")  # fmt: skip
_BALANCE_SHEET = Schema(
    "balance-sheet",
    "The balance sheet at the end of the period, one item a row. Assets less liabilities give equity.",
    (
        Field(
            "item",
            "code",
            "The item; claims-on-institutions and owed-to-institutions are the two sides of the exposures.",
            choices=_ITEMS,
        ),
        Field(
            "amount",
            "money",
            "The item's value; only equity and tier1-capital may be below zero.",
            "the programme's money unit",
        ),
    ),
    key=("item",),
    totals=(("amount", "item"),),
)
_OUTCOMES = Schema(
    "outcomes",
    "What the measure is meant to change, by region, in the period.",
    (
        Field("outcome", "code", "The outcome's id in the programme's plan."),
        Field("region", "code", "The region, ISO 3166-2 or GB/T 2260."),
        Field("value", "number", "The outcome's value."),
        Field("unit", "code", "The unit of the value, as the plan states it."),
    ),
    key=("outcome", "region"),
    totals=(("value", "outcome"),),
)
_PAYMENTS = Schema(
    "payments",
    "Payments that the institution carried, by day or month and by rail.",
    (
        Field("period", "period", "The day or month that the row adds up, within the period of the return."),
        Field("rail", "code", "The system that carried them: card, instant, wallet, batch."),
        Field("count", "integer", "Payments carried.", "payments", minimum="0"),
        Field("amount", "money", "Their sum.", "the programme's money unit", minimum="0"),
        Field(
            "failed",
            "integer",
            "Payments that were accepted and not carried out.",
            "payments",
            required=False,
            minimum="0",
        ),
        Field(
            "largest_payee_share",
            "share",
            "Share of the amount that went to the largest payee.",
            "share",
            required=False,
            minimum="0",
            maximum="1",
        ),
    ),
    key=("period", "rail"),
    totals=(("count", "rail"), ("amount", "rail")),
)
_INCIDENTS = Schema(
    "incidents",
    "What went wrong in the period: attacks, faulty data, outages, conduct.",
    (
        Field("id", "code", "The institution's own number of the incident."),
        Field("kind", "code", "What sort of incident it was.", choices=("cyber", "data", "outage", "conduct")),
        Field(
            "severity", "code", "How grave it was, by the programme's scale.", choices=("minor", "major", "critical")
        ),
        Field("started", "date", "The day on which it began."),
        Field("ended", "date", "The day on which it ended; empty while it lasts.", required=False),
        Field(
            "affected",
            "integer",
            "People or accounts that it touched.",
            "people or accounts",
            required=False,
            minimum="0",
        ),
        Field("description", "text", "What happened and what was done, in a few sentences.", longest=2_000),
    ),
    key=("id",),
    totals=(("affected", "severity"),),
)

SCHEMAS: dict[str, Schema] = {s.kind: s for s in (_EXPOSURES, _BALANCE_SHEET, _OUTCOMES, _PAYMENTS, _INCIDENTS)}
KINDS: tuple[str, ...] = tuple(SCHEMAS)

DICTIONARY_HEADER: tuple[str, ...] = ("kind", "key", *(field.name for field in fields(Field)))


def data_dictionary(kinds: tuple[str, ...] = KINDS) -> tuple[dict[str, str], ...]:
    """Every column of the kinds as a row of words, in the order of the templates; the keys are DICTIONARY_HEADER."""
    return tuple(
        {
            "kind": kind,
            "key": "yes" if field.name in SCHEMAS[kind].key else "no",
            "name": field.name,
            "type": field.type,
            "meaning": field.meaning,
            "unit": field.unit,
            "required": "yes" if field.required else "no",
            "choices": ", ".join(field.choices),
            "minimum": field.minimum or "",
            "maximum": field.maximum or "",
            "longest": f"{field.longest}" if field.type in ("text", "code") and not field.choices else "",
        }
        for kind in kinds
        for field in SCHEMAS[kind].fields
    )
