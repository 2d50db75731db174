"""Thirty-two scenarios as one value, so that a kernel keeps them in registers from the first claim to the last comparison.

A Lanes value is a compiler's vector of doubles: `load`, `store`, `gather`, + - * /, `least`, `most`, `any_above`. It is arithmetic lane
by lane in the order written, so it gives the same bits as the same text on single numbers, whatever the machine's vectors
are. Without compilation (NUMBA_DISABLE_JIT=1) the functions below work on numpy arrays: it is the same text that runs. A loop over lanes that loads and stores every
intermediate result takes more than twice the time (docs/performance.md).
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import operator
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

Lane = Any
"""A number, or a Lanes value."""

COUNT: Final = 32
"""Lanes in one value."""
AHEAD: Final = 16
"""How many claims ahead `gather` asks for; `slot` has so many entries more than there are claims."""
_INTO_CALLERS: Final[dict[str, Any]] = {"forceinline": True, "_nrt": False, "error_model": "numpy"}
_VECTOR: Final = ir.VectorType(ir.DoubleType(), COUNT)


class LanesType(types.Type):  # type: ignore[misc]
    """Numba's type of a Lanes value."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


lanes_type: Final = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def load(array: Any, i: Any) -> Any:
    """Row i of an array (rows, 32) as a Lanes value."""
    return array[i].copy()


def store(array: Any, i: Any, value: Any) -> None:
    """Write a Lanes value there."""
    array[i] = value


def gather(starts: Any, slot: Any, amount: Any, i: Any, lost: Any) -> Any:
    """Sum over the claims k of i, in their order, of amount[k] * lost[slot[k]]. lost: (slots, 32)."""
    total = np.zeros(COUNT)
    for k in range(starts[i], starts[i + 1]):
        total += amount[k] * lost[slot[k]]
    return total


def least(a: Any, b: Any) -> Any:
    """The smaller of two, lane by lane; numbers as well."""
    return np.minimum(a, b)


def most(a: Any, b: Any) -> Any:
    """The larger of two, lane by lane; numbers as well."""
    return np.maximum(a, b)


def below(value: Any, bound: Any, yes: Any, no: Any) -> Any:
    """`yes` where value is below a number, `no` elsewhere, lane by lane; numbers as well."""
    return np.where(value < bound, yes, no)


def any_above(value: Any, bound: Any) -> bool:
    """Whether any lane is above a number."""
    return bool(np.any(value > bound))


def _spread(builder: Any, number: Any) -> Any:
    """A number in every lane."""
    blank = ir.Constant(_VECTOR, ir.Undefined)
    which = ir.Constant(ir.VectorType(ir.IntType(32), COUNT), [0] * COUNT)
    return builder.shuffle_vector(builder.insert_element(blank, number, ir.IntType(32)(0)), blank, which)


def _place(context: Any, builder: Any, kind: Any, array: Any, i: Any) -> Any:
    """Pointer to row i of a two-dimensional array."""
    made = context.make_array(kind)(context, builder, array)
    stride = cgutils.unpack_tuple(builder, made.strides, 2)[0]
    long = ir.IntType(64)
    at = builder.add(builder.ptrtoint(made.data, long), builder.mul(i, stride))
    return builder.inttoptr(at, _VECTOR.as_pointer())


@intrinsic
def _load(typing_context, array, i):
    def build(context, builder, signature, args):
        return builder.load(_place(context, builder, signature.args[0], *args), align=8)

    return lanes_type(array, types.int64), build


@intrinsic
def _store(typing_context, array, i, value):
    def build(context, builder, signature, args):
        builder.store(args[2], _place(context, builder, signature.args[0], *args[:2]), align=8)
        return context.get_dummy_value()

    return types.void(array, types.int64, lanes_type), build


def _prefetch(builder: Any, place: Any) -> None:
    """Ask for the lines of a row that will be needed soon."""
    byte, whole = ir.IntType(8), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), whole, whole, whole])
    fetch = builder.module.declare_intrinsic("llvm.prefetch", [byte.as_pointer()], kind)
    first = builder.bitcast(place, byte.as_pointer())
    for line in range(0, 8 * COUNT, 64):
        builder.call(fetch, [builder.gep(first, [ir.IntType(64)(line)]), whole(0), whole(3), whole(1)])


@intrinsic
def _gather(typing_context, starts, slot, amount, i, lost):
    def build(context, builder, signature, args):
        kinds, long = signature.args, ir.IntType(64)
        first, which, at_risk = (context.make_array(kinds[k])(context, builder, args[k]).data for k in (0, 1, 2))
        begin, end = (builder.load(builder.gep(first, [builder.add(args[3], long(k))])) for k in (0, 1))
        before = builder.block
        head, body, after = (builder.append_basic_block(name) for name in ("claims", "claim", "gathered"))
        builder.branch(head)
        builder.position_at_end(head)
        k, sums = builder.phi(long), builder.phi(_VECTOR)
        k.add_incoming(begin, before)
        sums.add_incoming(ir.Constant(_VECTOR, [0.0] * COUNT), before)
        builder.cbranch(builder.icmp_signed("<", k, end), body, after)
        builder.position_at_end(body)
        ahead = builder.sext(builder.load(builder.gep(which, [builder.add(k, long(AHEAD))])), long)
        _prefetch(builder, _place(context, builder, kinds[4], args[4], ahead))
        slot_number = builder.sext(builder.load(builder.gep(which, [k])), long)
        shares = builder.load(_place(context, builder, kinds[4], args[4], slot_number), align=8)
        spread = _spread(builder, builder.load(builder.gep(at_risk, [k])))
        more = builder.fadd(sums, builder.fmul(spread, shares))
        k.add_incoming(builder.add(k, long(1)), builder.block)
        sums.add_incoming(more, builder.block)
        builder.branch(head)
        builder.position_at_end(after)
        return sums

    return lanes_type(starts, slot, amount, types.int64, lost), build


def _pairwise(instruction: Any) -> Any:
    """An operation on two Lanes values, or on one and a number in every lane."""

    @intrinsic
    def operate(typing_context, a, b):
        kinds = [one if isinstance(one, LanesType) else types.float64 for one in (a, b)]

        def build(context, builder, signature, args):
            both = [
                x if isinstance(k, LanesType) else _spread(builder, x)
                for k, x in zip(signature.args, args, strict=True)
            ]
            return instruction(builder, *both)

        return lanes_type(*kinds), build

    return operate


_add = _pairwise(lambda builder, a, b: builder.fadd(a, b))
_subtract = _pairwise(lambda builder, a, b: builder.fsub(a, b))
_multiply = _pairwise(lambda builder, a, b: builder.fmul(a, b))
_divide = _pairwise(lambda builder, a, b: builder.fdiv(a, b))
_least = _pairwise(lambda builder, a, b: builder.select(builder.fcmp_ordered("<", b, a), b, a))
_most = _pairwise(lambda builder, a, b: builder.select(builder.fcmp_ordered(">", b, a), b, a))


@intrinsic
def _below(typing_context, value, bound, yes, no):
    def build(context, builder, signature, args):
        either = [
            x if isinstance(k, LanesType) else _spread(builder, x) for k, x in zip(signature.args, args, strict=True)
        ]
        return builder.select(builder.fcmp_ordered("<", either[0], either[1]), either[2], either[3])

    kinds = [one if isinstance(one, LanesType) else types.float64 for one in (yes, no)]
    return lanes_type(lanes_type, types.float64, *kinds), build


@intrinsic
def _any_above(typing_context, value, bound):
    def build(context, builder, signature, args):
        largest, width = args[0], COUNT
        while width > 4:  # the larger of two halves, until one instruction can look at all that are left
            width //= 2
            halves = [
                builder.shuffle_vector(
                    largest, largest, ir.Constant(ir.VectorType(ir.IntType(32), width), list(range(k, k + width)))
                )
                for k in (0, width)
            ]
            largest = builder.select(builder.fcmp_ordered(">", *halves), *halves)
        bound = ir.Constant(ir.VectorType(ir.DoubleType(), width), ir.Undefined)
        for k in range(width):
            bound = builder.insert_element(bound, args[1], ir.IntType(32)(k))
        bits = builder.bitcast(builder.fcmp_ordered(">", largest, bound), ir.IntType(width))
        return builder.icmp_unsigned("!=", bits, ir.IntType(width)(0))

    return types.boolean(lanes_type, types.float64), build


def _among(*kinds: Any) -> bool:
    return any(isinstance(kind, LanesType) for kind in kinds)


@overload(load, jit_options=_INTO_CALLERS)
def _overload_load(array, i):
    return lambda array, i: _load(array, i)


@overload(store, jit_options=_INTO_CALLERS)
def _overload_store(array, i, value):
    return lambda array, i, value: _store(array, i, value)


@overload(gather, jit_options=_INTO_CALLERS)
def _overload_gather(starts, slot, amount, i, lost):
    return lambda starts, slot, amount, i, lost: _gather(starts, slot, amount, i, lost)


@overload(any_above, jit_options=_INTO_CALLERS)
def _overload_any_above(value, bound):
    return lambda value, bound: _any_above(value, bound)


@overload(least, jit_options=_INTO_CALLERS)
def _overload_least(a, b):
    return (lambda a, b: _least(a, b)) if _among(a, b) else (lambda a, b: b if b < a else a)


@overload(most, jit_options=_INTO_CALLERS)
def _overload_most(a, b):
    return (lambda a, b: _most(a, b)) if _among(a, b) else (lambda a, b: b if b > a else a)


@overload(below, jit_options=_INTO_CALLERS)
def _overload_below(value, bound, yes, no):
    if _among(value):
        return lambda value, bound, yes, no: _below(value, bound, yes, no)
    return lambda value, bound, yes, no: yes if value < bound else no


@overload(operator.add, jit_options=_INTO_CALLERS)
def _overload_add(a, b):
    return (lambda a, b: _add(a, b)) if _among(a, b) else None


@overload(operator.sub, jit_options=_INTO_CALLERS)
def _overload_subtract(a, b):
    return (lambda a, b: _subtract(a, b)) if _among(a, b) else None


@overload(operator.mul, jit_options=_INTO_CALLERS)
def _overload_multiply(a, b):
    return (lambda a, b: _multiply(a, b)) if _among(a, b) else None


@overload(operator.truediv, jit_options=_INTO_CALLERS)
def _overload_divide(a, b):
    return (lambda a, b: _divide(a, b)) if _among(a, b) else None
