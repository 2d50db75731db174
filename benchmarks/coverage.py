"""How often a nominal 95 % interval holds the truth, where the truth is known: python benchmarks/coverage.py
[--repetitions 1000] [--only PART].

Every row: intervals made by `risk.statistics` (or `risk.allocation`) from draws of their own; the share that holds
the truth, and the shares that lie wholly below it and above it. What lies below matters most: a tolerance then
holds in error; 2.5 % is due. With 1,000 repetitions a share of 95 % is known to 0.7 points (one error). Rows
outside 93 to 97 % are marked.
"""

from __future__ import annotations

if __name__ != "__main__":
    raise ImportError("numba looks for the package of this name; this is a benchmark")

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from machine import describe
from scipy import stats
from scipy.optimize import brentq
from scipy.special import ndtr, stdtrit

from poundlock.contagion import prepare
from poundlock.risk import EMPTY, FactorShares, ScenarioModel, shifts_for, simulate
from poundlock.risk.allocation import _errors, tail_shocks
from poundlock.risk.draws import REPLICATES, Stream, draw
from poundlock.risk.statistics import (
    Estimate,
    event_probability,
    expected_shortfall,
    probability,
    probability_added,
    shortfall,
    shortfall_added,
)
from poundlock.risk.tail import Hits, HitsKeeper, Tail, TailKeeper
from poundlock.risk.tolerances import groups_of, spread_of
from poundlock.rollout.plan import ExpectedShortfall
from poundlock.system import System, synthetic_system, system_from_arrays
from poundlock.system.balance import Floats

NORMAL = stats.norm
KINDS = ("normal", "Student t 5", "lognormal")
LEVELS = (0.95, 0.99, 0.999)
WIDTH = 0.5
"""Of the lognormal."""


class Count(NamedTuple):
    """Intervals that hold the truth, lie below it, above it, and those called thin: shares of `tries`."""

    held: float
    below: float
    above: float
    thin: float
    tries: int


def loss_of(kind: str, x: Floats) -> Floats:
    """Losses of a kind from standard normal draws, rising in them; of the t only those above one are made, for no
    tail reaches below."""
    if kind == "normal":
        return x
    if kind == "lognormal":
        return np.exp(WIDTH * x)
    return np.where(x > 1.0, -stdtrit(5.0, ndtr(-np.maximum(x, 1.0))), x)


def true_shortfall(kind: str, level: float) -> float:
    q = NORMAL.ppf(level)
    if kind == "normal":
        return float(NORMAL.pdf(q) / (1 - level))
    if kind == "lognormal":
        return float(np.exp(WIDTH**2 / 2) * NORMAL.cdf(WIDTH - q) / (1 - level))
    t = stats.t(5).ppf(level)
    return float(stats.t(5).pdf(t) / (1 - level) * (5 + t * t) / 4)


def count_of(found: Sequence[Estimate], truth: float) -> Count:
    below, above = (np.mean([one.high < truth for one in found]), np.mean([one.low > truth for one in found]))
    return Count(1.0 - below - above, float(below), float(above), np.mean([one.thin for one in found]), len(found))


def counted(estimates: Callable[[np.random.Generator], Estimate], truth: float, tries: int) -> Count:
    generator = np.random.default_rng(1)
    return count_of([estimates(generator) for _ in range(tries)], truth)


def row(name: str, draws: str, in_tail: str, count: Count) -> None:
    mark = "" if 0.93 <= count.held <= 0.97 else " (!)"
    cells = [name, draws, in_tail, f"{count.held:.1%}{mark}", f"{count.below:.1%}", f"{count.above:.1%}"]
    cells.append(f"{count.thin:.0%}" if count.thin else "")
    print("| " + " | ".join([*cells, f"{count.tries:,}" if count.tries else "exact"]) + " |", flush=True)


def head(title: str) -> None:
    print(f"\n{title}\n\n| statistic | draws | in the tail | holds | below | above | thin | tries |\n|" + " --- |" * 8)


# Expected shortfall


def worst(generator: np.random.Generator, kind: str, level: float, total: int) -> Tail:
    """The tail of `total` plain draws, its worst draws drawn directly: order statistics of uniform ones are sums of
    exponential ones over the sum of all (Devroye 1986, Non-Uniform Random Variate Generation, chapter V, theorem
    2.2)."""
    kept = round((1 - level) * total) + 1
    reached = np.cumsum(generator.standard_exponential(kept))
    beyond = reached / (reached[-1] + generator.standard_gamma(total + 1 - kept))
    losses = loss_of(kind, NORMAL.isf(beyond))
    return Tail(level, total, losses, np.ones(kept), np.arange(kept), 1, total)


def weights_of(x: Floats, shift: float) -> Floats:
    return np.asarray(1.0 / (0.1 + 0.9 * np.exp(shift * x - 0.5 * shift**2)))


def shifted(generator: np.random.Generator, shift: float, total: int) -> tuple[Floats, Floats]:
    """Normal draws, nine in ten of them shifted, and weights, as `risk.draws` makes them."""
    x = generator.standard_normal(total) + shift * (generator.random(total) > 0.1)
    return x, weights_of(x, shift)


def weighted_shortfall(
    generator: np.random.Generator, kind: str, level: float, total: int, factor: float = 1.0
) -> Estimate:
    """Shifted is the factor, to its mean over the tail; the rest of the variance, if any, is each draw's own."""
    shift = np.sqrt(factor) * true_shortfall("normal", level)
    x, weights = shifted(generator, float(shift), total)
    loss = np.sqrt(factor) * x + np.sqrt(1 - factor) * generator.standard_normal(total) if factor < 1.0 else x
    return expected_shortfall(loss_of(kind, loss), level, weights=weights)


def shortfalls(tries: int) -> None:
    head("Expected shortfall, plain draws")
    for kind in KINDS:
        for level in LEVELS:
            for tail in (50, 200, 1_000, 5_000):
                total = round(tail / (1 - level))
                made = lambda g, a=(kind, level, total): shortfall(worst(g, *a))  # noqa: E731
                row(f"{kind}, {level:g}", f"{total:,}", f"{tail:,}", counted(made, true_shortfall(kind, level), tries))


def weighted_shortfalls(tries: int) -> None:
    head("Expected shortfall, weighted draws")
    for factor in (1.0, 0.8, 0.5):
        for kind in KINDS:
            for level in LEVELS[1:]:
                for total in (5_000, 20_000) if kind == "normal" else (5_000,):
                    made = partial(weighted_shortfall, kind=kind, level=level, total=total, factor=factor)
                    name = f"{kind}, {level:g}, {factor:.0%} shifted"
                    row(name, f"{total:,}", "", counted(made, true_shortfall(kind, level), tries))


# Events


def exactly(chance: float, total: int) -> Count:
    """Coverage of the interval for plain draws, summed over all numbers of events."""
    hits = np.arange(stats.binom.ppf(1 - 1e-12, total, chance) + 1, dtype=np.int64)
    found = [probability(Hits(total, np.ones(k), np.arange(k), 1, float(total))) for k in hits]
    odds = stats.binom.pmf(hits, total, chance)
    below = float(odds @ np.array([one.high < chance for one in found]))
    above = float(odds @ np.array([one.low > chance for one in found]))
    return Count(1.0 - below - above, below, above, 0.0, 0)


def weighted_event(generator: np.random.Generator, chance: float, total: int, factor: float) -> Estimate:
    q = float(NORMAL.isf(chance))
    x, weights = shifted(generator, np.sqrt(factor) * true_shortfall("normal", 1 - chance), total)
    loss = np.sqrt(factor) * x + np.sqrt(1 - factor) * generator.standard_normal(total) if factor < 1.0 else x
    return event_probability(loss > q, weights=weights)


def worth(generator: np.random.Generator, chance: float, total: int, factor: float) -> float:
    """As many draws of equal weight as the weighted draws of the event are worth, in the middle of 50 tries."""
    found = []
    for _ in range(50):
        x, weights = shifted(generator, np.sqrt(factor) * true_shortfall("normal", 1 - chance), total)
        loss = np.sqrt(factor) * x + np.sqrt(1 - factor) * generator.standard_normal(total)
        hits = weights[loss > NORMAL.isf(chance)]
        found.append(hits.sum() ** 2 / (hits @ hits) if len(hits) else 0.0)
    return float(np.median(found))


def events(tries: int) -> None:
    head("Event probability, plain draws (exact)")
    for chance in (0.01, 0.001, 1e-4):
        for hits in (2, 5, 20, 50, 200):
            total = round(hits / chance)
            row(f"chance {chance:g}", f"{total:,}", f"{hits:,}", exactly(chance, total))
    head("Event probability, weighted draws")
    for factor in (1.0, 0.8, 0.5):
        for chance in (0.01, 0.001, 1e-4):
            for total in (5_000, 20_000):
                made = partial(weighted_event, chance=chance, total=total, factor=factor)
                hits = f"worth {worth(np.random.default_rng(2), chance, total, factor):,.0f}"
                row(f"chance {chance:g}, {factor:.0%} shifted", f"{total:,}", hits, counted(made, chance, tries))


# What a measure adds, on common draws


def tail_of(losses: Floats, level: float, weights: Floats) -> Tail:
    keeper = TailKeeper(level, len(losses))
    keeper.add(np.arange(len(losses)), losses, weights)
    return keeper.gathered()


def hits_of(happened: np.ndarray, weights: Floats) -> Hits:
    keeper = HitsKeeper(len(happened))
    keeper.add(np.arange(len(happened)), happened, weights)
    return keeper.gathered()


def pairs(generator: np.random.Generator, total: int, alike: float, weighted: float) -> tuple[Floats, Floats, Floats]:
    """Normal losses without and with a measure, correlation `alike`; with it 5 % wider. weighted: how far the first
    is shifted."""
    x, weights = shifted(generator, weighted, total)
    if weighted == 0.0:
        weights = np.ones(total)
    return x, 1.05 * (alike * x + np.sqrt(1 - alike**2) * generator.standard_normal(total)), weights


def shortfall_rise(
    generator: np.random.Generator, level: float, total: int, alike: float, weighted: float = 0.0
) -> Estimate:
    without, with_measure, weights = pairs(generator, total, alike, weighted)
    return shortfall_added(tail_of(with_measure, level, weights), tail_of(without, level, weights))


def rare_rise(generator: np.random.Generator, level: float, total: int, share: float) -> Estimate:
    """A measure that adds one deviation to the loss of few scenarios, whatever else happens in them."""
    without = generator.standard_normal(total)
    with_measure, ones = without + (generator.random(total) < share), np.ones(total)
    return shortfall_added(tail_of(with_measure, level, ones), tail_of(without, level, ones))


def true_rare_rise(level: float, share: float) -> float:
    def beyond(q: float) -> float:
        return (1 - share) * NORMAL.sf(q) + share * NORMAL.sf(q - 1)

    q = brentq(lambda q: beyond(q) - (1 - level), 0.0, 10.0, xtol=1e-13)
    total = (1 - share) * NORMAL.pdf(q) + share * (NORMAL.pdf(q - 1) + NORMAL.sf(q - 1))
    return float(total / (1 - level) - true_shortfall("normal", level))


def chance_rise(
    generator: np.random.Generator, chance: float, total: int, alike: float, weighted: float = 0.0
) -> Estimate:
    without, with_measure, weights = pairs(generator, total, alike, weighted)
    q = NORMAL.isf(chance)
    return probability_added(hits_of(with_measure > q, weights), hits_of(without > q, weights))


def discordant(generator: np.random.Generator, total: int, rises: float, falls: float) -> Estimate:
    """Plain draws: how many have the event only with, only without."""
    more, less = generator.multinomial(total, [rises, falls, 1 - rises - falls])[:2]
    with_measure = Hits(total, np.ones(more), np.arange(more), 1, float(total))
    without = Hits(total, np.ones(less), np.arange(more, more + less), 1, float(total))
    return probability_added(with_measure, without)


def shortfall_rises(tries: int) -> None:
    head("What a measure adds to expected shortfall, common draws")
    for level, total in ((0.95, 4_000), (0.99, 5_000), (0.99, 20_000), (0.999, 50_000)):
        truth = 0.05 * true_shortfall("normal", level)
        for alike in (0.9, 0.999) if total < 50_000 else (0.999,):
            made = partial(shortfall_rise, level=level, total=total, alike=alike)
            row(
                f"alike {alike:g}, {level:g}",
                f"{total:,}",
                f"{round((1 - level) * total)}",
                counted(made, truth, tries),
            )
    for share in (0.01, 0.05, 0.2):
        for total in (5_000, 20_000):
            made = partial(rare_rise, level=0.99, total=total, share=share)
            name = f"one deviation in {share:.0%} of scenarios, 0.99"
            row(name, f"{total:,}", f"{total // 100}", counted(made, true_rare_rise(0.99, share), tries))
    for level in (0.99, 0.999):
        shift = true_shortfall("normal", level)
        made = partial(shortfall_rise, level=level, total=5_000, alike=0.99, weighted=shift)
        row(f"weighted, alike 0.99, {level:g}", "5,000", "", counted(made, 0.05 * shift, tries))


def chance_rises(tries: int) -> None:
    head("What a measure adds to a probability, common draws")
    for more, less in ((2, 0), (5, 0), (20, 0), (5, 2), (20, 5), (100, 50)):
        total = 20_000
        made = partial(discordant, total=total, rises=more / total, falls=less / total)
        row(f"{more} only with it, {less} only without", f"{total:,}", "", counted(made, (more - less) / total, tries))
    for chance in (0.001, 1e-4):
        shift, truth = true_shortfall("normal", 1 - chance), float(NORMAL.sf(NORMAL.isf(chance) / 1.05)) - chance
        for total in (5_000, 20_000):
            made = partial(chance_rise, chance=chance, total=total, alike=0.99, weighted=shift)
            row(f"weighted, alike 0.99, chance {chance:g}", f"{total:,}", "", counted(made, truth, tries))


# Sobol replicates


def sobol_losses(seed: int, total: int, own: float) -> Floats:
    """Normal losses from the real stream: four factors, and a part of the variance of each draw's own."""
    pieces = list(draw(Stream(4, 1, total, seed, "sobol")))
    normal = np.concatenate([piece.normal for piece in pieces])
    return np.asarray(np.sqrt((1 - own) / 4) * normal[:, :4].sum(axis=1) + np.sqrt(own) * normal[:, 4])


def kept(losses: Floats, asked: float, of: str) -> Estimate:
    numbers, ones = np.arange(len(losses)), np.ones(len(losses))
    if of == "shortfall":
        keeper = TailKeeper(asked, len(losses), REPLICATES)
        keeper.add(numbers, losses, ones)
        return shortfall(keeper.gathered())
    hits = HitsKeeper(len(losses), REPLICATES)
    hits.add(numbers, losses > NORMAL.isf(asked), ones)
    return probability(hits.gathered())


def sobol(tries: int) -> None:
    head("Sobol points, 16 scramblings, four factors")
    asked = [(level, "shortfall", true_shortfall("normal", level)) for level in (0.95, 0.99, 0.999)]
    asked += [(chance, "chance", chance) for chance in (0.1, 0.01, 0.001)]
    for own, total in ((0.0, 16_384), (0.3, 16_384)):
        found: list[list[Estimate]] = [[] for _ in asked]
        for seed in range(tries):
            losses = sobol_losses(seed, total, own)
            for into, (at, of, _) in zip(found, asked, strict=True):
                into.append(kept(losses, at, of))
        for estimates, (at, of, truth) in zip(found, asked, strict=True):
            gain = np.median([one.effective / one.draws for one in estimates])
            tail = f"{round((1 - at if of == 'shortfall' else at) * total)}"
            row(f"{of} {at:g}, own part {own:.0%}, gain {gain:.1f}", f"{total:,}", tail, count_of(estimates, truth))


# Parts of an allocation


def two_alone() -> tuple[System, ScenarioModel]:
    """Two institutions without claims; losses of deviations 1 and 2 that share half of their variance."""
    volatility, shares = {"a": 1e-3, "b": 2e-3}, FactorShares(common=0.5)
    model = ScenarioModel(count=8_000, seed=1, volatility=volatility, institutions=shares, valuation="clearing")
    return system_from_arrays(np.zeros((2, 2)), [1000.0, 1000.0], [0.0, 0.0], kinds=("a", "b")), model


def ten_linked() -> tuple[System, ScenarioModel]:
    """Ten institutions that owe each other; in the tail most of them fail."""
    shares = FactorShares(common=0.4)
    model = ScenarioModel(count=8_000, seed=1, volatility={"bank": 0.02}, institutions=shares, valuation="clearing")
    return synthetic_system(10, 3, seed=1, equity_share=0.09), model


def true_parts(system: System, model: ScenarioModel, tail: ExpectedShortfall) -> Floats:
    """From one long run, so long that its own error does not matter."""
    long = model.model_copy(update={"count": 2_000_000, "seed": 999_999, "draws": "plain"})
    shocks, counts = tail_shocks(system, long, simulate(system, long, [tail]).found[tail.id])
    lost = spread_of(prepare(system, valuation=model.valuation), shocks).equity_lost
    return np.asarray(counts @ lost / groups_of(system, [tail]).initial.sum())


def borne(system: System, model: ScenarioModel, tail: ExpectedShortfall, shifts: Floats) -> tuple[Floats, Floats, int]:
    """Parts, errors and draws in the tail, by the steps of `allocate` up to where it splits parts by exposure,
    which takes longest."""
    shocks, counts = tail_shocks(system, model, simulate(system, model, [tail], shifts=shifts).found[tail.id], shifts)
    lost = spread_of(prepare(system, valuation=model.valuation), shocks).equity_lost
    lost = lost / groups_of(system, [tail]).initial.sum()
    part = np.asarray(counts @ lost)
    return part, _errors(lost, counts, part, model.count), len(counts)


def parts(tries: int) -> None:
    head("Parts of an allocation, mean over institutions (worst of them)")
    z = float(NORMAL.ppf(0.975))
    for name, (system, model) in (("two alone", two_alone()), ("ten linked", ten_linked())):
        truth: dict[float, Floats] = {}
        for level, count in ((0.95, 1_000), (0.95, 4_000), (0.99, 16_384)):
            tail = ExpectedShortfall(id="t", label="t", statistic="expected-shortfall", level=level, at_most=0.5)
            if level not in truth:
                truth[level] = true_parts(system, model, tail)
            for way in ("plain", "importance") if count < 16_384 else ("plain", "sobol", "importance"):
                asked = model.model_copy(update={"count": count, "draws": way})
                shifts = shifts_for(system, asked, [tail]) if way == "importance" else EMPTY
                found = [borne(system, asked.model_copy(update={"seed": s}), tail, shifts) for s in range(tries)]
                below = np.mean([part + z * error < truth[level] for part, error, _ in found], axis=0)
                above = np.mean([part - z * error > truth[level] for part, error, _ in found], axis=0)
                held = 1.0 - below - above
                label = f"{name}, {level:g}, {way}, worst {held[np.argmax(abs(held - 0.95))]:.1%}"
                mean = Count(float(held.mean()), float(below.mean()), float(above.mean()), 0.0, tries)
                row(label, f"{count:,}", f"{found[-1][2]:,}", mean)


def main() -> None:
    works = {
        "shortfalls": shortfalls,
        "weighted": weighted_shortfalls,
        "events": events,
        "rises": shortfall_rises,
        "chances": chance_rises,
        "sobol": sobol,
        "parts": parts,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=1_000)
    parser.add_argument("--only", choices=list(works), help="one part alone")
    asked = parser.parse_args()
    print(f"{describe()}; nominal 95 %")
    for name, work in works.items():
        if asked.only in (None, name):
            start = time.perf_counter()
            work(asked.repetitions // (5 if name == "parts" else 1))
            print(f"\n{name}: {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
