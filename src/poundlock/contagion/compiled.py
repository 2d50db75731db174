"""How kernels are compiled: once, kept on disk, without a word to the interpreter while they run.

Kernels get all their memory from the upper storey and allocate nothing, so numba's counting of references (which would cost
more than the arithmetic) is off; division is numpy's, so that loops with a division can use vectors.
"""

from __future__ import annotations

import warnings
from typing import Any, Final

from numba import njit
from numba.core.errors import NumbaExperimentalFeatureWarning

warnings.filterwarnings("ignore", category=NumbaExperimentalFeatureWarning)  # own valuations are passed as functions

_OPTIONS: Final[dict[str, Any]] = {"cache": True, "error_model": "numpy", "nogil": True, "_nrt": False}

inner: Final = njit(**_OPTIONS, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For loops that only kernels call."""

inlined: Final = njit(**_OPTIONS, forceinline=True)
"""For the innermost steps, which become part of their callers."""

door: Final = njit(**{**_OPTIONS, "_nrt": True})
"""For what the upper storey calls."""
