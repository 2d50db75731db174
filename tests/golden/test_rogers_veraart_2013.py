"""Rogers, L. C. G. and Veraart, L. A. M. (2013), Failure and rescue in an interbank network, Management Science 59(4),
882-898.

A bank that cannot pay in full realises alpha of its external assets and beta of what it recovers from others (their
definition of a clearing vector). Numbers are derived in each docstring, but for the last two tests: there they are
printed by software.
"""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.contagion import clear


def test_two_banks_that_either_both_pay_or_both_fail():
    """Both owe each other 6 and outsiders 3, and have 4 outside: assets 10, debts 9. If both pay in full, both can: V =
    1, E = 1.
    If both fail at alpha = beta = 1/2, each pays 2 + 3 V = 9 V: V = 1/3, and with it E = 4 + 2 - 9 = -3 < 0, so they do
    fail.
    One alone: it would have 2 + 3 = 5 of 9 to pay, the other 4 + 10/3 < 9, which fails too. So there are two clearing
    vectors. Without costs the second is none: 4 + 6 V = 9 V gives V = 4/3 > 1."""
    exposures = np.array([[0.0, 6.0], [6.0, 0.0]])
    balance = {"external_assets": [4.0, 4.0], "external_liabilities": [3.0, 3.0], "bracket": True}
    found = clear(exposures, [0.0, 0.0], alpha=0.5, beta=0.5, **balance)
    np.testing.assert_allclose(found.value[0], [1, 1], atol=1e-12)
    np.testing.assert_allclose(found.equity[0], [1, 1], atol=1e-12)
    np.testing.assert_allclose(found.least.value[0], [1 / 3, 1 / 3], atol=1e-10)
    np.testing.assert_allclose(found.least.equity[0], [-3, -3], atol=1e-9)
    free = clear(exposures, [0.0, 0.0], **balance)
    np.testing.assert_allclose(free.least.value[0], [1, 1], atol=1e-12)


@pytest.mark.parametrize(
    ("alpha", "beta", "paid"),
    [(1.0, 1.0, 10.0), (0.5, 1.0, 8.0), (1.0, 0.5, 7.0), (0.5, 0.5, 5.0), (0.25, 0.75, 5.5), (0.0, 0.0, 0.0)],
)
def test_alpha_is_on_external_assets_and_beta_on_claims(alpha, beta, paid):
    """1 owes 0 twenty, is owed six by 2, who pays, and keeps four of its external assets: it pays 4 alpha + 6 beta."""
    exposures = np.array([[0.0, 20.0, 0.0], [0.0, 0.0, 6.0], [0.0, 0.0, 0.0]])
    found = clear(
        exposures,
        [0.0, 16.0, 0.0],
        external_assets=[0.0, 20.0, 10.0],
        external_liabilities=[0.0, 0.0, 0.0],
        alpha=alpha,
        beta=beta,
    )
    np.testing.assert_allclose(found.equity[0], [paid, -10.0, 4.0], atol=1e-12)
    np.testing.assert_allclose(found.value[0], [1.0, paid / 20, 1.0], atol=1e-12)


def test_costs_begin_with_a_jump_at_default():
    """1 owes 0 ten and has ten: at equity 0 it pays all. With one less, half of nine is realised: V = 0.45, not 0.9."""
    exposures = np.array([[0.0, 10.0], [0.0, 0.0]])
    balance = {"external_assets": [0.0, 10.0], "external_liabilities": [0.0, 0.0]}
    found = clear(exposures, [[0.0, 0.0], [0.0, 1.0]], alpha=0.5, beta=0.5, **balance)
    np.testing.assert_allclose(found.value[:, 1], [1.0, 0.45], atol=1e-12)


SYSTEMICRISK = {
    "exposures": np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]).T,  # there L[i, j] is what i owes j
    "external_assets": np.array([1 / 2, 5 / 8, 3 / 4]),
    "external_liabilities": np.array([3 / 2, 1 / 2, 1 / 2]),
}
OWED = SYSTEMICRISK["exposures"].sum(axis=0) + SYSTEMICRISK["external_liabilities"]


@pytest.mark.parametrize("exact", [False, True])
def test_example_of_systemicrisk_without_costs(exact):
    """R package systemicrisk 0.4.2 (Gandy and Veraart), help page of default_clearing, first example, x = 0.5:
    payments 1.473214, 1.419643, 1.500000.

    By hand: 3 pays all of 3/2, so p1 = 1/2 + p2 / 3 + 1/2 and p2 = 5/8 + p1 / 5 + 1/2, hence p1 = 165/112, p2 =
    159/112."""
    found = clear(SYSTEMICRISK["exposures"], np.zeros(3), exact=exact, **_balance())
    np.testing.assert_allclose(found.value[0] * OWED, [1.473214, 1.419643, 1.500000], atol=5e-7)
    np.testing.assert_allclose(found.value[0] * OWED, [165 / 112, 159 / 112, 3 / 2], atol=1e-11)
    np.testing.assert_array_equal(found.default[0], [True, True, False])


@pytest.mark.parametrize("exact", [False, True])
def test_example_of_systemicrisk_with_costs(exact):
    """The same help page, second example, alpha = 0.5, beta = 0.7: payments 0.5020200, 0.5147049, 0.5653806; all
    fail."""
    found = clear(SYSTEMICRISK["exposures"], np.zeros(3), alpha=0.5, beta=0.7, exact=exact, **_balance())
    np.testing.assert_allclose(found.value[0] * OWED, [0.5020200, 0.5147049, 0.5653806], atol=5e-8)
    assert found.default.all()


def _balance():
    return {name: SYSTEMICRISK[name] for name in ("external_assets", "external_liabilities")}
