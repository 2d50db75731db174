"""How kernels are compiled: once, kept on disk, without a word to the interpreter while they run.

Kernels get all their memory from the upper storey and allocate nothing, so numba's counting of references (which would cost
more than the arithmetic) is off; division is numpy's, so that loops with a division can use vectors.
"""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Any, Final

import numba
from numba import njit
from numba.core.errors import NumbaExperimentalFeatureWarning

warnings.filterwarnings("ignore", category=NumbaExperimentalFeatureWarning)  # own valuations are passed as functions


def forget_stale_kernels(folder: Path) -> None:
    """Remove kernels kept beside the sources in `folder` if any source there has changed since, or numba has.

    numba keeps a compiled function as long as its own file is unchanged, but what it calls in other files is compiled into it. A
    folder that may not be written is left alone.
    """
    sources = sorted(folder.glob("*.py"))
    digest = hashlib.sha256(
        numba.__version__.encode() + b"".join(source.read_bytes() for source in sources)
    ).hexdigest()
    kept = folder / "__pycache__"
    stamp = kept / "kernels.sha256"
    try:
        if stamp.is_file() and stamp.read_text(encoding="ascii") == digest:
            return
        for kernel in kept.glob("*.nb[ic]"):
            kernel.unlink(missing_ok=True)
        kept.mkdir(exist_ok=True)
        stamp.write_text(digest, encoding="ascii")
    except OSError:
        pass


forget_stale_kernels(Path(__file__).parent)

_OPTIONS: Final[dict[str, Any]] = {"cache": True, "error_model": "numpy", "nogil": True, "_nrt": False}

inner: Final = njit(**_OPTIONS, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For loops that only kernels call."""

inlined: Final = njit(**_OPTIONS, forceinline=True)
"""For the innermost steps, which become part of their callers."""

door: Final = njit(**{**_OPTIONS, "_nrt": True})
"""For what the upper storey calls."""
