"""Clearing against an independent solver: payments that are maximal under limited liability (Eisenberg and Noe 2001,
lemma 4), by HiGHS through scipy.optimize.linprog; the version is the one in requirements-dev.lock."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from poundlock.contagion import clear


def payments_by_lp(exposures, assets, outside):
    """Largest p with 0 <= p <= owed and p <= assets + inside claims, pro rata over all creditors."""
    owed = exposures.sum(axis=0) + outside
    share = np.divide(exposures, owed[None, :], out=np.zeros_like(exposures), where=owed[None, :] > 0)
    solved = linprog(
        -np.ones(len(owed)),
        A_ub=np.eye(len(owed)) - share,
        b_ub=assets,
        bounds=list(zip(np.zeros(len(owed)), owed, strict=True)),
        method="highs",
    )
    assert solved.status == 0
    return solved.x, owed


@settings(max_examples=300, deadline=None)
@given(
    st.integers(2, 25),
    st.floats(0.05, 1.0),
    st.floats(0.0, 1.2),
    st.sampled_from([1e-3, 1.0, 1e6]),
    st.integers(0, 2**32 - 1),
)
def test_payments_are_those_of_the_linear_programme(n, density, stress, scale, seed):
    draw = np.random.default_rng(seed)
    exposures = draw.lognormal(0, 1.5, (n, n)) * (draw.random((n, n)) < density) * scale
    np.fill_diagonal(exposures, 0.0)
    assets = draw.lognormal(0, 1, n) * exposures.sum() / n + scale
    outside = draw.random(n) * assets * (draw.random(n) < 0.8)
    losses = np.minimum(stress * draw.random(n), 1.0) * assets
    expected, owed = payments_by_lp(exposures, assets - losses, outside)
    found = clear(exposures, losses, external_assets=assets, external_liabilities=outside)
    assert found.converged.all()
    np.testing.assert_allclose(found.value[0] * owed, expected, rtol=1e-6, atol=1e-6 * max(owed.max(), scale))
