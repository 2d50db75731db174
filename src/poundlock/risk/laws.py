"""Losses of a year on asset classes, given what moves them: borrowers by Vasicek, shares by a lognormal value, policies by frequency and
severity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import poisson

from poundlock.risk.draws import BLOCK
from poundlock.system.balance import AssetClass, Claims, Equity, Floats


def conditional_frequency(probability: Floats | float, correlation: Floats | float, z: Floats) -> Floats:
    """Chance of default, or frequency of claims, where the systematic factor is z: N((N^-1(p) - sqrt(rho) z) / sqrt(1 - rho)).
    Source: Vasicek 2002, Risk 15(12)."""
    threshold = ndtri(np.asarray(probability))
    return np.asarray(ndtr((threshold - np.sqrt(correlation) * z) / np.sqrt(1.0 - np.asarray(correlation))))


def losses(classes: Sequence[AssetClass], z: Floats, generator: np.random.Generator) -> Floats:
    """Fraction of the amount that each class loses, less its margin; negative for a gain. z: (b, k), standard normal systematic factor of
    each class, b at most BLOCK. Returns (b, k). The generator is used for classes with a law of their own alone."""
    given = [(c.default_probability, c.loss_given_default, c.correlation, c.net_margin) for c in classes]
    probability, given_default, correlation, margin = np.array(given, dtype=np.float64).reshape(-1, 4).T
    found = np.asarray(given_default * conditional_frequency(probability, correlation, z) - margin)
    for k, of in enumerate(classes):
        if isinstance(of.law, Equity):
            found[:, k] = _shares(of, of.law, z[:, k], generator)
        elif isinstance(of.law, Claims):
            found[:, k] = _policies(of, of.law, z[:, k], generator)
    return found


def _shares(of: AssetClass, law: Equity, z: Floats, generator: np.random.Generator) -> Floats:
    own = generator.standard_normal(BLOCK)[: len(z)]
    x = np.sqrt(of.correlation) * z + np.sqrt(1.0 - of.correlation) * own
    return np.asarray(1.0 - (1.0 + law.expected_return) * np.exp(law.volatility * x - 0.5 * law.volatility**2))


def _policies(of: AssetClass, law: Claims, z: Floats, generator: np.random.Generator) -> Floats:
    """Insured part of all claims over the value insured; the number by inversion, so that it is common to all settings."""
    expected = law.policies * conditional_frequency(of.default_probability, of.correlation, z)
    number = poisson.ppf(generator.random(BLOCK)[: len(z)], expected).astype(np.int64)
    deviation = np.sqrt(np.log1p(law.spread**2))
    normal = generator.standard_normal(int(number.sum()))
    claim = law.severity * np.exp(deviation * normal - 0.5 * deviation**2)
    paid = np.minimum(law.limit, law.share * np.maximum(0.0, claim - law.deductible))
    scenario = np.repeat(np.arange(len(z)), number)
    return np.asarray(np.bincount(scenario, paid, minlength=len(z)) / law.policies)
