"""The small language of constraints: `gmacs <= 180 and neck.channels in [128, 256]`, over plain values.

Names, dotted names, constant indices, arithmetic, comparisons, and/or/not, lists, and min max sum len abs. Python's
parser reads the text, then every node is either on the list below or refused: nothing is ever eval'd, no attribute
is ever looked up, and no text can make an evaluation long or large. `true`, `false` and `null` are as in YAML.

A text becomes a tree of nodes. `Expression.evaluate` computes it for one set of plain values; the columns of a design
space have their own evaluation, by numpy, with the same meaning.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from archbench.design.expressions.evaluation import (
    MAX_INTEGER,
    Arithmetic,
    ComparisonChain,
    Constant,
    ExpressionNode,
    FunctionCall,
    ItemAt,
    ListLiteral,
    LogicOperation,
    NameRef,
    Values,
    evaluate_node,
    unknown_name_error,
)
from archbench.errors import SpecError
from archbench.text import suggest_nearest, visible

MAX_LENGTH = 1_000
MAX_NESTING = 50
MAX_EXPONENT = 8

ACCEPTED = "an expression has names, indices, arithmetic, comparisons, and/or/not, min max sum len abs"
EXAMPLE = "write for example `gmacs <= 180 and neck.channels == 256`"

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
class Expression:
    """A compiled expression. `names` are those it reads, in order of appearance, each once."""

    text: str
    names: tuple[str, ...]
    root: ExpressionNode = field(repr=False)
    place: str = ""

    def check_names(self, known: Sequence[str]) -> None:
        """Refuse a name that is none of those known, whether or not an evaluation would come to it. SpecError, at the place."""
        for name in self.names:
            if name not in known:
                raise SpecError(_quote_expression(self.text, unknown_name_error(name, known).message), self.place)

    def evaluate(self, values: Values) -> Any:
        """The expression's value over plain values by dotted name; lists come back as tuples.

        Raises SpecError, with the place, for a name that is missing and for what cannot be computed or compared.
        """
        try:
            return evaluate_node(self.root, values)
        except SpecError as error:
            raise SpecError(_quote_expression(self.text, error.message), self.place) from None

    def holds(self, values: Values) -> bool:
        """Whether the expression is true over plain values. Raises SpecError as `evaluate`, and where the value is no truth."""
        met = self.evaluate(values)
        if not isinstance(met, bool):
            raise self.undecided_error(met)
        return met

    def undecided_error(self, met: Any) -> SpecError:
        """The error for a condition that is neither true nor false."""
        given = visible(str(met), 40)
        return SpecError(
            f"{visible(self.text)}: it is {given}, neither true nor false; compare it with something", self.place
        )


def compile_expression(text: Any, place: str = "") -> Expression:
    """The expression of a text. Raises SpecError, at `place`, with what is not allowed and its column in the text."""
    if not isinstance(text, str):
        shown = visible(str(text))
        raise SpecError(f"{shown}: not an expression; {EXAMPLE}", place)
    if len(text) > MAX_LENGTH:
        raise SpecError(f"{visible(text, 40)}: an expression of over {MAX_LENGTH:,} characters; shorten it", place)
    try:
        root = _Compiler(text).compile_root()
    except SpecError as error:
        raise SpecError(_quote_expression(text, error.message), place) from None
    return Expression(text, tuple(dict.fromkeys(names_in(root))), root, place)


def _quote_expression(text: str, message: str) -> str:
    shown = visible(text) or "''"
    return message if message.startswith(f"{shown}: ") else f"{shown}: {message}"


def names_in(node: ExpressionNode) -> Iterable[str]:
    """Every name of a node in order of appearance, as often as it appears."""
    match node:
        case NameRef():
            yield node.name
        case ItemAt():
            yield from names_in(node.items)
        case ListLiteral(_, children) | Arithmetic(_, _, children) | FunctionCall(_, _, children):
            yield from chain.from_iterable(map(names_in, children))
        case ComparisonChain(_, _, children) | LogicOperation(_, _, children):
            yield from chain.from_iterable(map(names_in, children))


class _Compiler:
    """The compiler makes our nodes of Python's tree of one text, or refuses the first thing in it that is not allowed."""

    def __init__(self, text: str) -> None:
        # A folded YAML text may hold line ends; as spaces, every column is a column of the text.
        line = text.translate(LINE_ENDS)
        self.indent = len(line) - len(line.lstrip(" "))
        self.line = line.strip(" ")

    def compile_root(self) -> ExpressionNode:
        tree = self._parse_line()
        self._check_nesting(tree.body)
        return self.compile_node(tree.body)

    def _parse_line(self) -> ast.Expression:
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
                raise self.refusal_of(level[0], f"nesting deeper than {MAX_NESTING}", "write several constraints")
            level = [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]

    def refusal_of(self, node: ast.expr, what: str, instead: str = "") -> SpecError:
        before = self.line.encode()[: node.col_offset].decode()  # Python counts columns in bytes
        message = f"{what} is not allowed at column {self.indent + len(before) + 1}"
        return SpecError(f"{message}; {instead}" if instead else message)

    def source_text(self, node: ast.expr) -> str:
        return self.line.encode()[node.col_offset : node.end_col_offset].decode()

    def quote_source(self, node: ast.expr) -> str:
        return visible(self.source_text(node), 40)

    def compile_nodes(self, given: Iterable[ast.expr]) -> tuple[ExpressionNode, ...]:
        return tuple(self.compile_node(node) for node in given)

    def compile_node(self, given: ast.expr) -> ExpressionNode:
        match given:
            case ast.Constant():
                return self._compile_constant(given)
            case ast.Name() | ast.Attribute():
                return self._compile_name(given)
            case ast.Subscript():
                return self._compile_index(given)
            case ast.List() | ast.Tuple():
                return ListLiteral(self.source_text(given), self.compile_nodes(given.elts))
            case ast.BinOp():
                return self._compile_arithmetic(given)
            case ast.UnaryOp():
                return self._compile_unary(given)
            case ast.BoolOp():
                return self._compile_logic(given, "and" if isinstance(given.op, ast.And) else "or", given.values)
            case ast.Compare():
                return self._compile_chain(given)
            case ast.Call():
                return self._compile_call(given)
        raise self.refusal_of(given, *INSTEAD.get(type(given), (f"`{self.quote_source(given)}`", ACCEPTED)))

    def _compile_constant(self, given: ast.Constant) -> Constant:
        value = given.value
        if value is not None and not isinstance(value, bool | int | float | str):
            raise self.refusal_of(given, self.quote_source(given), "write a number, a quoted text, true, false or null")
        if isinstance(value, int | float) and not abs(value) <= MAX_INTEGER:
            raise self.refusal_of(given, "a number over 2**200")
        return Constant(self.source_text(given), value)

    def _compile_name(self, given: ast.Name | ast.Attribute) -> ExpressionNode:
        parts, node = [], given
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value  # type: ignore[assignment]
        if not isinstance(node, ast.Name):
            raise self.refusal_of(given, f"the attribute .{visible(parts[0], 40)}", "only names have dots")
        name = ".".join([node.id, *reversed(parts)])
        if name != self.source_text(
            given
        ):  # Python reads full-width letters as plain ones, and spaces around dots as none
            raise self.refusal_of(
                given, f"the name {self.quote_source(given)}", f"write {visible(name, 40)} in plain letters, no spaces"
            )
        return Constant(name, WORDS[name]) if name in WORDS else NameRef(name, name)

    def _compile_index(self, given: ast.Subscript) -> ItemAt:
        position, sign = given.slice, 1
        if isinstance(position, ast.UnaryOp) and isinstance(position.op, ast.USub):
            position, sign = position.operand, -1
        if not isinstance(position, ast.Constant) or type(position.value) is not int:
            unknown = (f"the index {self.quote_source(given.slice)}", "an index is an integer")
            raise self.refusal_of(given.slice, *INSTEAD.get(type(position), unknown))
        return ItemAt(self.source_text(given), self.compile_node(given.value), sign * position.value)

    def _compile_arithmetic(self, given: ast.BinOp) -> Arithmetic:
        symbol = ARITHMETIC.get(type(given.op))
        if symbol is None:
            unknown = (f"the operator of `{self.quote_source(given)}`", "there are + - * / // % **")
            raise self.refusal_of(given, *INSTEAD.get(type(given.op), unknown))
        if symbol == "**" and not _is_small_exponent(given.right):
            instead = f"write an integer from 0 to {MAX_EXPONENT}"
            raise self.refusal_of(given.right, f"the exponent {self.quote_source(given.right)}", instead)
        return Arithmetic(self.source_text(given), symbol, self.compile_nodes((given.left, given.right)))

    def _compile_unary(self, given: ast.UnaryOp) -> ExpressionNode:
        if isinstance(given.op, ast.Not):
            return self._compile_logic(given, "not", [given.operand])
        if isinstance(given.op, ast.USub):
            return Arithmetic(self.source_text(given), "negative", self.compile_nodes([given.operand]))
        raise self.refusal_of(given, *INSTEAD[type(given.op)])

    def _compile_logic(self, given: ast.expr, word: str, operands: list[ast.expr]) -> LogicOperation:
        nodes = self.compile_nodes(operands)
        for operand, node in zip(operands, nodes, strict=True):
            # `depth == 50 or 101` is Python for "always": refuse it before it counts.
            if _is_never_true_or_false(node):
                raise self.refusal_of(operand, f"{visible(node.text, 40)} beside `{word}`", "write a whole comparison")
        return LogicOperation(self.source_text(given), word, nodes)

    def _compile_chain(self, given: ast.Compare) -> ComparisonChain:
        for symbol, operand in zip(given.ops, given.comparators, strict=True):
            if type(symbol) not in COMPARISONS:
                raise self.refusal_of(given, *INSTEAD[type(symbol)])
            if isinstance(symbol, ast.In | ast.NotIn) and not isinstance(operand, ast.List | ast.Tuple):
                raise self.refusal_of(operand, f"`in` {self.quote_source(operand)}", "write the list out: in [1, 2]")
        symbols = tuple(COMPARISONS[type(symbol)] for symbol in given.ops)
        return ComparisonChain(self.source_text(given), symbols, self.compile_nodes((given.left, *given.comparators)))

    def _compile_call(self, given: ast.Call) -> FunctionCall:
        function = self.source_text(given.func)
        if not isinstance(given.func, ast.Name) or function not in FUNCTIONS:
            close = suggest_nearest(function, list(FUNCTIONS))
            raise self.refusal_of(
                given, f"calling {visible(function, 40)}", f"there are {', '.join(FUNCTIONS)}.{close}"
            )
        if given.keywords:
            raise self.refusal_of(given, f"a named argument of {function}", "write the value alone")
        if not given.args or (len(given.args) > 1 and function not in ("min", "max")):
            raise self.refusal_of(given, f"{function} of {len(given.args)} arguments", "give it one")
        return FunctionCall(self.source_text(given), function, self.compile_nodes(given.args))


def _is_small_exponent(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int and 0 <= node.value <= MAX_EXPONENT


def _is_never_true_or_false(node: ExpressionNode) -> bool:
    return isinstance(node, ListLiteral | Arithmetic) or (
        isinstance(node, Constant) and not isinstance(node.value, bool)
    )
