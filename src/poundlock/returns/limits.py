"""How much of a machine one filed file may use, and how many mistakes are told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one reading. Bytes, seconds of the wall clock and of the processor, counts, and unpacked bytes per byte of the file.

    workbook_cells is below cells because a cell of a workbook costs four times as much work as one of text.
    """

    wall_seconds: int = 20
    cpu_seconds: int = 10
    memory_bytes: int = 1 << 30
    open_files: int = 64
    file_bytes: int = 64 << 20
    unpacked_bytes: int = 200_000_000
    rows_bytes: int = 128 << 20
    ratio: int = 200
    cells: int = 2_000_000
    workbook_cells: int = 500_000
    columns: int = 100
    line_bytes: int = 1 << 20
    cell_characters: int = 32_767
    mistakes: int = 1_000
    entries: int = 1_000


LIMITS = Limits()
