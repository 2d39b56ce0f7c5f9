"""What an expression is made of: values without behaviour. `evaluation` gives them their meaning on one set of plain
values, `columns` on many at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
    """One of FUNCTIONS."""

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
