"""Streams of random numbers behind scenarios: plain, Sobol and importance sampling; piece by piece, never whole in memory.

Every piece is made from the seed and its own number, so that pieces can be made in any order and place: same seed, same bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from poundlock.system.balance import Floats

Way = Literal["plain", "sobol", "importance"]
BLOCK: Final = 1024
REPLICATES: Final = 16
"""Independent scramblings of Sobol points; their spread is the error."""
DEFENSIVE: Final = 0.1
"""Share of draws that importance sampling leaves unshifted, so that no weight is above one over it."""


@dataclass(frozen=True)
class Stream:
    """What is drawn. factors, own: numbers of standard normals shared by many, and of one institution each. count, seed.
    way: 'plain'; 'sobol', scrambled Sobol points for the factors (Owen 1995), in REPLICATES independent scramblings;
    'importance', factors shifted by one of `shifts` (k, factors), each as likely, or by nothing (see DEFENSIVE)."""

    factors: int
    own: int
    count: int
    seed: int
    way: Way = "plain"
    shifts: Floats = field(default_factory=lambda: np.zeros((0, 0)), repr=False)


@dataclass(frozen=True)
class Draws:
    """One piece. normal: (b, factors + own). weight: (b,), density asked for over density drawn from; ones but for importance
    sampling. uniform: generator for whatever else the scenario needs. first: number of its first draw. replicate: which
    scrambling."""

    normal: Floats = field(repr=False)
    weight: Floats = field(repr=False)
    uniform: np.random.Generator = field(repr=False)
    first: int
    replicate: int


@dataclass(frozen=True)
class Piece:
    """number: which generator. first, size: draws. replicate, at: which scrambling, and where in it."""

    number: int
    first: int
    size: int
    replicate: int
    at: int


def pieces(count: int, way: Way) -> list[Piece]:
    """All pieces of a stream, in order."""
    found: list[Piece] = []
    parts = REPLICATES if way == "sobol" else 1
    for replicate in range(parts):
        begin, end = count * replicate // parts, count * (replicate + 1) // parts
        for first in range(begin, end, BLOCK):
            found.append(Piece(len(found), first, min(BLOCK, end - first), replicate, first - begin))
    return found


def draw(stream: Stream, begin: int = 0) -> Iterator[Draws]:
    """The pieces of a stream from number `begin` on."""
    plan = pieces(stream.count, stream.way)
    seeds = np.random.SeedSequence(stream.seed).spawn(len(plan))
    scrambling = np.random.SeedSequence([stream.seed, 1]).spawn(REPLICATES)
    engine: qmc.Sobol | None = None
    for piece in plan[begin:]:
        generator = np.random.Generator(np.random.PCG64DXSM(seeds[piece.number]))
        width = stream.factors + stream.own
        normal = generator.standard_normal((BLOCK, width))[: piece.size]
        weight = np.ones(piece.size)
        if stream.way == "sobol":
            if engine is None or piece.at == 0:
                engine = qmc.Sobol(
                    stream.factors, scramble=True, rng=np.random.default_rng(scrambling[piece.replicate])
                )
                if piece.at:
                    engine.fast_forward(piece.at)
            normal[:, : stream.factors] = ndtri(np.clip(engine.random(piece.size), 1e-16, 1.0 - 1e-16))
        elif stream.way == "importance" and len(stream.shifts):
            weight = _shift(normal[:, : stream.factors], stream.shifts, generator)
        yield Draws(normal, weight, generator, piece.first, piece.replicate)


def _shift(factors: Floats, shifts: Floats, generator: np.random.Generator) -> Floats:
    """Move each draw by one of the shifts or by none, in place; returns the weights, against the whole mixture.

    Owen and Zhou 2000, Journal of the American Statistical Association 95(449), section 2 (defensive mixture)."""
    share = (1.0 - DEFENSIVE) / len(shifts)
    chosen = np.floor((generator.random(len(factors)) - DEFENSIVE) / share).astype(np.int64)
    factors += np.where(chosen[:, None] >= 0, shifts[np.clip(chosen, 0, len(shifts) - 1)], 0.0)
    exponents = np.einsum("sf,kf->sk", factors, shifts) - 0.5 * (shifts**2).sum(axis=1)
    return np.asarray(1.0 / (DEFENSIVE + share * np.exp(exponents).sum(axis=1)))
