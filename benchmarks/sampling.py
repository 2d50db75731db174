"""What a draw is worth, plain, Sobol and by importance sampling, on today's system of the Zhejiang example: python
benchmarks/sampling.py [--seeds 30] [--quick]; with --long [10000000] instead: one very long run, interrupted and
taken up again.

Chances that local banks lose so much are about 1e-3, 1e-4 and 1e-5 a year: how much that is, is found first, with a
seed of its own. Every way has the same number of draws; importance sampling looks for its shifts anew with each
seed. Two columns say how many plain draws one draw stands for: by its own standard error (median over seeds), and
as seen, the variance of as many plain draws over that of the values from seed to seed. The values are held against
a long plain run, which owes nothing to weights; whether intervals hold the truth can be told only against something
sharper, a long run by importance sampling with another seed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from machine import describe, peak_memory

from poundlock.desk.check import check
from poundlock.desk.worlds import under_limits
from poundlock.risk import EMPTY, Estimate, FactorShares, Outcome, ScenarioModel, shifts_for, simulate, statistic
from poundlock.risk.tail import Tail
from poundlock.rollout.plan import EventProbability, ExpectedShortfall, LossProbability, Scope, Tolerance
from poundlock.system import System, synthetic_system

PLAN = Path(__file__).parents[1] / "examples" / "zhejiang" / "plan.yaml"
LOCAL = Scope(kinds=("local-bank",))
CHANCES = (1e-3, 1e-4, 1e-5)
LEVELS = (0.99, 0.999)
DRAWS = 20_000
FINDING_SEED, LONG_SEED = 77, 99


@dataclass
class Tries:
    """Of one way of drawing, over seeds. estimates: by tolerance id. finding, simulating: seconds."""

    estimates: dict[str, list[Estimate]] = field(default_factory=dict)
    finding: list[float] = field(default_factory=list)
    simulating: list[float] = field(default_factory=list)


def example() -> tuple[System, ScenarioModel]:
    """Today's system of the example under its limits, on the network as read, and its scenarios."""
    checked = check(PLAN)
    today = {measure.id: measure.today for measure in checked.plan.measures}
    return under_limits(checked, checked.read.system, today).system, checked.plan.scenarios


def chance_of(loss: float, name: str) -> LossProbability:
    return LossProbability(
        id=name, label=name, statistic="loss-probability", loss_at_least=loss, at_most=0.5, scope=LOCAL
    )


def mean_beyond(level: float) -> ExpectedShortfall:
    name = f"shortfall-{level:g}".replace(".", "-")
    return ExpectedShortfall(id=name, label=name, statistic="expected-shortfall", level=level, at_most=0.5, scope=LOCAL)


def targets(system: System, model: ScenarioModel) -> list[Tolerance]:
    """Losses that have about the chances asked for: roughly by plain draws, then by draws around each."""
    some = model.model_copy(update={"count": 200_000, "seed": FINDING_SEED, "draws": "plain"})
    rough = simulate(system, some, [chance_of(0.5, "some")]).curve(LOCAL)
    found: list[Tolerance] = []
    for chance in CHANCES:
        near = chance_of(rough.quantile(chance), "near")
        shifted = some.model_copy(update={"draws": "importance"})
        curve = simulate(system, shifted, [near], shifts=shifts_for(system, shifted, [near])).curve(LOCAL)
        found.append(chance_of(curve.quantile(chance), f"chance-1e{round(np.log10(chance)):d}"))
    return [*found, *(mean_beyond(level) for level in LEVELS)]


def tried(system: System, model: ScenarioModel, way: str, tolerances: Sequence[Tolerance], seeds: int) -> Tries:
    tries = Tries({one.id: [] for one in tolerances})
    for seed in range(1, seeds + 1):
        asked = model.model_copy(update={"count": DRAWS, "seed": seed, "draws": way})
        start = time.perf_counter()
        shifts = shifts_for(system, asked, tolerances) if way == "importance" else EMPTY
        tries.finding.append(time.perf_counter() - start)
        start = time.perf_counter()
        outcome = simulate(system, asked, tolerances, shifts=shifts)
        tries.simulating.append(time.perf_counter() - start)
        for one in tolerances:
            tries.estimates[one.id].append(statistic(one, outcome))
    return tries


def row(way: str, tolerance: Tolerance, tries: Tries, sharp: Estimate) -> None:
    """sharp: its `effective` says what one plain draw is worth."""
    found = tries.estimates[tolerance.id]
    values = np.array([one.value for one in found])
    one_plain = sharp.standard_error**2 * sharp.effective
    if isinstance(tolerance, LossProbability):
        one_plain = sharp.value * (1.0 - sharp.value)  # there `effective` is capped
    spread = float(np.var(values, ddof=1))
    seen = one_plain / spread / DRAWS if spread > 0.0 else np.nan
    own = np.median([one.effective / one.draws for one in found])
    held = np.mean([one.low <= sharp.value <= one.high for one in found])
    finding = f"{np.median(tries.finding):.2f}" if way.startswith("importance") else ""
    cells = [tolerance.id, way, f"{values.mean():.4g}", f"{np.median([one.standard_error for one in found]):.2g}"]
    cells += [f"{own:,.1f}", f"{seen:,.1f}" if spread > 0.0 else "", f"{held:.0%}"]
    print("| " + " | ".join([*cells, finding, f"{np.median(tries.simulating):.2f}"]) + " |", flush=True)


def against_long_run(
    tolerances: Sequence[Tolerance], alone: dict[str, Tries], long: dict[str, Estimate], sharp: dict[str, Estimate]
) -> None:
    """Importance-sampling values, of the first seed and of the long weighted run, against the interval of the long
    plain run."""
    print(
        "\n| statistic | long plain run | its 95 % interval | importance | draws | lies in it | apart, errors of both |"
    )
    print("|" + " --- |" * 7)
    for one in tolerances:
        plain = long[one.id]
        for found in (alone[one.id].estimates[one.id][0], sharp[one.id]):
            apart = (found.value - plain.value) / np.hypot(found.standard_error, plain.standard_error)
            inside = "yes" if plain.low <= found.value <= plain.high else "NO"
            cells = [one.id, f"{plain.value:.4g}", f"{plain.low:.4g} to {plain.high:.4g}", f"{found.value:.4g}"]
            print("| " + " | ".join([*cells, f"{found.draws:,}", inside, f"{apart:+.1f}"]) + " |")


def compare(seeds: int, long_draws: int) -> None:
    system, model = example()
    tolerances = targets(system, model)
    print(f"{describe()}; {len(system)} institutions, {DRAWS:,} draws, {seeds} seeds")
    start = time.perf_counter()
    weighted = model.model_copy(update={"count": 25 * DRAWS, "seed": LONG_SEED, "draws": "importance"})
    outcome = simulate(system, weighted, tolerances, shifts=shifts_for(system, weighted, tolerances))
    sharp = {one.id: statistic(one, outcome) for one in tolerances}
    print(f"long weighted run: {weighted.count:,} draws, {time.perf_counter() - start:.0f} s")
    start = time.perf_counter()
    lasting = model.model_copy(update={"count": long_draws, "seed": LONG_SEED, "draws": "plain"})
    outcome = simulate(system, lasting, tolerances)
    long = {one.id: statistic(one, outcome) for one in tolerances}
    print(f"long plain run: {long_draws:,} draws, {time.perf_counter() - start:.0f} s")
    for one in tolerances:
        if isinstance(one, LossProbability):
            print(f"{one.id}: local banks lose {one.loss_at_least:.2%} of their equity or more")
    print(
        "\n| statistic | way | value | standard error | plain draws a draw, by its error | as seen | intervals that "
        "hold the truth | finding shifts, s | simulating, s |\n|" + " --- |" * 9
    )
    ways = {way: tried(system, model, way, tolerances, seeds) for way in ("plain", "sobol")}
    alone = {one.id: tried(system, model, "importance", [one], seeds) for one in tolerances}
    together = tried(system, model, "importance", tolerances, seeds)
    for one in tolerances:
        for way, tries in ways.items():
            row(way, one, tries, sharp[one.id])
        row("importance", one, alone[one.id], sharp[one.id])
        row("importance, all five", one, together, sharp[one.id])
    against_long_run(tolerances, alone, long, sharp)


class StoppedError(Exception):
    """The interruption that the long run is made to suffer."""


def long_run(count: int) -> None:
    """One very long run; then the same, interrupted and taken up again: all that is kept must be equal to the last
    bit."""
    system = synthetic_system(20, 4, seed=1, equity_share=0.09)
    shares = FactorShares(common=0.4)
    model = ScenarioModel(count=count, seed=4, volatility={"bank": 0.05}, institutions=shares, valuation="clearing")
    tail = ExpectedShortfall(id="tail", label="tail", statistic="expected-shortfall", level=0.99, at_most=0.5)
    fail = EventProbability(id="fail", label="fail", statistic="failure-probability", failures_at_least=10, at_most=0.5)
    asked = [tail, tail.model_copy(update={"id": "far", "level": 0.9999}), fail]
    simulate(system, model.model_copy(update={"count": 20_000}), asked)
    before = peak_memory()
    with tempfile.TemporaryDirectory() as folder:
        keep = Path(folder) / "interrupted.npz"
        start = time.perf_counter()
        whole = simulate(system, model, asked, keep=Path(folder) / "whole.npz")
        taken = time.perf_counter() - start
        print(f"{describe()}; {count:,} scenarios, {len(system)} institutions, saved now and then")
        print(f"whole: {taken:.0f} s; peak memory {peak_memory() / 1e9:.2f} GB, {before / 1e9:.2f} GB before it began")
        done, again = 0, []

        def stop(size: int) -> None:
            nonlocal done
            done += size
            if done > 0.6 * count:
                raise StoppedError

        start = time.perf_counter()
        try:
            simulate(system, model, asked, keep=keep, progress=stop)
        except StoppedError:
            size = keep.stat().st_size
        first = time.perf_counter() - start
        resumed = simulate(system, model, asked, keep=keep, progress=again.append)
        taken = time.perf_counter() - start
    print(f"interrupted after {done:,} ({first:.0f} s), taken up at {again[0]:,} from a file of {size / 1e6:.1f} MB:")
    print(f"{taken:.0f} s in all; equal to the last bit: {equal(whole, resumed)}")
    for one in asked:
        found = statistic(one, resumed)
        print(f"{one.id}: {found.value:.5g}, standard error {found.standard_error:.2g}")
    print(f"peak memory of everything {peak_memory() / 1e9:.2f} GB")


def equal(one: Outcome, other: Outcome) -> bool:
    """Every figure that two runs kept, bit for bit."""
    return all(np.array_equal(a, b) for a, b in zip(figures(one), figures(other), strict=True))


def figures(outcome: Outcome) -> list[np.ndarray]:
    found = [outcome.mean_lost, outcome.failure_share, *(curve.weight for curve in outcome.curves)]
    found.append(np.array([outcome.draws, outcome.converged, outcome.rounds, outcome.gap]))
    for kept in (*outcome.found.values(), *outcome.at_once.values()):
        found += [kept.weights, kept.draws]
        found += [kept.losses, np.array(kept.nonzero)] if isinstance(kept, Tail) else [np.array(kept.spread)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=30, help="how often each way is tried")
    parser.add_argument("--quick", action="store_true", help="5 seeds, a long run of 400,000")
    parser.add_argument("--long", type=int, nargs="?", const=10_000_000, help="one run of so many scenarios instead")
    asked = parser.parse_args()
    if asked.long:
        long_run(asked.long)
    else:
        compare(5 if asked.quick else asked.seeds, 400_000 if asked.quick else 4_000_000)


if __name__ == "__main__":
    main()
