"""Valuation functions: the share of a claim on j that its creditors can count on, given j's equity.

Each is scalar, compiled, within [0, 1], and never falls when equity rises. The general form is
Barucca, Bardoscia, Caccioli, D'Errico, Visentin, Caldarelli and Battiston 2020, Mathematical Finance 30(4), eq. 3.
"""

from __future__ import annotations

from typing import Final

from numba import njit

CLEARING: Final = 0
LINEAR_DEBTRANK: Final = 1
VALUATIONS: Final = {"clearing": CLEARING, "linear-debtrank": LINEAR_DEBTRANK}


@njit(inline="always")
def clearing(equity: float, obligations: float) -> float:
    """Eisenberg and Noe 2001, eq. 5, as a function of equity: paid in full at equity >= 0, else what assets cover.

    obligations: all of them, internal and external, ranking equally; money units, >= 0.
    """
    if equity >= 0.0:
        return 1.0
    if obligations <= 0.0:
        return 0.0
    return max(0.0, 1.0 + equity / obligations)


@njit(inline="always")
def linear_debtrank(equity: float, initial_equity: float, recovery: float) -> float:
    """Bardoscia, Battiston, Caccioli and Caldarelli 2015, PLOS ONE 10(6), eq. 5: value falls in step with equity.

    At default it is the recovery rate (0 in the paper; then the whole claim is lost). recovery: 0 to 1.
    """
    if initial_equity <= 0.0 or equity <= 0.0:
        return recovery
    return recovery + (1.0 - recovery) * min(1.0, equity / initial_equity)
