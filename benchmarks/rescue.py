"""The cheapest injection against HiGHS on the whole programme, on the same problems in one run. Run as
`python benchmarks/rescue.py`, or with --small to leave out what takes HiGHS a minute.

For each: seconds of the whole call (checks, clearing before and after, certificate), median of runs; ratio; how far the costs are
apart; the certificate's gap and the engine's miss, relative.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from machine import describe

from poundlock.contagion import clear
from poundlock.risk.rescue.rescue import Rescue, cheapest_injection
from poundlock.system import System, synthetic_system

HEAD = ("problem", "ours, s", "range", "by", "rounds", "highs-ipm, s", "ratio", "costs apart", "gap", "miss")


def timed(system: System, losses: np.ndarray, runs: int, **asked: object) -> tuple[list[float], Rescue]:
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        found = cheapest_injection(system, losses, **asked)
        taken.append(time.perf_counter() - start)
    return taken, found


def row(name: str, system: System, losses: np.ndarray, level: float, share: float, time_limit: float = 300.0) -> None:
    """share: the limit, of the statistic without help."""
    before = cheapest_injection(system, losses, limit=1e300, level=level).before
    asked = {"limit": share * before, "level": level}
    ours, found = timed(system, losses, 5, **asked)
    (theirs,), whole = timed(system, losses, 1, method="highs-ipm", time_limit=time_limit, **asked)
    mine = float(np.median(ours))
    apart = f"{abs(found.cost / whole.cost - 1.0):.1e}" if whole.converged else whole.status
    cells = [name, f"{mine:.3f}", f"{min(ours):.3f} to {max(ours):.3f}", found.method, str(found.rounds)]
    cells += [f"{theirs:.2f}", f"{theirs / mine:.1f}", apart]
    cells += [f"{found.gap / found.cost:.1e}", f"{found.verified_miss / before:.1e}"]
    print("| " + " | ".join(cells) + " |", flush=True)


def one_scenario(n: int, share: float, worst: float, seed: int = 1, light: bool = False) -> None:
    """Losses uniform up to `worst` of external assets; interbank claims about half of the balance sheet, or a fifth."""
    equity_share, multiple = (0.06, 4.0) if light else (0.03, 1.0)
    system = synthetic_system(n, 10, seed=seed, equity_share=equity_share, external_multiple=multiple)
    losses = np.random.default_rng(0).uniform(0.0, worst, n) * system.external_assets
    failing = float(clear(system, losses).default.mean())
    row(f"1 scenario, {n:,}, {failing:.0%} fail, limit {share:.0%}", system, losses, 0.0, share)


def scenarios(n: int, count: int, level: float) -> None:
    """One common and one own factor, half of the expected shortfall."""
    system = synthetic_system(n, 8, seed=1, equity_share=0.05, external_multiple=1.0)
    draw = np.random.default_rng(0)
    factor = 0.6 * draw.standard_normal((count, 1)) + 0.8 * draw.standard_normal((count, n))
    losses = np.clip(0.04 + 0.04 * factor, -0.5, 1.0) * system.external_assets
    row(f"{count:,} scenarios, {n:,}, level {level:g}, limit 50%", system, losses, level, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="nothing that takes HiGHS a minute")
    small = parser.parse_args().small
    print(f"{describe()}\n\n| " + " | ".join(HEAD) + " |\n|" + " --- |" * len(HEAD))
    one_scenario(500, 0.5, 0.35)
    one_scenario(1_000, 0.5, 0.35)
    one_scenario(2_000, 0.5, 0.35)
    one_scenario(5_000, 0.5, 0.12, light=True)
    scenarios(50, 200, 0.9)
    scenarios(100, 300, 0.95)
    if not small:
        one_scenario(5_000, 0.5, 0.35)
        one_scenario(5_000, 0.8, 0.6, seed=2)


if __name__ == "__main__":
    main()
