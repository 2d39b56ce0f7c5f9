"""The meaning of an expression on many sets of values at once: numpy where it says what Python would, Python elsewhere.

Every node becomes an array (bool, int64, float64, or objects for words, lists, null and integers beyond 64 bits) and a
mask of the rows where it cannot be computed. A row that cannot is an error only if the whole expression asks for it:
`a != null and a > 3` never does where a is null. The first such row is handed to `evaluate`, whose message it is.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import numpy as np

from archbench.design.expressions.nodes import (
    MAX_INTEGER,
    Call,
    Chain,
    Compute,
    Constant,
    Index,
    Items,
    Logic,
    Name,
    Node,
)
from archbench.design.expressions.parse import Expression
from archbench.design.expressions.scalar import COMPARE, COMPUTE, as_tuples, called, indexed, paired
from archbench.design.expressions.scalar import computed as computed_row
from archbench.errors import SpecError
from archbench.space.points import LARGEST, Array, Mask, boxed
from archbench.text import visible

EXACT_FLOAT = 2**53  # up to here every integer is a float
FAILED = object()  # in a row that cannot be computed


@dataclass(frozen=True)
class Result:
    """A node's values, and where there are none."""

    values: Array
    bad: Mask

    @property
    def is_number(self) -> bool:
        return self.values.dtype != object


GOOD = np.zeros((), bool)


def evaluate_columns(expression: Expression, names: Mapping[str, Array], kept: Mask | None = None) -> Array:
    """The expression's value where every name has an array, at once; equal to `evaluate` of each row, in their common shape.

    Whole numbers never wrap: what is beyond 64 bits on the way is computed in Python's integers, a result beyond them
    refused. Raises SpecError as `evaluate` of the first row that does, among those `kept`; null: all.
    """
    with np.errstate(all="ignore"):
        result = _result(expression.root, names)
    bad = result.bad if kept is None else result.bad & kept
    if bad.any():
        _raise_as_row(expression, names, bad)
    return _fitting(expression, result.values, kept)


def evaluate_mask(expression: Expression, names: Mapping[str, Array], kept: Mask | None = None) -> Mask:
    """The rows where a condition is true; see `Expression.holds` and `evaluate_columns`."""
    met: Mask = evaluate_columns(expression, names, kept)
    if met.dtype != bool:
        raise expression.undecided(met.flat[0] if met.size else "nothing")
    return met


def _fitting(expression: Expression, values: Array, kept: Mask | None) -> Array:
    """Values that 64 bits hold. SpecError where one that is kept is beyond them; what is not kept may be cut."""
    if values.dtype != object:
        return values
    over = np.array([type(value) is int and abs(value) > LARGEST for value in values.flat], bool).reshape(values.shape)
    if (over if kept is None else over & kept).any():
        raise SpecError(
            f"{visible(expression.text)}: a result does not fit in 64 bits; compare or divide it", expression.place
        )
    if not over.any():
        return values
    return boxed([0 if cut else value for cut, value in zip(over.flat, values.flat, strict=True)], values.shape)


def _raise_as_row(expression: Expression, names: Mapping[str, Array], bad: Mask) -> None:
    """Evaluate the first bad row by itself, which says what is wrong with it."""
    arrays = {name: _typed(array) for name, array in names.items()}
    shape = np.broadcast_shapes(bad.shape, *(array.shape for array in arrays.values()))
    row = np.unravel_index(int(np.broadcast_to(bad, shape).argmax()), shape)
    expression.evaluate({name: _plain(np.broadcast_to(array, shape)[row]) for name, array in arrays.items()})
    raise AssertionError(f"{expression.text}: computed for one row and not for many")


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _result(node: Node, names: Mapping[str, Array]) -> Result:
    match node:
        case Constant():
            return Result(boxed([node.value], ()), GOOD)
        case Name():
            there = node.name in names
            return Result(_typed(names[node.name]), GOOD) if there else Result(boxed([None], ()), ~GOOD)
        case Index():
            return _each(partial(indexed, node), [_result(node.items, names)])
        case Items():
            return _each(lambda *items: items, [_result(item, names) for item in node.items])
        case Compute():
            return _arithmetic(node, [_result(operand, names) for operand in node.operands])
        case Call():
            return _call(node, names)
        case Chain():
            return _chain(node, names)
        case Logic():
            return _logic(node, names)


def _typed(given: Any) -> Array:
    """An array as one of the kinds here; lists among its objects become tuples."""
    array = np.asarray(given)
    match array.dtype.kind:
        case "b":
            return array
        case "i":
            return array.astype(np.int64, copy=False)
        case "f":
            return array.astype(np.float64, copy=False)
    return boxed([as_tuples(value) for value in array.astype(object).flat], array.shape)


def _each(function: Callable[..., Any], operands: Sequence[Result]) -> Result:
    """A function of plain values, row by row: where numpy has no such operation or another idea of it."""

    def tried(*values: Any) -> Any:
        try:
            return function(*values)
        except SpecError:
            return FAILED

    arrays = [_objects(operand) for operand in operands]
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    rows = zip(*(np.broadcast_to(array, shape).flat for array in arrays), strict=True) if arrays else [()]
    values = [tried(*row) for row in rows]
    failed = np.array([value is FAILED for value in values], bool).reshape(shape)
    given = [value for value in values if value is not FAILED]
    spare = given[0] if given else False  # so that one failed row does not make objects of all
    whole = [spare if value is FAILED else value for value in values]
    return Result(boxed(whole, shape), _any_bad(operands) | failed)


def _objects(result: Result) -> Array:
    return np.asarray(result.values).astype(object)  # an operator on arrays without dimensions leaves a scalar


def _any_bad(results: Sequence[Result]) -> Mask:
    return reduce(operator.or_, (result.bad for result in results), GOOD)


def _as_integers(array: Array) -> Array:
    return array.astype(np.int64) if array.dtype == bool else array


def _extremes(array: Array) -> tuple[int, int]:
    return (int(array.min()), int(array.max())) if array.size else (0, 0)


def _is_small(array: Array) -> bool:
    """Whether every value is the same as a float."""
    if array.dtype == np.float64:
        return True
    low, high = _extremes(array)
    return max(-low, high) <= EXACT_FLOAT


def _arithmetic(node: Compute, operands: Sequence[Result]) -> Result:
    if not all(operand.is_number for operand in operands):
        return _each(lambda *values: computed_row(node, values), operands)
    arrays = [_as_integers(operand.values) for operand in operands]
    if not _is_exact(node.symbol, arrays):
        return _each(lambda *values: computed_row(node, values), operands)
    bad = _any_bad(operands)
    if node.symbol in ("/", "//", "%"):
        bad = bad | (arrays[1] == 0)
        arrays[1] = np.where(arrays[1] == 0, np.ones((), arrays[1].dtype), arrays[1])
    values = np.asarray(COMPUTE[node.symbol](*arrays))
    if values.dtype == np.float64:
        bad = bad | ~(abs(values) <= MAX_INTEGER)
    return Result(values, bad)


def _is_exact(symbol: str, arrays: Sequence[Array]) -> bool:
    """Whether numpy's result is Python's: integers that cannot wrap, floats whose operation is the same."""
    whole = all(array.dtype == np.int64 for array in arrays)
    if symbol == "**":
        return whole and _fits(_extremes(arrays[0]), int(arrays[1].max(initial=0)))
    if not whole:
        return True
    if symbol == "/":
        return all(map(_is_small, arrays))
    if symbol in ("+", "-", "*"):
        corners = itertools.product(*map(_extremes, arrays))
        return all(abs(COMPUTE[symbol](*corner)) <= LARGEST for corner in corners)
    return all(_extremes(array)[0] >= -LARGEST for array in arrays)


def _fits(extremes: tuple[int, int], power: int) -> bool:
    return all(abs(extreme) ** power <= LARGEST for extreme in extremes)


def _call(node: Call, names: Mapping[str, Array]) -> Result:
    arguments = node.arguments
    if len(arguments) == 1 and isinstance(arguments[0], Items):  # written out: no tuples are made
        items = [_result(item, names) for item in arguments[0].items]
        wrapped = True
    else:
        items = [_result(argument, names) for argument in arguments]
        wrapped = False
    if node.function == "abs" and not wrapped and items[0].is_number:
        return _arithmetic(Compute(node.text, "abs", arguments), items)
    if node.function in ("min", "max") and (wrapped or len(items) > 1) and _are_comparable(items):
        extreme = np.minimum if node.function == "min" else np.maximum
        return Result(np.asarray(reduce(extreme, (item.values for item in items))), _any_bad(items))
    return _each(lambda *values: called(node, [values] if wrapped else values), items)


def _are_comparable(items: Sequence[Result]) -> bool:
    """Whether the least of them is the same in numpy: numbers of one kind, truth values apart."""
    return len({item.values.dtype for item in items}) == 1 and items[0].values.dtype in (np.int64, np.float64)


def _chain(node: Chain, names: Mapping[str, Array]) -> Result:
    left = _result(node.operands[0], names)
    holds, bad = ~GOOD, left.bad
    for position, symbol in enumerate(node.symbols):
        operand = node.operands[position + 1]
        right = _result(operand, names)
        if symbol in ("in", "not in"):
            assert isinstance(operand, Items)
            pair = _among(left, [_result(item, names) for item in operand.items], absent=symbol == "not in")
        else:
            pair = _pair(node, position, left, right)
        bad = bad | (holds & (right.bad | pair.bad))  # not computed where an earlier comparison fails
        holds, left = holds & pair.values, right
    return Result(holds, bad)


def _among(left: Result, items: Sequence[Result], *, absent: bool) -> Result:
    found = reduce(operator.or_, (_equal(left, item).values for item in items), GOOD)
    return Result(~found if absent else found, GOOD)


def _pair(node: Chain, position: int, left: Result, right: Result) -> Result:
    symbol = node.symbols[position]
    if symbol in ("==", "!="):
        equal = _equal(left, right)
        return equal if symbol == "==" else Result(~equal.values, equal.bad)
    if left.is_number and right.is_number and _is_same_order(left.values, right.values):
        return Result(np.asarray(COMPARE[symbol](left.values, right.values)), GOOD)
    compared = _each(partial(paired, node, position), [left, right])
    return Result(compared.values.astype(bool), compared.bad)


def _is_same_order(left: Array, right: Array) -> bool:
    """Whether numpy orders them as Python: it turns a large integer into a float to compare it with one."""
    kinds = {left.dtype.kind, right.dtype.kind}
    return "f" not in kinds or kinds == {"f"} or (_is_small(_as_integers(left)) and _is_small(_as_integers(right)))


def _equal(left: Result, right: Result) -> Result:
    one, other = left.values, right.values
    if not (left.is_number and right.is_number and _is_same_order(one, other)):
        one, other = _objects(left), _objects(right)
    return Result(np.asarray(np.equal(one, other)).astype(bool), GOOD)


def _logic(node: Logic, names: Mapping[str, Array]) -> Result:
    operands = [_truth(_result(operand, names)) for operand in node.operands]
    if node.word == "not":
        return Result(~operands[0].values, operands[0].bad)
    open_, bad = ~GOOD, GOOD  # open: no operand has decided yet
    for operand in operands:
        bad = bad | (open_ & operand.bad)
        open_ = open_ & (operand.values if node.word == "and" else ~operand.values)
    return Result(open_ if node.word == "and" else ~open_, bad)


def _truth(result: Result) -> Result:
    """Truth values; anything else is bad."""
    if result.values.dtype == bool:
        return result
    if result.is_number:
        return Result(np.zeros(result.values.shape, bool), result.bad | ~GOOD)
    truths = [value is True or value is False for value in result.values.flat]
    known = np.array(truths, bool).reshape(result.values.shape)
    return Result(known & np.equal(result.values, True).astype(bool), result.bad | ~known)
