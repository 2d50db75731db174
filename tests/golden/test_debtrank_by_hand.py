"""Linear DebtRank where the series can be summed on paper."""

from __future__ import annotations

import numpy as np

from poundlock.contagion import debtrank


def test_two_banks_lending_to_each_other():
    """Bardoscia et al. 2015, eq. 7: h(t+1) - h(t) = Lambda (h(t) - h(t-1)). Two banks with equity 4 and claims of 2 on
    each other: Lambda = 1/2 both ways. A loss of 1 on bank 0 is h0 = 1/4 at first; the geometric series gives
    h0 = (1/4) / (1 - 1/4) = 1/3 and h1 = (1/2) h0 = 1/6, so equity falls by 4/3 and 2/3."""
    exposures = np.array([[0.0, 2.0], [2.0, 0.0]])
    result = debtrank(exposures, [1.0, 0.0], external_assets=[10.0, 10.0], external_liabilities=[6.0, 6.0])
    np.testing.assert_allclose(result.equity_lost[0], [4 / 3, 2 / 3], atol=1e-10)


def test_recovery_scales_the_leverage():
    """With recovery 1/2 the same case has Lambda = 1/4: h0 = (1/4) / (1 - 1/16) = 4/15, h1 = 1/15."""
    exposures = np.array([[0.0, 2.0], [2.0, 0.0]])
    result = debtrank(
        exposures, [1.0, 0.0], external_assets=[10.0, 10.0], external_liabilities=[6.0, 6.0], recovery=0.5
    )
    np.testing.assert_allclose(result.equity_lost[0], [16 / 15, 4 / 15], atol=1e-10)


def test_each_bank_uses_its_own_equity():
    """One equity for all banks is a fault seen elsewhere: claims of 1 on a bank that loses half its equity cost 1/2."""
    exposures = np.array([[0.0, 1.0], [0.0, 0.0]])
    result = debtrank(exposures, [0.0, 50.0], external_assets=[10.0, 200.0], external_liabilities=[1.0, 99.0])
    np.testing.assert_allclose(result.equity_lost[0], [0.5, 50.0], atol=1e-10)
