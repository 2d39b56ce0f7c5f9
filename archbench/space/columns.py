"""The meaning of an expression on many sets of values at once: numpy where all operands are numbers, Python elsewhere.

A node over numbers alone is computed as arrays, as long as numpy's result is Python's. Any other node (words, lists, null,
whole numbers beyond 64 bits) is evaluated by itself once for each distinct row of what it names. `and`, `or` and `not` join
the two kinds. A row that cannot be computed is an error only if the whole expression asks for it: `a != null and a > 3`
never does where a is null. The first such row is handed to `Expression.evaluate`, whose message it is.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from archbench.design.expressions.evaluation import (
    COMPARE,
    COMPUTE,
    MAX_INTEGER,
    Arithmetic,
    ComparisonChain,
    Constant,
    ExpressionNode,
    FunctionCall,
    ListLiteral,
    LogicOperation,
    NameRef,
    evaluate_node,
)
from archbench.design.expressions.parse import Expression, names_in
from archbench.errors import SpecError
from archbench.pricing.lanes import FLOAT_EXACT, INT64_MAX
from archbench.space.points import Array, Mask, box_values, find_distinct_rows, number_values, take_at
from archbench.text import visible

MAGNITUDES: dict[str, Callable[[Sequence[int]], int]] = {  # the most that a result may be, by those of its operands
    "+": sum,
    "-": sum,
    "*": math.prod,
    "**": lambda operands: operands[0] ** operands[1],
}
EXTREMES = {"min": np.minimum, "max": np.maximum}


class _PythonOnly(Exception):
    """A node is not all numbers, or numpy's result might not be Python's."""


@dataclass(frozen=True)
class ColumnResult:
    """A node's values, and the rows where there are none. Both broadcast to the shape of what the node names."""

    values: Array
    bad: Mask


GOOD = np.zeros((), bool)


def evaluate_columns(expression: Expression, names: Mapping[str, Array], kept: Mask | None = None) -> Array:
    """The expression's value where every name has an array, at once; equal to `evaluate` of each row, in their common shape.

    Whole numbers never wrap: what is beyond 64 bits on the way is computed in Python's integers, a result beyond them
    refused. Raises SpecError as `evaluate` of the first row that does, among those `kept`; null: all.
    """
    arrays = {name: np.asarray(given) for name in expression.names if (given := names.get(name)) is not None}
    with np.errstate(all="ignore"):
        result = _evaluate_node(expression.root, arrays)
    bad = result.bad if kept is None else result.bad & kept
    if bad.any():
        _raise_as_row(expression, names, bad)
    return _fit_in_64_bits(expression, result.values, kept) if result.values.dtype == object else result.values


def evaluate_mask(expression: Expression, names: Mapping[str, Array], kept: Mask | None = None) -> Mask:
    """The rows where a condition is true; see `Expression.holds` and `evaluate_columns`."""
    met: Mask = evaluate_columns(expression, names, kept)
    if met.dtype != bool:
        raise expression.undecided_error(met.flat[0] if met.size else "nothing")
    return met


def _fit_in_64_bits(expression: Expression, values: Array, kept: Mask | None) -> Array:
    """Values that 64 bits hold. SpecError where one that is kept is beyond them; what is not kept may be cut."""
    over = np.array([type(value) is int and abs(value) > INT64_MAX for value in values.flat], bool).reshape(
        values.shape
    )
    if (over if kept is None else over & kept).any():
        raise SpecError(
            f"{visible(expression.text)}: a result does not fit in 64 bits; compare or divide it", expression.place
        )
    if not over.any():
        return values
    return box_values([0 if cut else value for cut, value in zip(over.flat, values.flat, strict=True)], values.shape)


def _raise_as_row(expression: Expression, names: Mapping[str, Array], bad: Mask) -> None:
    """Evaluate the first bad row by itself, which says what is wrong with it."""
    arrays = {name: np.asarray(array) for name, array in names.items()}
    shape = np.broadcast_shapes(bad.shape, *(array.shape for array in arrays.values()))
    row = np.unravel_index(int(np.broadcast_to(bad, shape).argmax()), shape)
    values = {name: np.broadcast_to(array, shape)[row] for name, array in arrays.items()}
    expression.evaluate({name: v.item() if isinstance(v, np.generic) else v for name, v in values.items()})
    raise AssertionError(f"{expression.text}: computed for one row and not for many")


def _evaluate_node(node: ExpressionNode, arrays: Mapping[str, Array]) -> ColumnResult:
    if isinstance(node, LogicOperation):
        return _join_truths(node, [_as_truths(_evaluate_node(operand, arrays)) for operand in node.operands])
    try:
        return _compute_numbers(node, arrays)
    except _PythonOnly:
        return _by_distinct_row(node, arrays)


def _join_truths(node: LogicOperation, operands: Sequence[ColumnResult]) -> ColumnResult:
    if node.word == "not":
        return ColumnResult(~operands[0].values, operands[0].bad)
    open_, bad = ~GOOD, GOOD  # open: no operand has decided yet
    for operand in operands:
        bad = bad | (open_ & operand.bad)
        open_ = open_ & (operand.values if node.word == "and" else ~operand.values)
    return ColumnResult(open_ if node.word == "and" else ~open_, bad)


def _as_truths(result: ColumnResult) -> ColumnResult:
    """Truth values; anything else is bad."""
    if result.values.dtype == bool:
        return result
    truths = [value is True or value is False for value in result.values.astype(object).flat]
    known = np.array(truths, bool).reshape(result.values.shape)
    return ColumnResult(known & np.equal(result.values, True).astype(bool), result.bad | ~known)


def _by_distinct_row(node: ExpressionNode, arrays: Mapping[str, Array]) -> ColumnResult:
    """Evaluate a node once for each distinct row of what it names."""
    read = {name: number_values(arrays[name]) for name in dict.fromkeys(names_in(node)) if name in arrays}
    codes, which = find_distinct_rows([(codes, len(values)) for values, codes in read.values()])
    columns = [[values[code] for code in at] for (values, _), at in zip(read.values(), codes, strict=True)]
    found: dict[int, Any] = {}  # by the number of the row; none of one that could not be computed
    count = len(columns[0]) if columns else 1
    for number in range(count):
        with suppress(SpecError):
            found[number] = evaluate_node(node, dict(zip(read, (column[number] for column in columns), strict=True)))
    spare = next(iter(found.values()), False)  # so that one failed row does not make objects of all
    values = box_values([found.get(number, spare) for number in range(count)], (-1,))
    bad = np.array([number not in found for number in range(count)], bool)
    return ColumnResult(take_at(values, which), bad[which])


def _compute_numbers(node: ExpressionNode, arrays: Mapping[str, Array]) -> ColumnResult:
    """A node computed by numpy. Raises _PythonOnly where its result might not be Python's."""
    match node:
        case Constant():
            return _as_numbers(box_values([node.value], ()))
        case NameRef() if node.name in arrays:
            return _as_numbers(arrays[node.name])
        case Arithmetic():
            return _compute_arithmetic(node.symbol, [_compute_numbers(operand, arrays) for operand in node.operands])
        case FunctionCall(_, "abs", (argument,)):
            return _compute_arithmetic("abs", [_compute_numbers(argument, arrays)])
        case FunctionCall(_, "min" | "max", (ListLiteral(_, items),)) | FunctionCall(
            _, "min" | "max", (_, _, *_) as items
        ):
            return _find_extreme(node.function, [_compute_numbers(item, arrays) for item in items])
        case ComparisonChain():
            return _compare_chain(node, arrays)
    raise _PythonOnly


def _as_numbers(values: Array) -> ColumnResult:
    match values.dtype.kind:
        case "b":
            return ColumnResult(values, GOOD)
        case "i":
            return ColumnResult(values.astype(np.int64, copy=False), GOOD)
        case "f":
            return ColumnResult(values.astype(np.float64, copy=False), GOOD)
    raise _PythonOnly


def _any_bad(results: Sequence[ColumnResult]) -> Mask:
    return reduce(operator.or_, (result.bad for result in results), GOOD)


def _compute_arithmetic(symbol: str, operands: Sequence[ColumnResult]) -> ColumnResult:
    arrays, bad = [_as_integers(operand.values) for operand in operands], _any_bad(operands)
    if not _is_exact(symbol, arrays):
        raise _PythonOnly
    if symbol in ("/", "//", "%"):
        bad = bad | (arrays[1] == 0)
        arrays[1] = np.where(arrays[1] == 0, np.ones((), arrays[1].dtype), arrays[1])
    values = np.asarray(COMPUTE[symbol](*arrays))
    if values.dtype == np.float64:
        bad = bad | ~(abs(values) <= MAX_INTEGER)
    return ColumnResult(values, bad)


def _find_extreme(function: str, operands: Sequence[ColumnResult]) -> ColumnResult:
    """The least or the greatest of numbers of one kind; truth values stay what they are in Python alone."""
    if {operand.values.dtype for operand in operands} not in ({np.dtype(np.int64)}, {np.dtype(np.float64)}):
        raise _PythonOnly
    return ColumnResult(reduce(EXTREMES[function], (operand.values for operand in operands)), _any_bad(operands))


def _compare_chain(node: ComparisonChain, arrays: Mapping[str, Array]) -> ColumnResult:
    """Comparisons from left to right: where one fails, what stands right of it is not computed and never bad."""
    left = _compute_numbers(node.operands[0], arrays)
    holds, bad = ~GOOD, left.bad
    for symbol, operand in zip(node.symbols, node.operands[1:], strict=True):
        if symbol not in COMPARE or isinstance(operand, ListLiteral):
            raise _PythonOnly
        right = _compute_numbers(operand, arrays)
        if not _is_same_order(left.values, right.values):
            raise _PythonOnly
        bad = bad | (holds & right.bad)
        holds, left = holds & COMPARE[symbol](left.values, right.values), right
    return ColumnResult(np.asarray(holds), np.asarray(bad))


def _is_exact(symbol: str, arrays: Sequence[Array]) -> bool:
    """Whether numpy's result is Python's: integers that cannot wrap, floats whose operation is the same."""
    if not all(array.dtype == np.int64 for array in arrays):
        return symbol != "**"
    if symbol == "/":
        return all(_magnitude(array) <= FLOAT_EXACT for array in arrays)
    magnitude = MAGNITUDES.get(symbol, max)([_magnitude(array) for array in arrays])
    return magnitude <= INT64_MAX


def _is_same_order(left: Array, right: Array) -> bool:
    """Whether numpy orders them as Python: it turns a large integer into a float to compare it with one."""
    whole = [_magnitude(_as_integers(array)) for array in (left, right) if array.dtype.kind != "f"]
    return len(whole) != 1 or whole[0] <= FLOAT_EXACT


def _as_integers(array: Array) -> Array:
    return array.astype(np.int64) if array.dtype == bool else array


def _magnitude(array: Array) -> int:
    return max(-int(array.min()), int(array.max())) if array.size else 0
