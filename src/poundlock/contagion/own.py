"""A researcher's own valuation function, compiled so that the kernels can call it without being compiled again."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from numba import cfunc
from numba.core.errors import NumbaError

from poundlock.contagion.valuation import OWN_SIGNATURE, no_own_valuation


def own_valuation(valuation: str | Callable[[float, float, float, float], float]) -> Any:
    """The function as a numba cfunc; for a named valuation, one that is never called.

    valuation: (equity, initial equity, all obligations, external assets after the shock) -> V, the share of a claim that
    creditors can count on. It must not fall when equity rises; what leaves [0, 1] is clipped. Plain Python that numba can
    compile, or a numba function. Slower than the named ones: it is called through a pointer, one number at a time, and the
    sweeps are not extrapolated. Raises ValueError for what numba cannot compile, and for a function that falls as equity rises.
    """
    if isinstance(valuation, str):
        return no_own_valuation
    if not callable(valuation):
        raise ValueError(f"valuation is {valuation!r}; expected a name or a function of four numbers")
    plain = getattr(valuation, "py_func", valuation)
    try:
        compiled = cfunc(OWN_SIGNATURE)(plain)
    except (NumbaError, TypeError) as error:  # a TypeError says that it does not take four numbers
        first = str(error).strip().splitlines()[0]
        raise ValueError(
            f"the own valuation cannot be compiled: {first}; expected arithmetic on four numbers"
        ) from error
    values = [
        float(plain(equity, 100.0, 1000.0, 1000.0)) for equity in (-1100.0, -500.0, -1.0, 0.0, 50.0, 100.0, 150.0)
    ]
    if any(later < earlier - 1e-12 for earlier, later in pairwise(values)):
        raise ValueError("the own valuation falls while equity rises; expected one that never does")
    return compiled
