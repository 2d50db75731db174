"""How strong an unseen cause would have to be to explain an effect away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student


@dataclass(frozen=True)
class Robustness:
    """value: share of what is left of both treatment and outcome that an unseen cause would have to explain to bring the estimate to `q` less of it; at_alpha: to
    make it insignificant. partial_r2: share of the outcome's remaining variance that the treatment explains."""

    value: float
    at_alpha: float
    partial_r2: float
    q: float
    alpha: float


def robustness_value(t: float, degrees: float, *, q: float = 1.0, alpha: float = 0.05) -> Robustness:
    """How strong an unseen cause would have to be. t: the estimate over its standard error. degrees: of freedom. q: part of the estimate to be explained
    away. Source: Cinelli and Hazlett 2020, Journal of the Royal Statistical Society B 82(1), section 4.2; the corner case of the exact value as in
    their software."""
    if not (degrees > 1.0 and q > 0.0 and np.isfinite(t)):
        raise ValueError(f"t {t:g}, degrees {degrees:g}, q {q:g}; expected finite, above 1, above 0")
    f = q * abs(t) / np.sqrt(degrees)
    critical = float(abs(student.ppf(alpha / 2.0, degrees - 1.0))) / np.sqrt(degrees - 1.0)
    return Robustness(_needed(f), _needed_at(f, critical), float(t**2 / (t**2 + degrees)), q, alpha)


def _needed(f: Any) -> float:
    return float(0.5 * (np.sqrt(f**4 + 4.0 * f**2) - f**2))


def _needed_at(f: float, critical: float) -> float:
    left = f - critical
    if left <= 0.0:
        return 0.0
    if f > 1.0 / critical:  # the cause explains all of the treatment first
        return float((f**2 - critical**2) / (1.0 + f**2))
    return _needed(left)
