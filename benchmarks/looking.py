"""How often a pilot that is looked at in 52 periods is found to work where nothing happened, and where something did: python benchmarks/looking.py
[--repetitions 1000].

Every row: gaps between pilot and comparison made by the law named, before the start and after it. Alarm: by ranks, in any period. Missed: the confidence
sequence leaves out the true effect in any period, 0 and one standard deviation of the gap (the worse of both). Board: four looks, after 13, 26, 39 and 52
periods, bounds of O'Brien and Fleming, Pocock, Lan and DeMets. Level 5 % each; what passes 8 % is marked. Found: chance to find a lasting effect of one
standard deviation of the gap in one period. Unmarked: false alarms in watches that do not say that the method is near its limit. A season has a wave of
a standard deviation of its own, and one of half its length and size. With 1,000 repetitions a share of 5 % is known to 0.7 points (one error).
"""

from __future__ import annotations

import argparse
import time
from typing import NamedTuple

import numpy as np
from machine import describe
from scipy.signal import lfilter

from poundlock.pilots.sequential import (
    Whitened,
    _evidence,
    _fitted,
    confidence_sequence,
    group_sequential,
    placebo_spending,
    scores,
    spending,
    whiten,
)

AFTER, SETTLING, ALPHA = 52, 100, 0.05
BOARD = (13, 26, 39, 52)
FOLLOWS = (0.0, 0.3, 0.6, 0.8)
CASES = (
    ("normal", 20, None, None),
    ("normal", 52, None, None),
    ("normal", 104, None, None),
    ("Student t 3", 20, None, None),
    ("Student t 3", 52, None, None),
    ("Student t 3", 104, None, None),
    ("season of 4, told", 20, 4, 4),
    ("season of 10, told", 20, 10, 10),
    ("season of 13, told", 52, 13, 13),
    ("season of 26, told", 52, 26, 26),
    ("season of 52, told", 104, 52, 52),
    ("season of 4, not told", 20, 4, None),
    ("season of 13, not told", 52, 13, None),
    ("season of 52, not told", 104, 52, None),
    ("normal", 15, None, None),
)
"""Law, periods before the start, length of its season, length told."""


class Rates(NamedTuple):
    """Shares of repetitions in which something was found; bounds: O'Brien and Fleming, Pocock, Lan and DeMets. slope: mean estimate."""

    alarm: float
    unmarked: float
    missed: float
    board: np.ndarray
    slope: float


def noise(draw: np.random.Generator, law: str, shape: tuple[int, int], follows: float) -> np.ndarray:
    """Gaps of standard deviation one, each following the one before."""
    size = (shape[0], shape[1] + SETTLING)
    made = draw.standard_t(3, size) / np.sqrt(3.0) if law == "Student t 3" else draw.normal(size=size)
    return np.sqrt(1.0 - follows**2) * lfilter([1.0], [1.0, -follows], made, axis=1)[:, SETTLING:]


def pattern(draw: np.random.Generator, runs: int, length: int, season: int | None) -> np.ndarray:
    if season is None:
        return np.zeros((runs, length))
    at, phase = 2.0 * np.pi * np.arange(length) / season, 2.0 * np.pi * draw.random((2, runs, 1))
    return np.sqrt(2.0) * (np.cos(at + phase[0]) + 0.5 * np.cos(2.0 * at + phase[1]))


def rates(
    draw: np.random.Generator, gaps: np.ndarray, before: int, told: int | None, effect: float, bounds: list[np.ndarray]
) -> Rates:
    residual, *fitted = _fitted(gaps, before, told)
    sounded = np.any(_evidence(residual, draw.random(residual.shape), before, told, "both") >= 1.0 / ALPHA, axis=1)
    marked, missed, board = np.zeros(len(gaps), dtype=bool), 0, np.zeros(len(bounds))
    for k, row in enumerate(residual):
        of = Whitened(np.append(np.nan, row), *(float(numbers[k]) for numbers in fitted), before, told)
        low, high = confidence_sequence(of, alpha=ALPHA)[before + 1 :].T
        z, marked[k] = np.abs(scores(of, BOARD)[0]), bool(of.near_limit)
        missed += bool(np.any((low > effect) | (high < effect)))
        board += [bool(np.any(z > bound)) for bound in bounds]
    shares = (missed / len(gaps), board / len(gaps))
    return Rates(float(sounded.mean()), float(np.mean(sounded & ~marked)), *shares, float(fitted[0].mean()))


def percent(*shares: float, limit: float = 0.08) -> str:
    """A share above the limit is marked."""
    return " / ".join(f"{100 * x:.1f}{'!' if x > limit else ''}" for x in shares)


def watch_rows(repetitions: int) -> None:
    print("\n| gap | before | correlation | estimated | alarm | unmarked | missed | board OF / P / LD ", end="")
    print("| alarm finds | board finds OF / P / LD |\n" + "|" + " --- |" * 10)
    for number, (law, before, season, told) in enumerate(CASES):
        times = scores(whiten(np.arange(before + AFTER) % 7, before, season=told), BOARD)[1]
        bounds = [group_sequential(times, alpha=ALPHA), group_sequential(times, "pocock", alpha=ALPHA)]
        bounds.append(spending(times, alpha=ALPHA))
        for follows in FOLLOWS:
            draw = np.random.default_rng([number, round(10 * follows)])
            gaps = noise(draw, law, (repetitions, before + AFTER), follows)
            gaps += pattern(draw, *gaps.shape, season)
            none = rates(draw, gaps, before, told, 0.0, bounds)
            gaps[:, before:] += 1.0
            one = rates(draw, gaps, before, told, 1.0, bounds)
            shown = [percent(none.alarm), percent(none.unmarked), percent(max(none.missed, one.missed))]
            shown += [percent(*none.board), percent(one.alarm, limit=1.0), percent(*one.board, limit=1.0)]
            print(f"| {law} | {before} | {follows:g} | {none.slope:.2f} | {' | '.join(shown)} |", flush=True)


def placebo_rows(repetitions: int, regions: int = 100, before: int = 52) -> None:
    """Regions of different size, with a common cause that moves all of them; looked at in every period, and by the board."""
    print(
        f"\n{regions} regions, placebo spending\n\n| gap | correlation | 52 looks | four looks | finds | finds in four |"
    )
    print("|" + " --- |" * 6)
    for law in ("normal", "Student t 3", "season of 52, not told"):
        for follows in FOLLOWS:
            draw, found = np.random.default_rng([99, round(10 * follows)]), np.zeros(4)
            for _ in range(repetitions):
                gaps = noise(draw, law, (regions + 1, before + AFTER), follows)
                gaps = gaps[1:] + 0.5 * gaps[:1] + pattern(draw, *gaps[1:].shape, 52 if "season" in law else None)
                gaps *= draw.lognormal(0.0, 0.5, (regions, 1))
                for k, looks in enumerate((None, BOARD)):
                    found[k] += placebo_spending(gaps, 0, before, planned=AFTER, looks=looks).first is not None
                gaps[0, before:] += gaps[0, :before].std()
                for k, looks in enumerate((None, BOARD), 2):
                    found[k] += placebo_spending(gaps, 0, before, planned=AFTER, looks=looks).first is not None
            every, four, *finds = found / repetitions
            shown = f"{percent(every)} | {percent(four)} | {percent(finds[0], limit=1)} | {percent(finds[1], limit=1)}"
            print(f"| {law} | {follows:g} | {shown} |", flush=True)


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parse.add_argument("--repetitions", type=int, default=1000)
    repetitions, clock = parse.parse_args().repetitions, time.perf_counter()
    print(f"{describe()}; {repetitions} repetitions a row; shares in %")
    watch_rows(repetitions)
    placebo_rows(repetitions)
    print(f"\n{time.perf_counter() - clock:.0f} s")


if __name__ == "__main__":
    main()
