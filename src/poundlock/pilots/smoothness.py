"""Honest bounds where the violation of parallel trends may bend: optimal intervals of fixed length (Rambachan and Roth 2023, Review of Economic Studies 90(5), section 4.1; Armstrong and
Kolesár 2018, Econometrica 86(2))."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import null_space, solve_triangular
from scipy.optimize import lsq_linear, minimize_scalar
from scipy.stats import ncx2

from poundlock.pilots.honest import checked_event_study

Floats = NDArray[np.float64]
RIDGE: Final = 1e-10


class _Problem(NamedTuple):
    """Weights on the effects before the start are first + free x, which leave no straight trend. Their variance is 1/2 x'Q x + q'x + c, twice; they bias by the bound times
    the sum of |bends + by x|."""

    first: Floats
    free: Floats
    square: Floats
    linear: Floats
    constant: float
    bends: Floats
    by: Floats


def smoothness(
    effects: ArrayLike, covariance: ArrayLike, before: int, bound: float, *, level: float = 0.95
) -> tuple[float, float]:
    """Interval of the mean effect after the start if the violation's slope changes by `bound` at most from one period to the next.

    effects (m,): event study against the last period before the start, which is left out, in periods that follow each other; `before` of them lie before it.
    covariance: (m, m). bound: in units of the effect, 0 for a straight trend. Of all linear estimators that leave no straight trend the one whose interval, bias and all, is
    shortest. Raises ValueError as `relative_magnitudes` does, and for a negative bound.
    """
    beta, sigma = checked_event_study(effects, covariance, before)
    if not bound >= 0.0:
        raise ValueError(f"a bound of {bound:g}; expected 0 or more")
    after = len(beta) - before
    mean = np.full(after, 1.0 / after)
    of = _problem(sigma, before, mean)

    def length(log_price: float) -> float:
        return _half(of, _weights(of, float(np.exp(log_price))), bound, 1.0 - level)[0]

    if bound == 0.0 or of.free.shape[1] == 0:
        x = np.asarray(-np.linalg.lstsq(of.square, of.linear, rcond=None)[0], dtype=np.float64)
    else:
        scale = np.log(2.0 * of.constant / max(float(np.abs(of.bends).sum()), 1e-300))
        grid = scale + np.linspace(-9.0, 6.0, 31)
        best = grid[int(np.argmin([length(one) for one in grid]))]
        found = minimize_scalar(length, bounds=(best - 0.6, best + 0.6), method="bounded", options={"xatol": 1e-4})
        x = _weights(of, float(np.exp(found.x)))
    half, _ = _half(of, x, bound, 1.0 - level)
    centre = float((of.first + of.free @ x) @ beta[:before] + mean @ beta[before:])
    return centre - half, centre + half


def _problem(sigma: Floats, before: int, mean: Floats) -> _Problem:
    times = np.concatenate([np.arange(-before, 0), np.arange(1, len(mean) + 1)]).astype(np.float64)
    early, late = times[:before], times[before:]
    first = -float(mean @ late) * early / float(early @ early)
    free = null_space(early[None, :])
    own, across = sigma[:before, :before], sigma[:before, before:]
    # the bend at period k (from -before + 1 on) moves what lies beyond it, on its side of the reference
    inner = np.arange(-before + 1, len(mean))
    moves = np.where(inner <= 0, np.maximum(inner - times[:, None], 0.0), np.maximum(times[:, None] - inner, 0.0))
    moves[before:, inner == 0] = 0.0
    whole = np.concatenate([first, mean])
    return _Problem(
        first,
        free,
        free.T @ own @ free,
        free.T @ (own @ first + across @ mean),
        0.5 * float(whole @ sigma @ whole),
        moves.T @ whole,
        moves[:before].T @ free,
    )


def _weights(of: _Problem, price: float) -> Floats:
    """x that makes variance / 2 plus price times the sum of absolute bends least, by its dual: least squares in u within [-price, price]. What the small ridge
    takes from the optimum makes the interval longer, never wrong."""
    inverse = np.linalg.pinv(of.square, hermitian=True)
    curve = of.by @ inverse @ of.by.T
    root = np.linalg.cholesky(curve + RIDGE * max(float(np.trace(curve)), 1e-300) * np.eye(len(curve)))
    wanted = -solve_triangular(root, of.by @ inverse @ of.linear - of.bends, lower=True)
    u = lsq_linear(root.T, wanted, bounds=(-price, price), method="bvls", tol=1e-12).x
    return np.asarray(-inverse @ (of.linear + of.by.T @ u))


def _half(of: _Problem, x: Floats, bound: float, alpha: float) -> tuple[float, float]:
    """Half of the interval's length, and the largest bias in it."""
    variance = 2.0 * (of.constant + float(of.linear @ x) + 0.5 * float(x @ of.square @ x))
    bias, deviation = bound * float(np.abs(of.bends + of.by @ x).sum()), float(np.sqrt(max(variance, 0.0)))
    if deviation == 0.0:
        return bias, bias
    return deviation * float(np.sqrt(ncx2.ppf(1.0 - alpha, 1, (bias / deviation) ** 2))), bias
