"""Barucca, P., Bardoscia, M., Caccioli, F., D'Errico, M., Visentin, G., Caldarelli, G. and Battiston, S. (2020),
Network valuation in financial systems, Mathematical Finance 30(4), 1181-1204; Merton, R. C. (1974), On the pricing of
corporate debt, Journal of Finance 29(2), 449-470.

Before maturity a claim is worth 1 - (1 - R) PD. External assets a end at a exp(s Z - s^2 / 2), s the volatility times
the root of the years, Z standard normal. The debtor fails if what they lose exceeds its equity E now: exp(s Z - s^2 /
2) < 1 - E / a, so PD = N((log(1 - E / a) + s^2 / 2) / s). Numbers derived here; the normal distribution is scipy's.
"""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
import pytest
from scipy.stats import norm

from poundlock.contagion import propagate

CLAIM = np.array([[0.0, 10.0], [0.0, 0.0]])


def equity_of_creditor(losses, volatility, days=365.0, recovery=0.0):
    """0 has 5 outside and a claim of 10 on 1, which has 50 outside, owes outsiders 30 and 0 ten: equity 15 and 10."""
    found = propagate(
        CLAIM,
        [0.0, losses],
        valuation="merton",
        external_assets=[5.0, 50.0],
        external_liabilities=[0.0, 30.0],
        volatility=[0.0, volatility],
        horizon_days=days,
        recovery=recovery,
    )
    np.testing.assert_allclose(found.equity[0, 1], 10.0 - losses, atol=1e-12)
    return found.equity[0, 0]


@pytest.mark.parametrize(("losses", "years"), [(0.0, 1.0), (5.0, 1.0), (5.0, 0.25), (12.0, 1.0)])
def test_a_claim_on_a_debtor_with_known_equity(losses, years):
    """No loss, a year, volatility 0.2: 1 - E / a = 4/5, PD = N((log 0.8 + 0.02) / 0.2) = N(-1.0157) = 0.1549, so 0 has
    5 + 10 (1 - 0.1549) = 13.451, less than its 15 at face value. Loss 5: 1 - 5/45 = 8/9, PD = N(-0.4889). In a quarter
    of the time s = 0.1: N((log(8/9) + 0.005) / 0.1). Loss 12: equity -2 of 38, 1 + 2/38 = 20/19, PD = N(0.3565), not
    one."""
    s, left = 0.2 * sqrt(years), (50.0 - losses - (10.0 - losses)) / (50.0 - losses)
    chance = norm.cdf((log(left) + s * s / 2) / s)
    found = equity_of_creditor(losses, 0.2, days=365.0 * years)
    assert found == pytest.approx(5 + 10 * (1 - chance), abs=1e-11)
    if losses == 0.0:
        assert found == pytest.approx(13.451, abs=1e-3)


def test_recovery_is_left_of_the_claim_in_default():
    """R = 0.4: 5 + 10 (1 - 0.6 PD), PD as above."""
    chance = norm.cdf((log(0.8) + 0.02) / 0.2)
    assert equity_of_creditor(0.0, 0.2, recovery=0.4) == pytest.approx(15 - 6 * chance, abs=1e-11)


def test_without_volatility_it_is_default_only():
    """Assets stay what they are: PD is 0 at equity 0 (loss 10), 1 below it."""
    assert equity_of_creditor(10.0, 0.0) == 15.0
    assert equity_of_creditor(10.5, 0.0) == 5.0


def test_two_banks_with_claims_on_each_other_at_a_fixed_point_made_on_paper():
    """Choose PD = N(-1): with s = 0.2 and a = 100 that is log(1 - E / 100) = -0.2 - 0.02, E = 100 (1 - exp(-0.22)) =
    19.748. Each holds 10 on the other with recovery 1/4, so E = 100 - b - 7.5 N(-1): b = 100 exp(-0.22) - 7.5 N(-1) =
    79.06.
    E -> 100 - b - 7.5 PD(E) has slope 7.5 n(-1) / (0.2 * 80.25) = 0.11 there and below 0.4 * 7.5 / (0.2 * 79) = 0.19
    from there to the start at E = 20.94, so this is the greatest solution."""
    outside = 100 * exp(-0.22) - 7.5 * norm.cdf(-1)
    found = propagate(
        np.array([[0.0, 10.0], [10.0, 0.0]]),
        [0.0, 0.0],
        valuation="merton",
        external_assets=[100.0, 100.0],
        external_liabilities=[outside, outside],
        volatility=[0.2, 0.2],
        recovery=0.25,
    )
    np.testing.assert_allclose(found.equity[0], 100 * (1 - exp(-0.22)), atol=1e-9)
    np.testing.assert_allclose(found.value[0], 1 - 0.75 * norm.cdf(-1), atol=1e-10)


def test_a_shock_to_external_assets_works_through_equity_and_through_the_assets_that_are_left():
    """Same equity of 5, reached by a loss of 5 from 50 or by owing 5 more with 50: 1 - 5/45 against 1 - 5/50."""
    owes_more = propagate(
        CLAIM,
        [0.0, 0.0],
        valuation="merton",
        external_assets=[5.0, 50.0],
        external_liabilities=[0.0, 35.0],
        volatility=[0.0, 0.2],
    ).equity[0, 0]
    assert owes_more == pytest.approx(15 - 10 * norm.cdf((log(0.9) + 0.02) / 0.2), abs=1e-11)
    assert equity_of_creditor(5.0, 0.2) == pytest.approx(15 - 10 * norm.cdf((log(8 / 9) + 0.02) / 0.2), abs=1e-11)
