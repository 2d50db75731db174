"""Clearing where the answer can be derived on paper."""

from __future__ import annotations

import numpy as np

from poundlock.contagion import clear


def test_chain_of_three():
    """Eisenberg and Noe 2001, Management Science 47(2), definition 1 with a chain: 2 owes 1 ten, 1 owes 0 eight, nobody
    owes anything else. 2 keeps 4: it pays 4, V2 = 0.4. 1 keeps 2 and receives 4: it pays 6 of 8, V1 = 0.75. 0 ends with
    its own 1 plus 6."""
    exposures = np.array([[0.0, 8.0, 0.0], [0.0, 0.0, 10.0], [0.0, 0.0, 0.0]])
    result = clear(exposures, [0.0, 0.0, 6.0], external_assets=[1.0, 2.0, 10.0], external_liabilities=[0.0, 0.0, 0.0])
    np.testing.assert_allclose(result.value[0], [1.0, 0.75, 0.4], atol=1e-12)
    np.testing.assert_allclose(result.equity[0], [7.0, -2.0, -6.0], atol=1e-12)


def test_outside_creditors_rank_equally():
    """1 owes 0 six and outsiders two, and keeps four: everyone gets half."""
    exposures = np.array([[0.0, 6.0], [0.0, 0.0]])
    result = clear(exposures, [0.0, 5.0], external_assets=[0.0, 9.0], external_liabilities=[0.0, 2.0])
    np.testing.assert_allclose(result.value[0, 1], 0.5, atol=1e-12)
    np.testing.assert_allclose(result.equity[0, 0], 3.0, atol=1e-12)
