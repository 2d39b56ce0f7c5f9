"""The meaning of an expression on one set of plain values. Whatever cannot be computed or compared is a SpecError."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

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
from archbench.errors import SpecError
from archbench.registry import suggest_nearest
from archbench.text import visible

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


def value_of(node: Node, values: Values) -> Any:
    """What a node is where every name has one value; lists are tuples, so that the two compare equal."""
    match node:
        case Constant():
            return node.value
        case Name():
            return _named(node.name, values)
        case Index():
            return indexed(node, value_of(node.items, values))
        case Items():
            return tuple(value_of(item, values) for item in node.items)
        case Compute():
            return computed(node, [value_of(operand, values) for operand in node.operands])
        case Call():
            return called(node, [value_of(argument, values) for argument in node.arguments])
        case Chain():
            return _compared(node, values)
        case Logic():
            return _decided(node, values)


def _named(name: str, values: Values) -> Any:
    if name in values:
        return as_tuples(values[name])
    raise unknown(name, [str(key) for key in values])


def unknown(name: str, known: Sequence[str]) -> SpecError:
    """What is said of a name that is none of those known."""
    close = suggest_nearest(name, list(known)) or f" There are {visible(', '.join(known), 200) or 'none'}."
    return SpecError(f"there is no {visible(name)} here; quote it if it is a word.{close}")


def as_tuples(value: Any) -> Any:
    """A value with its lists as tuples, to any depth."""
    return tuple(map(as_tuples, value)) if isinstance(value, list | tuple) else value


def indexed(node: Index, items: Any) -> Any:
    """One item of a list."""
    _check_not_null(items, node.items.text)
    if not isinstance(items, tuple):
        raise SpecError(f"{_said(node.items.text, items)} is not a list; leave the index out")
    if not -len(items) <= node.position < len(items):
        raise SpecError(f"{visible(node.text)}: {visible(node.items.text)} has {len(items)} items, counted from 0")
    return items[node.position]


def computed(node: Compute, operands: Sequence[Any]) -> Any:
    """An operator on its operands' values."""
    for operand, value in zip(node.operands, operands, strict=True):
        _check_number(value, operand.text)
    return _calculated(node.text, COMPUTE[node.symbol], *operands)


def called(node: Call, arguments: Sequence[Any]) -> Any:
    """A function on its arguments' values."""
    text = node.arguments[0].text
    if node.function == "len":
        return _length(arguments[0], text)
    if node.function == "abs":
        _check_number(arguments[0], text)
        return _calculated(node.text, abs, arguments[0])
    items = arguments[0] if len(arguments) == 1 else tuple(arguments)
    _check_not_null(items, text)
    if not isinstance(items, tuple):
        raise SpecError(f"{_said(text, items)} is not a list; {node.function} takes one, or several numbers")
    for item in items:
        _check_number(item, f"an item of {node.text}")
    if node.function == "sum":
        return _calculated(node.text, sum, items)
    if not items:
        raise SpecError(f"{visible(node.text)}: the list is empty and has no {node.function}")
    return min(items) if node.function == "min" else max(items)


def _length(value: Any, text: str) -> int:
    _check_not_null(value, text)
    if not isinstance(value, tuple | str):
        raise SpecError(f"{_said(text, value)} is not a list or a text; len takes one")
    return len(value)


def _calculated(text: str, function: Callable[..., Any], *operands: Any) -> Any:
    try:
        result = function(*operands)
    except ZeroDivisionError:
        raise SpecError(f"{visible(text)}: a division by zero") from None
    except OverflowError:
        result = math.inf
    if not abs(result) <= MAX_INTEGER:  # NaN fails this too
        raise SpecError(f"{visible(text)}: the result is over 2**200, or no number")
    return result


def _compared(node: Chain, values: Values) -> bool:
    left = value_of(node.operands[0], values)
    for position in range(len(node.symbols)):
        right = value_of(node.operands[position + 1], values)
        if not paired(node, position, left, right):
            return False
        left = right
    return True


def paired(node: Chain, position: int, left: Any, right: Any) -> bool:
    """Whether one comparison of a chain holds between its two values."""
    if node.symbols[position] in ORDERINGS:
        _check_order(node, position, left, right)
    return COMPARE[node.symbols[position]](left, right)


def _check_order(node: Chain, position: int, left: Any, right: Any) -> None:
    """Two numbers or two texts have an order; nothing else has."""
    sides = node.operands[position : position + 2]
    for side, value in zip(sides, (left, right), strict=True):
        _check_not_null(value, side.text)
    if not (_is_number(left) and _is_number(right)) and not (isinstance(left, str) and isinstance(right, str)):
        given = " and ".join(_said(side.text, value) for side, value in zip(sides, (left, right), strict=True))
        raise SpecError(f"{node.symbols[position]} compares two numbers or two texts; given {given}")


def _decided(node: Logic, values: Values) -> bool:
    if node.word == "not":
        return not _truth(node.word, node.operands[0], values)
    decides = all if node.word == "and" else any
    return decides(_truth(node.word, operand, values) for operand in node.operands)


def _truth(word: str, node: Node, values: Values) -> bool:
    value = value_of(node, values)
    _check_not_null(value, node.text)
    if not isinstance(value, bool):
        raise SpecError(f"`{word}` takes true or false, not {_said(node.text, value)}; compare it with something")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _check_number(value: Any, text: str) -> None:
    _check_not_null(value, text)
    if not _is_number(value):
        raise SpecError(f"{_said(text, value)} is not a number")


def _check_not_null(value: Any, text: str) -> None:
    if value is None:
        raise SpecError(f"{visible(text)} is null; test it first with `!= null and`")


def _said(text: str, value: Any) -> str:
    """A part of the expression with its value, where that is not what the part says: `gmacs (100.5)`."""
    shown = visible(repr(list(value) if isinstance(value, tuple) else value), 40)
    return shown if shown == text else f"{visible(text)} ({shown})"
