"""Before a roll-out: how many places start when, and what effect could then be found."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

Floats = NDArray[np.float64]


def share_started(periods: int) -> Floats:
    """Share of places that have started by each period, for the most precise estimate of a constant effect: (2 t - 1) / (2 T), (periods,). Source: Xiong,
    Athey, Bayati and Imbens 2024, Management Science 70(8), theorem 1."""
    if periods < 1:
        raise ValueError(f"{periods} periods; expected one at least")
    return np.asarray((2.0 * np.arange(1, periods + 1) - 1.0) / (2.0 * periods))


def staggered(places: int, periods: int) -> NDArray[np.bool_]:
    """Who is under treatment when, (places, periods), as near to `share_started` as whole places allow; who is first is left to chance or to consent."""
    if places < 2:
        raise ValueError(f"{places} places; expected two at least, so that some can be compared with")
    number = np.round(share_started(periods) * places).astype(np.int64)
    return np.asarray(np.arange(places)[:, None] < number)


@dataclass(frozen=True)
class Power:
    """error: standard error of the effect. detectable: smallest effect found with the chance `power` at two-sided level `alpha`. treated (p, t)."""

    error: float
    detectable: float
    power: float
    alpha: float
    treated: NDArray[np.bool_] = field(repr=False, compare=False)

    def chance(self, effect: float) -> float:
        """Chance that an effect of this size is found."""
        critical = float(norm.ppf(1.0 - self.alpha / 2.0))
        return float(norm.cdf(abs(effect) / self.error - critical) + norm.cdf(-abs(effect) / self.error - critical))


def stepped_wedge(
    treated: ArrayLike, *, within: float, between: float, size: float = 1.0, power: float = 0.8, alpha: float = 0.05
) -> Power:
    """What a staggered start could find.

    treated: (p, t), who is under treatment when. within: standard deviation of one observation in a place and period; size: observations in each. between:
    standard deviation of places' own levels. Raises ValueError for a plan that never changes, or in which all places change at once.
    Source: Hussey and Hughes 2007, Contemporary Clinical Trials 28(2), eq. 8.
    """
    x = np.asarray(treated, dtype=np.float64)
    if x.ndim != 2 or not np.all(np.isin(x, (0.0, 1.0))):
        raise ValueError(f"treated {x.shape}; expected zeros and ones, (places, periods)")
    if not (within > 0.0 and between >= 0.0 and size > 0.0):
        raise ValueError(
            f"within {within:g}, between {between:g}, size {size:g}; expected above 0, not negative, above 0"
        )
    places, periods = x.shape
    noise, own = within**2 / size, between**2
    u, w, v = x.sum(), float(np.sum(x.sum(axis=0) ** 2)), float(np.sum(x.sum(axis=1) ** 2))
    known = (places * u - w) * noise + (u**2 + places * periods * u - periods * w - places * v) * own
    if known <= 1e-12 * places * periods * (noise + own):
        raise ValueError("all places are alike in every period; expected some to start before others")
    error = float(np.sqrt(places * noise * (noise + periods * own) / known))
    found = float(norm.ppf(1.0 - alpha / 2.0) + norm.ppf(power)) * error
    return Power(error, found, power, alpha, np.asarray(x, dtype=bool))
