"""What the machine can do, measured in the same run: copy bandwidth, and a bare sparse matrix times block product."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from poundlock.contagion.compiled import door
from poundlock.contagion.lanes import COUNT, gather, store
from poundlock.contagion.threads import processors


def seconds(works: Sequence[Callable[[], object]], runs: int = 7) -> list[list[float]]:
    """Seconds of each work in each run, after one run that is not counted; in turn, so that all meet the same machine."""
    taken: list[list[float]] = [[] for _ in works]
    for run in range(runs + 1):
        for number, work in enumerate(works):
            start = time.perf_counter()
            work()
            if run:
                taken[number].append(time.perf_counter() - start)
    return taken


def copy_bandwidth() -> float:
    """Bytes read and written a second by copies of large arrays, one in each processor."""
    pairs = [(np.ones(16_000_000), np.empty(16_000_000)) for _ in range(processors())]

    def copy() -> None:
        with ThreadPoolExecutor(len(pairs)) as pool:
            list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), pairs))

    return 2 * 8 * 16_000_000 * len(pairs) / float(np.median(seconds([copy], 5)[0]))


@door
def _product(starts, slot, amount, block, out, repeats):
    for _ in range(repeats):
        for i in range(len(starts) - 1):
            store(out, i, gather(starts, slot, amount, i, block))


def bare_product(network, scenarios: int) -> Callable[[], None]:
    """The exposure matrix times a block of as many scenarios, as fast as the engine's own innermost loop can do it."""
    n, count = len(network.starts) - 1, processors()
    blocks = -(-scenarios // COUNT)
    scratch = [(np.random.default_rng(t).random((n, COUNT)), np.empty((n, COUNT))) for t in range(count)]
    shares = [blocks // count + (t < blocks % count) for t in range(count)]

    def work() -> None:
        with ThreadPoolExecutor(count) as pool:
            list(
                pool.map(
                    lambda t: _product(network.starts, network.slot, network.amount, *scratch[t], shares[t]),
                    range(count),
                )
            )

    return work


def peak_memory() -> float:
    """Bytes, the most that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def describe() -> str:
    """Processors and memory in words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{processors()} processors, {memory:.0f} GiB"
