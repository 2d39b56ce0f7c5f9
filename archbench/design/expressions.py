"""The small language of constraints: `gmacs <= 180 and neck.channels in [128, 256]`, over plain values.

Names, dotted names, constant indices, arithmetic, comparisons, and/or/not, lists, and min max sum len abs. Python's
parser reads the text, then every node is either on the list below or refused: nothing is ever eval'd, no attribute
is ever looked up, and no text can make an evaluation long or large. `true`, `false` and `null` are as in YAML.

The nodes are values without behaviour; `_value` gives them their meaning on one set of plain values.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from archbench.design.document import visible
from archbench.errors import SpecError
from archbench.registry import nearest

MAX_LENGTH = 1_000
MAX_NESTING = 50
MAX_EXPONENT = 8
MAX_INTEGER = 2**200  # far over any count, far under what slows arithmetic

ACCEPTED = "an expression has names, indices, arithmetic, comparisons, and/or/not, min max sum len abs"
EXAMPLE = "write for example `gmacs <= 180 and neck.channels == 256`"

Values = Mapping[str, Any]

WORDS = {"true": True, "false": False, "null": None}
ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
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
LINE_ENDS = str.maketrans("\n\r\t", "   ")
FUNCTIONS = ("min", "max", "sum", "len", "abs")

# What people write that is Python and not this language, and what to write instead.
INSTEAD: dict[type[ast.AST], tuple[str, str]] = {
    ast.BitAnd: ("the operator &", "write `and`"),
    ast.BitOr: ("the operator |", "write `or`"),
    ast.BitXor: ("the operator ^", "a power is **"),
    ast.Invert: ("the operator ~", "write `not`"),
    ast.UAdd: ("a leading +", "leave it out"),
    ast.Is: ("`is`", "write =="),
    ast.IsNot: ("`is not`", "write !="),
    ast.IfExp: ("if/else", "write and/or"),
    ast.Slice: ("a slice", "take one index at a time"),
    ast.JoinedStr: ("an f-string", "write plain text"),
    ast.Starred: ("a starred item", "write the items out"),
    ast.NamedExpr: ("the operator :=", "compare with =="),
    ast.Lambda: ("lambda", "write the comparison itself"),
}


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


@dataclass(frozen=True)
class Expression:
    """A compiled expression. `names` are what it needs, in order of appearance, each once."""

    text: str
    names: tuple[str, ...]
    root: Node = field(repr=False)
    place: str = ""

    def evaluate(self, values: Values) -> Any:
        """Its value over plain values by dotted name; lists come back as tuples.

        Raises SpecError, with the place, for a name that is missing and for what cannot be computed or compared.
        """
        try:
            return _value(self.root, values)
        except SpecError as error:
            raise SpecError(_about(self.text, error.message), self.place) from None


def compile_expression(text: Any, place: str = "") -> Expression:
    """The expression a text says. Raises SpecError, at `place`, with what is not allowed and its column in the text."""
    if not isinstance(text, str):
        shown = visible(str(text))
        raise SpecError(f"{shown}: not an expression; {EXAMPLE}", place)
    if len(text) > MAX_LENGTH:
        raise SpecError(f"{visible(text, 40)}: an expression of over {MAX_LENGTH:,} characters; shorten it", place)
    try:
        root = _Compiler(text).root()
    except SpecError as error:
        raise SpecError(_about(text, error.message), place) from None
    return Expression(text, tuple(dict.fromkeys(_names(root))), root, place)


def _about(text: str, message: str) -> str:
    shown = visible(text) or "''"
    return message if message.startswith(f"{shown}: ") else f"{shown}: {message}"


def _names(node: Node) -> Iterable[str]:
    match node:
        case Name():
            yield node.name
        case Index():
            yield from _names(node.items)
        case Items(_, children) | Compute(_, _, children) | Call(_, _, children) | Chain(_, _, children):
            for child in children:
                yield from _names(child)
        case Logic():
            for child in node.operands:
                yield from _names(child)


class _Compiler:
    """Python's tree of one text as our nodes, or the first thing in it that is not allowed."""

    def __init__(self, text: str) -> None:
        # A folded YAML text may hold line ends; as spaces, every column is a column of the text.
        line = text.translate(LINE_ENDS)
        self.indent = len(line) - len(line.lstrip(" "))
        self.line = line.strip(" ")

    def root(self) -> Node:
        tree = self._parse()
        self._check_nesting(tree.body)
        return self.node(tree.body)

    def _parse(self) -> ast.Expression:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # `1if`, `"\d"`: what Python only warns of is not an expression here
                return ast.parse(self.line, mode="eval")
        except SyntaxError as error:
            raise SpecError(self._not_an_expression(error)) from None
        except (ValueError, MemoryError, RecursionError, Warning):
            raise SpecError(f"not an expression; {EXAMPLE}") from None

    def _not_an_expression(self, error: SyntaxError) -> str:
        end = len(self.line) + 1
        column = self.indent + min(error.offset or end, end)  # no offset: the text ends too soon
        # Python's "invalid syntax" goes on to advise Python, such as := for =.
        reason = "" if error.msg.startswith("invalid syntax") else f" ({visible(error.msg)})"
        return f"not an expression at column {column}{reason}; {EXAMPLE}"

    def _check_nesting(self, root: ast.expr) -> None:
        level, depth = [root], 0
        while level:
            depth += 1
            if depth > MAX_NESTING:
                raise self.refused(level[0], f"nesting deeper than {MAX_NESTING}", "write several constraints")
            level = [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]

    def refused(self, node: ast.expr, what: str, instead: str = "") -> SpecError:
        before = self.line.encode()[: node.col_offset].decode()  # Python counts columns in bytes
        message = f"{what} is not allowed at column {self.indent + len(before) + 1}"
        return SpecError(f"{message}; {instead}" if instead else message)

    def source(self, node: ast.expr) -> str:
        return self.line.encode()[node.col_offset : node.end_col_offset].decode()

    def shown(self, node: ast.expr) -> str:
        return visible(self.source(node), 40)

    def nodes(self, given: Iterable[ast.expr]) -> tuple[Node, ...]:
        return tuple(self.node(node) for node in given)

    def node(self, given: ast.expr) -> Node:
        match given:
            case ast.Constant():
                return self._constant(given)
            case ast.Name() | ast.Attribute():
                return self._name(given)
            case ast.Subscript():
                return self._index(given)
            case ast.List() | ast.Tuple():
                return Items(self.source(given), self.nodes(given.elts))
            case ast.BinOp():
                return self._arithmetic(given)
            case ast.UnaryOp():
                return self._unary(given)
            case ast.BoolOp():
                return self._logic(given, "and" if isinstance(given.op, ast.And) else "or", given.values)
            case ast.Compare():
                return self._chain(given)
            case ast.Call():
                return self._call(given)
        raise self.refused(given, *INSTEAD.get(type(given), (f"`{self.shown(given)}`", ACCEPTED)))

    def _constant(self, given: ast.Constant) -> Constant:
        value = given.value
        if value is not None and not isinstance(value, bool | int | float | str):
            raise self.refused(given, self.shown(given), "write a number, a quoted text, true, false or null")
        if isinstance(value, int | float) and not abs(value) <= MAX_INTEGER:
            raise self.refused(given, "a number over 2**200")
        return Constant(self.source(given), value)

    def _name(self, given: ast.Name | ast.Attribute) -> Node:
        parts, node = [], given
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value  # type: ignore[assignment]
        if not isinstance(node, ast.Name):
            raise self.refused(given, f"the attribute .{visible(parts[0], 40)}", "only names have dots")
        name = ".".join([node.id, *reversed(parts)])
        if name != self.source(given):  # Python reads full-width letters as plain ones, and spaces around dots as none
            raise self.refused(
                given, f"the name {self.shown(given)}", f"write {visible(name, 40)} in plain letters, no spaces"
            )
        return Constant(name, WORDS[name]) if name in WORDS else Name(name, name)

    def _index(self, given: ast.Subscript) -> Index:
        position, sign = given.slice, 1
        if isinstance(position, ast.UnaryOp) and isinstance(position.op, ast.USub):
            position, sign = position.operand, -1
        if not isinstance(position, ast.Constant) or type(position.value) is not int:
            unknown = (f"the index {self.shown(given.slice)}", "an index is an integer")
            raise self.refused(given.slice, *INSTEAD.get(type(position), unknown))
        return Index(self.source(given), self.node(given.value), sign * position.value)

    def _arithmetic(self, given: ast.BinOp) -> Compute:
        symbol = ARITHMETIC.get(type(given.op))
        if symbol is None:
            unknown = (f"the operator of `{self.shown(given)}`", "there are + - * / // % **")
            raise self.refused(given, *INSTEAD.get(type(given.op), unknown))
        if symbol == "**" and not _is_small_exponent(given.right):
            instead = f"write an integer from 0 to {MAX_EXPONENT}"
            raise self.refused(given.right, f"the exponent {self.shown(given.right)}", instead)
        return Compute(self.source(given), symbol, self.nodes((given.left, given.right)))

    def _unary(self, given: ast.UnaryOp) -> Node:
        if isinstance(given.op, ast.Not):
            return self._logic(given, "not", [given.operand])
        if isinstance(given.op, ast.USub):
            return Compute(self.source(given), "negative", self.nodes([given.operand]))
        raise self.refused(given, *INSTEAD[type(given.op)])

    def _logic(self, given: ast.expr, word: str, operands: list[ast.expr]) -> Logic:
        nodes = self.nodes(operands)
        for operand, node in zip(operands, nodes, strict=True):
            # `depth == 50 or 101` is Python for "always": refuse it before it counts.
            if _is_never_true_or_false(node):
                raise self.refused(operand, f"{visible(node.text, 40)} beside `{word}`", "write a whole comparison")
        return Logic(self.source(given), word, nodes)

    def _chain(self, given: ast.Compare) -> Chain:
        for symbol, operand in zip(given.ops, given.comparators, strict=True):
            if type(symbol) not in COMPARISONS:
                raise self.refused(given, *INSTEAD[type(symbol)])
            if isinstance(symbol, ast.In | ast.NotIn) and not isinstance(operand, ast.List | ast.Tuple):
                raise self.refused(operand, f"`in` {self.shown(operand)}", "write the list out: in [1, 2]")
        symbols = tuple(COMPARISONS[type(symbol)] for symbol in given.ops)
        return Chain(self.source(given), symbols, self.nodes((given.left, *given.comparators)))

    def _call(self, given: ast.Call) -> Call:
        function = self.source(given.func)
        if not isinstance(given.func, ast.Name) or function not in FUNCTIONS:
            close = nearest(function, list(FUNCTIONS))
            raise self.refused(given, f"calling {visible(function, 40)}", f"there are {', '.join(FUNCTIONS)}.{close}")
        if given.keywords:
            raise self.refused(given, f"a named argument of {function}", "write the value alone")
        if not given.args or (len(given.args) > 1 and function not in ("min", "max")):
            raise self.refused(given, f"{function} of {len(given.args)} arguments", "give it one")
        return Call(self.source(given), function, self.nodes(given.args))


def _is_small_exponent(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int and 0 <= node.value <= MAX_EXPONENT


def _is_never_true_or_false(node: Node) -> bool:
    return isinstance(node, Items | Compute) or (isinstance(node, Constant) and not isinstance(node.value, bool))


def _value(node: Node, values: Values) -> Any:
    match node:
        case Constant():
            return node.value
        case Name():
            return _named(node.name, values)
        case Index():
            return _indexed(node, _value(node.items, values))
        case Items():
            return tuple(_value(item, values) for item in node.items)
        case Compute():
            return _computed(node, [_value(operand, values) for operand in node.operands])
        case Call():
            return _called(node, [_value(argument, values) for argument in node.arguments])
        case Chain():
            return _compared(node, values)
        case Logic():
            return _decided(node, values)


def _named(name: str, values: Values) -> Any:
    if name in values:
        return _as_tuples(values[name])
    known = [str(key) for key in values]
    close = nearest(name, known) or f" There are {visible(', '.join(known), 200) or 'none'}."
    raise SpecError(f"there is no {visible(name)} here; quote it if it is a word.{close}")


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list | tuple) else value


def _indexed(node: Index, items: Any) -> Any:
    if not isinstance(items, tuple):
        raise SpecError(f"{_said(node.items.text, items)} is not a list; leave the index out")
    if not -len(items) <= node.position < len(items):
        raise SpecError(f"{visible(node.text)}: {visible(node.items.text)} has {len(items)} items, counted from 0")
    return items[node.position]


def _computed(node: Compute, operands: list[Any]) -> Any:
    for operand, value in zip(node.operands, operands, strict=True):
        _check_number(value, operand.text)
    return _calculated(node.text, COMPUTE[node.symbol], *operands)


def _called(node: Call, arguments: list[Any]) -> Any:
    text = node.arguments[0].text
    if node.function == "len":
        return _length(arguments[0], text)
    if node.function == "abs":
        _check_number(arguments[0], text)
        return _calculated(node.text, abs, arguments[0])
    items = arguments[0] if len(arguments) == 1 else tuple(arguments)
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
    left = _value(node.operands[0], values)
    for position, symbol in enumerate(node.symbols):
        right = _value(node.operands[position + 1], values)
        if symbol in ORDERINGS:
            _check_order(node, position, left, right)
        if not COMPARE[symbol](left, right):
            return False
        left = right
    return True


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
    value = _value(node, values)
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
