"""All derivatives of a tail loss against the losses alone, in one run on this machine: python
benchmarks/sensitivity.py [--quick].

forward: equilibria and weighted losses of all draws, the least that the statistic takes, with the same code and
chunks. all: `sensitivity`, that and every derivative. Their difference over the first is the price of the derivatives,
held against a goal of 3 (METHODS G).
"""

from __future__ import annotations

import argparse

import numpy as np
from machine import describe, peak_memory, seconds

from poundlock.contagion import Model, prepare, propagate
from poundlock.risk.sensitivity.sensitivity import AT_ONCE, sensitivity, weighted_losses
from poundlock.system import synthetic_system

WORKS = (
    ("clearing", 0.06, 0.10, 4.0, {}),
    ("clearing", 0.06, 0.30, 1.2, {}),
    ("default-costs", 0.06, 0.10, 4.0, {"alpha": 0.9, "beta": 0.8}),
    ("linear-debtrank", 0.20, 0.02, 4.0, {}),
    ("linear-debtrank", 0.155, 0.005, 4.0, {}),
    ("linear-debtrank", 0.06, 0.02, 4.0, {}),
    ("exponential-debtrank", 0.20, 0.02, 4.0, {"exponent": 2.0}),
)
"""Valuation, equity over assets, largest loss on external assets as a share of them, external assets over interbank,
parameters."""


def forward(made: Model, losses: np.ndarray) -> np.ndarray:
    weight = (made.initial > 0.0) / made.initial.sum()
    parts = [losses[k : k + AT_ONCE] for k in range(0, len(losses), AT_ONCE)]
    return np.concatenate([weighted_losses(made, weight, propagate(made, part).equity) for part in parts])


def row(made: Model, losses: np.ndarray, level: float, name: str, runs: int) -> None:
    alone, all_ = seconds([lambda: forward(made, losses), lambda: sensitivity(made, losses, level=level)], runs)
    found = sensitivity(made, losses, level=level)
    more = (np.array(all_) - np.array(alone)) / np.array(alone)
    cells = [name, f"{len(losses):,}", f"{level:g}", f"{found.tail_draws:,}", f"{np.median(alone):.3f}"]
    cells += [
        f"{np.median(all_) - np.median(alone):.3f}",
        f"{np.median(more):.2f}",
        f"{more.min():.2f} to {more.max():.2f}",
    ]
    cells += [
        f"{found.value:.3%}",
        f"{found.rounds}",
        f"{found.direct}",
        f"{found.near_kink:.1%}",
        str(found.converged),
    ]
    print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10,000 draws instead of 100,000")
    parser.add_argument("--only", default="", help="works whose name contains this")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, after one that is not counted")
    asked = parser.parse_args()
    count = 10_000 if asked.quick else 100_000
    print(f"{describe()}; 1,000 institutions, mean degree 10, tolerance 1e-12\n")
    head = (
        "work",
        "draws",
        "level",
        "in the tail",
        "forward, s",
        "more, s",
        "ratio",
        "range",
        "value",
        "sweeps",
        "direct",
        "near",
        "converged",
    )
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    share = np.random.default_rng(0).random((count, 1_000))
    share *= np.random.default_rng(1).random((count, 1)) ** 2
    for valuation, capital, worst, outside, options in WORKS:
        name = f"{valuation}, equity {capital:g}, outside {outside:g}"
        if asked.only not in name:
            continue
        made = prepare(
            synthetic_system(1_000, 10, seed=1, equity_share=capital, external_multiple=outside),
            valuation=valuation,
            **options,
        )
        losses = share * (worst * made.system.external_assets)
        for level in (0.99, 0.0):
            row(made, losses, level, name, asked.runs)
    print(f"\nPeak memory {peak_memory() / 1e9:.1f} GB")


if __name__ == "__main__":
    main()
