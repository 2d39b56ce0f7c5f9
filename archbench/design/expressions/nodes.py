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
class Name:
    """A name with its dots: `neck.channels` is one."""

    text: str
    name: str


@dataclass(frozen=True)
class Index:
    text: str
    items: Node
    position: int


@dataclass(frozen=True)
class Items:
    """A literal list or tuple; every list is a tuple here, so that the two compare equal."""

    text: str
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Compute:
    """An arithmetic operator of COMPUTE on its operands."""

    text: str
    symbol: str
    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Call:
    """One of FUNCTIONS."""

    text: str
    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Chain:
    """Comparisons `a < b <= c`; one node, so that b is computed once."""

    text: str
    symbols: tuple[str, ...]
    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Logic:
    """`and`, `or` or `not`; operands after the deciding one are not computed, as `a != null and a > 3` needs."""

    text: str
    word: str
    operands: tuple[Node, ...]


Node = Constant | Name | Index | Items | Compute | Call | Chain | Logic
