"""A verdict over an ensemble of networks, and where its time goes: python benchmarks/controllability.py [--quick].

Two controls (part of the new business that is allowed, capital add-on), 100,000 scenarios a candidate, 1,000 institutions with 20
exposures each, 20 networks. The naive way, a fresh full simulation of every network at each point of a 20 x 20 grid, is timed on one
point of one network in the same run and scaled up.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import replace

import numpy as np
from machine import describe, peak_memory

from poundlock.contagion import prepare
from poundlock.risk import Range, Trials, Tried, cheapest_setting, simulate
from poundlock.risk.controllability import Networks
from poundlock.risk.scenarios import FactorShares, ScenarioModel, draw_blocks, drivers
from poundlock.rollout.plan import EventProbability, ExpectedShortfall
from poundlock.system import AssetClass, System, synthetic_system

POOL = AssetClass("firms", "ZZ", "x", 0.03, 0.5, 0.15, 0.0)
TOLERANCES = (
    ExpectedShortfall(id="tail", label="tail", statistic="expected-shortfall", level=0.99, at_most=0.36),
    EventProbability(id="fail", label="fail", statistic="failure-probability", failures_at_least=40, at_most=0.01),
)
TIGHTEST, LOOSEST = (0.03, 0.0), (0.0, 1.0)


def base(network: int, n: int) -> System:
    system = synthetic_system(n, 20, seed=network, equity_share=0.08)
    return replace(system, asset_classes=(POOL,), holdings=np.zeros((n, 1)))


def under(system: System, setting: tuple[float, float]) -> System:
    """Capital held in cash, and lending to a pool of firms, funded by deposits, up to a tenth of external assets."""
    capital, lending = setting[0] * system.external_assets, 0.1 * setting[1] * system.external_assets
    return replace(
        system,
        external_assets=system.external_assets + capital + lending,
        safe_assets=system.safe_assets + capital,
        external_liabilities=system.external_liabilities + lending,
        holdings=lending[:, None],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the scenarios, a quarter of the networks")
    quick = parser.parse_args().quick
    n, networks, count = 1_000, 5 if quick else 20, 10_000 if quick else 100_000
    model = ScenarioModel(
        count=count, seed=1, volatility={"bank": 0.02}, institutions=FactorShares(common=0.5), valuation="clearing"
    )
    systems = [base(k, n) for k in range(networks)]
    print(f"{describe()}; {count:,} scenarios, {n:,} institutions, {networks} networks")
    spent: dict[str, float] = defaultdict(float)
    start = time.perf_counter()
    trials = Trials(lambda setting, k: under(systems[k], setting), networks, model, TOLERANCES)
    trials.narrow(TIGHTEST, LOOSEST)
    spent["both ends in full, all networks"] = time.perf_counter() - start
    candidates = 0

    def at(setting: tuple[float, ...], network: int) -> tuple:
        trial = trials.at(setting, network)
        return trial.estimates, trial.converged, trial.monotone

    ensemble = Networks(at, networks, TOLERANCES, 0.9)

    def evaluate(setting: tuple[float, ...]) -> Tried:
        nonlocal candidates
        candidates += 1
        return ensemble.tried(setting, setting[1], cost(setting))

    def cost(setting: tuple[float, ...]) -> float:
        return 1.0 * setting[0] + 0.02 * (1.0 - setting[1])

    before = time.perf_counter()
    ranges = [Range(TIGHTEST[0], LOOSEST[0], 0.001), Range(TIGHTEST[1], LOOSEST[1], 0.01)]
    found = cheapest_setting(evaluate, TOLERANCES, ranges, today=LOOSEST, cost=cost, share=0.9)
    spent["search"] = time.perf_counter() - before
    before = time.perf_counter()
    if found.setting is not None:
        trials.in_full(found.setting)
    spent["the answer in full, all networks"] = time.perf_counter() - before
    total = time.perf_counter() - start
    looked = len(trials.draws)
    print(f"{found.verdict}: {found.setting}, next looser {found.next_looser}, monotone {found.monotone}")
    for name, seconds in spent.items():
        print(f"  {name}: {seconds:.1f} s")
    print(f"  {candidates} candidates, {looked:,.0f} of {count:,} scenarios looked at in each network")
    parts(systems[0], model)
    before = time.perf_counter()
    simulate(under(systems[0], (0.01, 0.5)), model, TOLERANCES)
    naive = (time.perf_counter() - before) * 400 * networks
    print(f"total {total:.0f} s, peak {peak_memory() / 1e9:.2f} GB; naive {naive:,.0f} s, ratio {naive / total:.0f}")


def parts(system: System, model: ScenarioModel) -> None:
    """Where the time of one full simulation goes."""
    few = model.model_copy(update={"count": 10 * 1024})
    start = time.perf_counter()
    for _ in draw_blocks(drivers(under(system, (0.01, 0.5)), few), few):
        pass
    drawn = time.perf_counter() - start
    start = time.perf_counter()
    simulate(under(system, (0.01, 0.5)), few, TOLERANCES)
    everything = time.perf_counter() - start
    prepare(system)
    print(f"  of a full simulation, draws are {drawn / everything:.0%}, propagation and statistics the rest")


if __name__ == "__main__":
    main()
