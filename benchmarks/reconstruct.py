"""Networks from totals: effective samples a second of the Gibbs sampler, and what the other methods take, on this machine.

Run as `python benchmarks/reconstruct.py`. Everything counts: the start, the choice of p, the round that is thrown away, networks
handed over. Effective samples are of the density, by Geyer's initial sequence over four chains. Beside them stands what the R
package systemicrisk was measured at for this project, at the same sizes and about the same density.
"""

from __future__ import annotations

import time

import numpy as np
from machine import describe

from poundlock.system import ensemble

DENSITY = 0.28
R_PACKAGE = {20: 126, 50: 24, 100: 7}
WANTED = {20: 4_000, 50: 2_000, 100: 1_000}


def totals(n: int, spread: float = 0.0, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Of a random network with lognormal exposures; spread: standard deviation of the log of the size of its banks."""
    draw = np.random.default_rng(seed)
    sizes = draw.lognormal(0.0, spread, (2, n))
    exposures = draw.lognormal(0.0, 1.0, (n, n)) * np.outer(*sizes) * (draw.random((n, n)) < max(DENSITY, 4.0 / n))
    np.fill_diagonal(exposures, 0.0)
    return exposures.sum(axis=1), exposures.sum(axis=0)


def gibbs_rows(spread: float, runs: int = 3) -> None:
    print(f"\nGibbs, density {DENSITY}, {'banks alike' if spread == 0 else f'sizes lognormal(0, {spread:g})'}\n")
    print("| banks | effective samples a second | a processor second | R package | ratio | largest amount | R-hat |")
    print("|" + " --- |" * 7)
    for n, count in WANTED.items():
        lends, owes = totals(n, spread)
        ensemble(lends, owes, method="gibbs", density=DENSITY, count=4, least_effective=10, r_hat_at_most=9)
        rates = []
        for seed in range(runs):
            clock, processor = time.perf_counter(), time.process_time()
            found = ensemble(lends, owes, method="gibbs", density=DENSITY, count=count, seed=seed)
            clock, processor = time.perf_counter() - clock, time.process_time() - processor
            rates.append((found.density_size / clock, found.density_size / processor, found.largest_size / clock))
        each, by_processor, largest = np.median(rates, axis=0)
        said = f"{found.r_hat:.3f}{'' if found.converged else ' not converged'}"
        print(
            f"| {n} | {each:,.0f} | {by_processor:,.0f} | {R_PACKAGE[n]} | {each / R_PACKAGE[n]:.0f} | {largest:,.0f} | {said} |",
            flush=True,
        )


def other_rows() -> None:
    print("\n| method | banks | networks | seconds | |\n| --- | --- | --- | --- | --- |")
    for method, n, options in (
        ("maximum-entropy", 1_000, {}),
        ("fitness", 100, {"density": DENSITY, "count": 50}),
        ("minimum-density", 30, {"time_limit": 20.0}),
        ("minimum-density", 1_000, {}),
    ):
        lends, owes = totals(n, 0.5)
        clock = time.perf_counter()
        found = ensemble(lends, owes, method=method, **options)
        print(f"| {method} | {n:,} | {len(found)} | {time.perf_counter() - clock:.2f} | {found} |", flush=True)


def main() -> None:
    print(describe())
    for spread in (0.0, 1.0):
        gibbs_rows(spread, runs=3 if spread == 0.0 else 1)
    other_rows()


if __name__ == "__main__":
    main()
