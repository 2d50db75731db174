"""Who holds the market: shares, the Herfindahl-Hirschman index and concentration ratios, beside the lines that dated rules draw.

HHI is the sum of squared shares, between 1 / n and 1 (times 10,000 in competition law); CR_k the share of the k largest together (CPMI-IOSCO
quantitative disclosure 18.3 asks for the like of participants).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from poundlock.payments.activity import Volumes
from poundlock.rules import Rule

LARGEST: Final = 3
"""Concentration ratios are of the one, two and three largest."""
WARNING: Final = ("payment-share-of-one", "payment-share-of-two", "payment-share-of-three")
DOMINANCE: Final = tuple(f"electronic-{name}" for name in WARNING)
"""Quantities of rules: the share of the one, two, three largest of non-bank payments, and of all electronic payments."""


@dataclass(frozen=True, slots=True)
class Concentration:
    """By period. who (g,): as in Volumes. share (p, g): of the value of the period; NaN in a period without payments. hhi (p,). ratios (p, 3): CR1, CR2, CR3;
    with fewer than k, all of them."""

    periods: tuple[str, ...]
    who: tuple[str, ...]
    share: NDArray[np.float64] = field(repr=False)
    hhi: NDArray[np.float64]
    ratios: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """A share at which a rule calls for something. largest: of how many together, 1 to 3. limit: a fraction. binding: False for a draft,
    which is shown and never binds. what: warning or dominance."""

    rule: str
    largest: int
    limit: float
    what: str
    binding: bool
    cited: str


def concentration(found: Volumes, *, count: bool = False, rest: Collection[str] = ()) -> Concentration:
    """Shares by one dimension, of value or (count) of the number of payments.

    rest: names that stand for many small ones. They are in the whole, and never among the largest nor in the index, which is then the
    least that it can be.
    """
    amount = (found.payments if count else found.value).astype(np.float64)
    total = amount.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(total > 0.0, amount / total, np.nan)
    who = tuple(" / ".join(group) for group in found.groups)
    single = share[:, [name not in rest for name in who]]
    running = np.cumsum(-np.sort(-single, axis=1), axis=1)
    at = np.minimum(np.arange(LARGEST), max(single.shape[1], 1) - 1)
    ratios = running[:, at] if single.shape[1] else np.full((len(found.periods), LARGEST), np.nan)
    return Concentration(found.periods, who, share, np.sum(single**2, axis=1), ratios)


def lines(rules: Iterable[Rule], on: dt.date, quantities: tuple[str, ...] = WARNING) -> tuple[Line, ...]:
    """The lines that stand on a day, in force or as a public draft, for one, two and three institutions together."""
    what = "warning" if quantities == WARNING else "dominance"
    return tuple(
        Line(rule.id, quantities.index(rule.quantity) + 1, rule.limit, what, rule.in_force(on), rule.cited())
        for rule in rules
        if rule.quantity in quantities and rule.limit is not None and (rule.in_force(on) or rule.proposed(on))
    )
