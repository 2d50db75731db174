"""Blocks of scenarios shared out over threads. Results depend neither on the number of threads nor on the size of blocks."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from poundlock.contagion.lanes import COUNT


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def block_width(scenarios: int) -> int:
    """Lanes of a block: as many as one Lanes value holds; for a few scenarios, where spare lanes would cost more than they
    save, as many as there are."""
    return COUNT if scenarios >= COUNT // 4 else max(1, scenarios)


def share_out(work: Callable[[int, int], None], scenarios: int, width: int, threads: int | None) -> None:
    """Call work(thread, threads) in as many threads as there are blocks for. Compiled work lets the interpreter go on."""
    count = max(1, min(threads or processors(), -(-scenarios // width)))
    if count == 1:
        work(0, 1)
        return
    with ThreadPoolExecutor(count) as pool:
        for future in [pool.submit(work, thread, count) for thread in range(count)]:
            future.result()


def physical_memory() -> int:
    """Bytes of memory of this machine; a large number where it cannot be told."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 1 << 60
