"""How much a set of dependent draws is worth: effective size and split R-hat of one number along several chains."""

from __future__ import annotations

import numpy as np

from poundlock.system.reconstruct.entropy import Floats


def effective_size(draws: Floats) -> float:
    """How many independent draws tell as much of the mean. draws: (chains, length).

    Autocorrelations of all chains together, summed up to where pairs of them stop being positive, and never rising. A number
    that never changes is known at once: the size is that of draws; nought where chains stay at different ones.
    Source: Geyer 1992, Statistical Science 7(4), section 3.3; several chains: Vehtari et al. 2021, Bayesian Analysis 16(2),
    equations 10 to 12.
    """
    chains, length = draws.shape
    inside, overall = _variances(draws)
    if overall == 0.0:
        return float(draws.size)
    if inside == 0.0 or length < 4:
        return 0.0
    spread = draws - draws.mean(axis=1, keepdims=True)
    wave = np.fft.rfft(spread, 2 * length, axis=1)
    covariance = np.fft.irfft(wave * wave.conj(), axis=1)[:, :length].mean(axis=0) / length
    correlation = 1.0 - (inside - covariance * length / (length - 1)) / overall
    correlation[0] = 1.0
    pairs = correlation[0 : length - 1 : 2] + correlation[1:length:2]
    last = int(np.argmax(pairs <= 0.0)) if (pairs <= 0.0).any() else len(pairs)
    time = 2.0 * float(np.minimum.accumulate(pairs[:last]).sum()) - 1.0
    return float(chains * length / max(time, 1.0 / np.log10(chains * length)))


def split_r_hat(draws: Floats) -> float:
    """Square root of overall variance over variance within half chains: one where they agree. draws: (chains, length).

    Source: Vehtari et al. 2021, Bayesian Analysis 16(2), equations 1 to 4, without ranks.
    """
    half = draws.shape[1] // 2
    inside, overall = _variances(np.concatenate([draws[:, :half], draws[:, -half:]]))
    if overall == 0.0:
        return 1.0
    return float(np.sqrt(overall / inside)) if inside > 0.0 else np.inf


def _variances(draws: Floats) -> tuple[float, float]:
    """Variance within chains, and the overestimate of the whole that their means give."""
    chains, length = draws.shape
    inside = float(draws.var(axis=1, ddof=1).mean())
    between = float(draws.mean(axis=1).var(ddof=1)) if chains > 1 else 0.0
    return inside, inside * (length - 1) / length + between
