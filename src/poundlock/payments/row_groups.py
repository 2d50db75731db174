"""The row groups of one Parquet file, shared out over threads: how the kernels read a day of the ledger.

Arrow decodes, and the kernels run, without the interpreter's lock, so that threads work side by side.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

Work = Callable[[int, int, pa.RecordBatch], None]
"""Called with the number of the thread, the row of the file at which the batch starts, and the batch."""

_OPEN: dict[str, Any] = {"memory_map": False, "pre_buffer": False}


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def first_rows(metadata: pq.FileMetaData) -> NDArray[np.int64]:
    """(groups + 1,): row of the file at which each row group starts, and the number of rows."""
    rows = [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)]
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(rows, dtype=np.int64)])


def threads_for(metadata: pq.FileMetaData, threads: int | None) -> int:
    """Threads that have something to do: no more than row groups, at least one."""
    return max(1, min(threads or processors(), int(metadata.num_row_groups)))


def share_out(
    path: Path,
    metadata: pq.FileMetaData,
    columns: Sequence[str],
    work: Work,
    *,
    threads: int,
    codes: Sequence[str] = (),
    groups: Sequence[int] | None = None,
) -> None:
    """Call `work` for every batch of the named columns, each row group in one thread, thread k having every threads-th
    of them.

    metadata: of the same file. codes: columns of text that come as Arrow dictionaries. groups: numbers of the row
    groups to read, default all. All chunks of a batch have the same rows. Raises what Arrow raises for a file that
    cannot be read, and what `work` raises.
    """
    starts = first_rows(metadata)
    wanted = range(len(starts) - 1) if groups is None else groups

    def some(thread: int) -> None:
        with pq.ParquetFile(path, metadata=metadata, read_dictionary=list(codes), **_OPEN) as file:
            for group in list(wanted)[thread::threads]:
                row = int(starts[group])
                for batch in file.read_row_group(group, columns=list(columns), use_threads=False).to_batches():
                    work(thread, row, batch)
                    row += batch.num_rows

    if threads == 1:
        some(0)
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(some, thread) for thread in range(threads)]:
            done.result()
