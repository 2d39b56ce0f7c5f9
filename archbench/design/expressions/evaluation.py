"""The nodes of an expression, and their meaning on one set of plain values. What cannot be computed is a SpecError."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archbench.errors import SpecError
from archbench.text import suggest_nearest, visible

MAX_INTEGER = 2**200  # far over any count, far under what slows arithmetic


@dataclass(frozen=True)
class Constant:
    text: str
    value: Any


@dataclass(frozen=True)
class NameRef:
    """A name with its dots: `neck.channels` is one."""

    text: str
    name: str


@dataclass(frozen=True)
class ItemAt:
    text: str
    items: ExpressionNode
    position: int


@dataclass(frozen=True)
class ListLiteral:
    """A literal list or tuple; every list is a tuple here, so that the two compare equal."""

    text: str
    items: tuple[ExpressionNode, ...]


@dataclass(frozen=True)
class Arithmetic:
    """An arithmetic operator of COMPUTE on its operands."""

    text: str
    symbol: str
    operands: tuple[ExpressionNode, ...]


@dataclass(frozen=True)
class FunctionCall:
    """A call of one of FUNCTIONS."""

    text: str
    function: str
    arguments: tuple[ExpressionNode, ...]


@dataclass(frozen=True)
class ComparisonChain:
    """Comparisons `a < b <= c`; one node, so that b is computed once."""

    text: str
    symbols: tuple[str, ...]
    operands: tuple[ExpressionNode, ...]


@dataclass(frozen=True)
class LogicOperation:
    """`and`, `or` or `not`; operands after the deciding one are not computed, as `a != null and a > 3` needs."""

    text: str
    word: str
    operands: tuple[ExpressionNode, ...]


ExpressionNode = (
    Constant | NameRef | ItemAt | ListLiteral | Arithmetic | FunctionCall | ComparisonChain | LogicOperation
)
Values = Mapping[str, Any]

COMPUTE: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "negative": operator.neg,
    "abs": abs,
}
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda item, items: item in items,
    "not in": lambda item, items: item not in items,
}
ORDERINGS = ("<", "<=", ">", ">=")


def evaluate_node(node: ExpressionNode, values: Values) -> Any:
    """The value of a node where every name has one; lists are tuples, so that the two compare equal."""
    match node:
        case Constant():
            return node.value
        case NameRef():
            return _look_up_name(node.name, values)
        case ItemAt():
            return take_item(node, evaluate_node(node.items, values))
        case ListLiteral():
            return tuple(evaluate_node(item, values) for item in node.items)
        case Arithmetic():
            return apply_operator(node, [evaluate_node(operand, values) for operand in node.operands])
        case FunctionCall():
            return apply_function(node, [evaluate_node(argument, values) for argument in node.arguments])
        case ComparisonChain():
            return _evaluate_chain(node, values)
        case LogicOperation():
            return _evaluate_logic(node, values)


def _look_up_name(name: str, values: Values) -> Any:
    if name in values:
        return as_tuples(values[name])
    raise unknown_name_error(name, [str(key) for key in values])


def unknown_name_error(name: str, known: Sequence[str]) -> SpecError:
    """The error for a name that is none of those known."""
    close = suggest_nearest(name, list(known)) or f" There are {visible(', '.join(known), 200) or 'none'}."
    return SpecError(f"there is no {visible(name)} here; quote it if it is a word.{close}")


def as_tuples(value: Any) -> Any:
    """A value with its lists as tuples, to any depth."""
    return tuple(map(as_tuples, value)) if isinstance(value, list | tuple) else value


def take_item(node: ItemAt, items: Any) -> Any:
    """One item of a list."""
    _check_not_null(items, node.items.text)
    if not isinstance(items, tuple):
        raise SpecError(f"{_describe_value(node.items.text, items)} is not a list; leave the index out")
    if not -len(items) <= node.position < len(items):
        raise SpecError(f"{visible(node.text)}: {visible(node.items.text)} has {len(items)} items, counted from 0")
    return items[node.position]


def apply_operator(node: Arithmetic, operands: Sequence[Any]) -> Any:
    """The result of an operator on its operands' values."""
    for operand, value in zip(node.operands, operands, strict=True):
        _check_number(value, operand.text)
    return _apply_within_limits(node.text, COMPUTE[node.symbol], *operands)


def apply_function(node: FunctionCall, arguments: Sequence[Any]) -> Any:
    """The result of a function on its arguments' values."""
    text = node.arguments[0].text
    if node.function == "len":
        return _count_items(arguments[0], text)
    if node.function == "abs":
        _check_number(arguments[0], text)
        return _apply_within_limits(node.text, abs, arguments[0])
    items = arguments[0] if len(arguments) == 1 else tuple(arguments)
    _check_not_null(items, text)
    if not isinstance(items, tuple):
        raise SpecError(f"{_describe_value(text, items)} is not a list; {node.function} takes one, or several numbers")
    for item in items:
        _check_number(item, f"an item of {node.text}")
    if node.function == "sum":
        return _apply_within_limits(node.text, sum, items)
    if not items:
        raise SpecError(f"{visible(node.text)}: the list is empty and has no {node.function}")
    return min(items) if node.function == "min" else max(items)


def _count_items(value: Any, text: str) -> int:
    _check_not_null(value, text)
    if not isinstance(value, tuple | str):
        raise SpecError(f"{_describe_value(text, value)} is not a list or a text; len takes one")
    return len(value)


def _apply_within_limits(text: str, function: Callable[..., Any], *operands: Any) -> Any:
    try:
        result = function(*operands)
    except ZeroDivisionError:
        raise SpecError(f"{visible(text)}: a division by zero") from None
    except OverflowError:
        result = math.inf
    if not abs(result) <= MAX_INTEGER:  # NaN fails this too
        raise SpecError(f"{visible(text)}: the result is over 2**200, or no number")
    return result


def _evaluate_chain(node: ComparisonChain, values: Values) -> bool:
    left = evaluate_node(node.operands[0], values)
    for position, operand in enumerate(node.operands[1:]):
        right = evaluate_node(operand, values)
        if not compare_pair(node, position, left, right):
            return False
        left = right
    return True


def compare_pair(node: ComparisonChain, position: int, left: Any, right: Any) -> bool:
    """Whether one comparison of a chain holds between its two values."""
    if node.symbols[position] in ORDERINGS:
        _check_order(node, position, left, right)
    return COMPARE[node.symbols[position]](left, right)


def _check_order(node: ComparisonChain, position: int, left: Any, right: Any) -> None:
    """Two numbers or two texts have an order; nothing else has."""
    sides = node.operands[position : position + 2]
    for side, value in zip(sides, (left, right), strict=True):
        _check_not_null(value, side.text)
    if not (_is_number(left) and _is_number(right)) and not (isinstance(left, str) and isinstance(right, str)):
        given = f"{_describe_value(sides[0].text, left)} and {_describe_value(sides[1].text, right)}"
        raise SpecError(f"{node.symbols[position]} compares two numbers or two texts; given {given}")


def _evaluate_logic(node: LogicOperation, values: Values) -> bool:
    if node.word == "not":
        return not _evaluate_truth(node.word, node.operands[0], values)
    decides = all if node.word == "and" else any
    return decides(_evaluate_truth(node.word, operand, values) for operand in node.operands)


def _evaluate_truth(word: str, node: ExpressionNode, values: Values) -> bool:
    value = evaluate_node(node, values)
    _check_not_null(value, node.text)
    if not isinstance(value, bool):
        raise SpecError(
            f"`{word}` takes true or false, not {_describe_value(node.text, value)}; compare it with something"
        )
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _check_number(value: Any, text: str) -> None:
    _check_not_null(value, text)
    if not _is_number(value):
        raise SpecError(f"{_describe_value(text, value)} is not a number")


def _check_not_null(value: Any, text: str) -> None:
    if value is None:
        raise SpecError(f"{visible(text)} is null; test it first with `!= null and`")


def _describe_value(text: str, value: Any) -> str:
    """The text of a node with its value, unless the two are the same: `gmacs (100.5)`."""
    shown = visible(repr(list(value) if isinstance(value, tuple) else value), 40)
    return shown if shown == text else f"{visible(text)} ({shown})"
