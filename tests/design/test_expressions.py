"""The language of constraints: what it computes, and what it refuses with the column, the reason and the way out."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from yardstick import at_most

from archbench.design.expressions.parse import Expression, compile_expression
from archbench.errors import SpecError

VALUES: dict[str, Any] = {
    "gmacs": 100.5,
    "params": 26_799_296,
    "neck.channels": 256,
    "neck.relu": True,
    "top_block.type": "none",
    "backbone.depths": [3, 4, 6, 3],
    "latency_ms": None,
    "nothing": [],
    "huge": 10**400,
}


def evaluated(text: str) -> Any:
    return compile_expression(text).evaluate(VALUES)


def refusal(text: Any) -> str:
    with pytest.raises(SpecError) as caught:
        compile_expression(text, "s.yaml:9:5")
    message = str(caught.value)
    assert message.startswith("s.yaml:9:5: ")
    assert "\n" not in message
    return message


def failure(text: str) -> str:
    expression = compile_expression(text, "s.yaml:9:5")
    with pytest.raises(SpecError) as caught:
        expression.evaluate(VALUES)
    assert caught.value.place == "s.yaml:9:5"
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gmacs <= 180", True),
        ("gmacs <= 100.5 < gmacs", False),
        ("100 < gmacs < 101 <= params", True),
        ("neck.channels in [128, 256]", True),
        ("neck.channels not in (128, 256)", False),
        ("top_block.type == 'none' and not neck.relu", False),
        ("top_block.type == 'p6p7' or neck.relu", True),
        ("top_block.type < 'p6p7'", True),
        ("neck.relu == true", True),
        ("latency_ms == null", True),
        ("latency_ms != None and latency_ms > 3", False),
        ("backbone.depths[2]", 6),
        ("backbone.depths[-1]", 3),
        ("backbone.depths == [3, 4, 6, 3]", True),
        ("backbone.depths == (3, 4, 6, 3)", True),
        ("len(backbone.depths) + len('abc')", 7),
        ("sum(backbone.depths)", 16),
        ("sum(nothing)", 0),
        ("min(backbone.depths) + max(1, 2.5) + abs(-4)", 9.5),
        ("7 // 2 + 7 % 4 - 1 / 2", 5.5),
        ("2 ** 8 * 3", 768),
        ("-neck.channels", -256),
        ("neck.channels * 2 > 511", True),
    ],
)
def test_an_expression_computes_what_it_says(text: str, expected: object) -> None:
    assert evaluated(text) == expected
    assert type(evaluated(text)) is type(expected)


def test_names_are_listed_once_in_order_with_their_dots() -> None:
    expression = compile_expression("b.c[0] < a and (a + min(d, [e]) > 1 or not f == b.c[1])")
    assert expression.names == ("b.c", "a", "d", "e", "f")


def test_the_text_and_the_place_are_kept() -> None:
    expression = compile_expression(" gmacs <\n 3\n", "s.yaml:9:5")
    assert (expression.text, expression.place) == (" gmacs <\n 3\n", "s.yaml:9:5")
    assert expression.evaluate({"gmacs": 2}) is True


def test_a_dotted_name_is_looked_up_whole_and_never_an_attribute() -> None:
    assert compile_expression("a.__class__").evaluate({"a": 1, "a.__class__": 5}) == 5
    assert "there is no gmacs.real here" in failure("gmacs.real")


def test_words_of_yaml_win_over_values_of_the_same_name() -> None:
    assert compile_expression("true").evaluate({"true": 0}) is True
    assert compile_expression("null").names == ()


def test_and_and_or_stop_at_the_operand_that_decides() -> None:
    assert evaluated("neck.relu or unknown") is True
    assert evaluated("not neck.relu and unknown") is False


@pytest.mark.parametrize(
    ("text", "what", "way_out"),
    [
        ("gmacs + f(1)", "calling f is not allowed at column 9", "there are min, max, sum, len, abs"),
        ("mim(1)", "calling mim is not allowed at column 1", "Did you mean min?"),
        ("a.b(1)", "calling a.b is not allowed at column 1", "there are min"),
        ("__import__('os')", "calling __import__ is not allowed at column 1", "there are min"),
        ("max(1, key=2)", "a named argument of max is not allowed at column 1", "write the value alone"),
        ("max(*a)", "a starred item is not allowed at column 5", "write the items out"),
        ("sum(1, 2)", "sum of 2 arguments is not allowed at column 1", "give it one"),
        ("min()", "min of 0 arguments is not allowed at column 1", "give it one"),
        ("(1).real", "the attribute .real is not allowed at column 1", "only names have dots"),
        ("''.__class__", "the attribute .__class__ is not allowed at column 1", "only names have dots"),
        ("a[0].b", "the attribute .b is not allowed at column 1", "only names have dots"),
        ("a[1:2]", "a slice is not allowed at column 3", "take one index at a time"),
        ("a[b]", "the index b is not allowed at column 3", "an index is an integer"),
        ("a[true]", "the index true is not allowed at column 3", "an index is an integer"),
        ("a ** 9", "the exponent 9 is not allowed at column 6", "an integer from 0 to 8"),
        ("a ** -1", "the exponent -1 is not allowed at column 6", "an integer from 0 to 8"),
        ("2 ** a", "the exponent a is not allowed at column 6", "an integer from 0 to 8"),
        ("2 ** True", "the exponent True is not allowed at column 6", "an integer from 0 to 8"),
        ("a & b", "the operator & is not allowed at column 1", "write `and`"),
        ("a | b", "the operator | is not allowed at column 1", "write `or`"),
        ("1 << 9", "the operator of `1 << 9` is not allowed at column 1", "there are + - * / // % **"),
        ("~a", "the operator ~ is not allowed at column 1", "write `not`"),
        ("+a", "a leading + is not allowed at column 1", "leave it out"),
        ("a is null", "`is` is not allowed at column 1", "write =="),
        ("a in b", "`in` b is not allowed at column 6", "write the list out"),
        ("1 if a else 2", "if/else is not allowed at column 1", "write and/or"),
        ("a == 50 or 101", "101 beside `or` is not allowed at column 12", "write a whole comparison"),
        ("not 'x'", "'x' beside `not` is not allowed at column 5", "write a whole comparison"),
        ("[x for x in a]", "`[x for x in a]` is not allowed at column 1", "an expression has names"),
        ("{1: 2}", "`{1: 2}` is not allowed at column 1", "an expression has names"),
        ("lambda: 1", "lambda is not allowed at column 1", "write the comparison itself"),
        ("f'{a}'", "an f-string is not allowed at column 1", "write plain text"),
        ("(a := 1)", "the operator := is not allowed at column 2", "compare with =="),
        ("1j", "1j is not allowed at column 1", "write a number"),
        ("b'x'", "b'x' is not allowed at column 1", "write a number"),
        ("  'é' == 1j", "1j is not allowed at column 10", "write a number"),
        ("1e999", "a number over 2**200 is not allowed at column 1", ""),
        ("9" * 100, "a number over 2**200 is not allowed at column 1", ""),
        ("\uff4eeck > 1", "the name \uff4eeck is not allowed at column 1", "write neck in plain letters"),
        ("a = 1", "not an expression at column 3", "write for example `gmacs <= 180"),
        ("a <", "not an expression at column", "write for example"),
        ("(a", "not an expression at column 1 ('(' was never closed)", "write for example"),
        ("1if", "not an expression at column 1", "write for example"),
        ("'\\d'", "not an expression at column", "write for example"),
        ("", "'': not an expression", "write for example"),
        ("a\0", "not an expression", "write for example"),
        ("\ud800", "not an expression", "write for example"),
    ],
)
def test_what_is_not_allowed_is_named_with_its_column(text: str, what: str, way_out: str) -> None:
    message = refusal(text)
    assert what in message
    assert way_out in message


@pytest.mark.parametrize("given", [3, None, True, ["gmacs < 3"], {"gmacs": 3}, b"gmacs"])
def test_only_text_is_an_expression(given: Any) -> None:
    assert "not an expression; write for example" in refusal(given)


@pytest.mark.parametrize("text", ["-" * 2**20, "(" * 2**20, "a" * 1001, "1" + "+1" * 2**19])
def test_a_long_text_is_refused_before_it_is_parsed(text: str) -> None:
    assert "over 1,000 characters; shorten it" in refusal(text)


@pytest.mark.parametrize(
    "text", ["-" * 999 + "1", "not " * 200 + "a", "1" + "+1" * 400, "(" * 60 + "-" * 60 + "a" + ")" * 60]
)
def test_nesting_deeper_than_50_is_refused(text: str) -> None:
    assert "nesting deeper than 50 is not allowed" in refusal(text)


def test_brackets_beyond_the_parser_are_refused() -> None:
    assert "too many nested parentheses" in refusal("(" * 500)


def test_nesting_to_50_is_computed() -> None:
    assert evaluated("-" * 49 + "1") == -1


def test_a_nested_chain_computes_each_operand_once() -> None:
    """2 ** 45 evaluations if a chain were rewritten as `a < b and b < c`."""
    with at_most(1):
        assert evaluated("1 <= (" * 45 + "true" + ") <= 1" * 45) is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "nek.channels",
            "nek.channels: there is no nek.channels here; quote it if it is a word. Did you mean neck.channels?",
        ),
        ("gmacs / 0 > 1", "gmacs / 0 > 1: gmacs / 0: a division by zero"),
        ("1 // 0", "1 // 0: a division by zero"),
        ("1 % 0", "1 % 0: a division by zero"),
        ("'a' < 1", "'a' < 1: < compares two numbers or two texts; given 'a' and 1"),
        ("[1] < [2]", "[1] < [2]: < compares two numbers or two texts; given [1] and [2]"),
        (
            "top_block.type >= 3",
            "top_block.type >= 3: >= compares two numbers or two texts; given top_block.type ('none') and 3",
        ),
        ("latency_ms < 3", "latency_ms < 3: latency_ms is null; test it first with `!= null and`"),
        ("3 >= latency_ms", "3 >= latency_ms: latency_ms is null; test it first with `!= null and`"),
        ("latency_ms + 3", "latency_ms + 3: latency_ms is null; test it first with `!= null and`"),
        ("not latency_ms", "not latency_ms: latency_ms is null; test it first with `!= null and`"),
        ("top_block.type * 3", "top_block.type * 3: top_block.type ('none') is not a number"),
        ("backbone.depths * 3", "backbone.depths * 3: backbone.depths ([3, 4, 6, 3]) is not a number"),
        ("'a' + 'b'", "'a' + 'b': 'a' is not a number"),
        ("-'a'", "-'a': 'a' is not a number"),
        (
            "gmacs and neck.relu",
            "gmacs and neck.relu: `and` takes true or false, not gmacs (100.5); compare it with something",
        ),
        ("backbone.depths[4]", "backbone.depths[4]: backbone.depths has 4 items, counted from 0"),
        ("gmacs[0]", "gmacs[0]: gmacs (100.5) is not a list; leave the index out"),
        ("min(nothing)", "min(nothing): the list is empty and has no min"),
        (
            "max(top_block.type)",
            "max(top_block.type): top_block.type ('none') is not a list; max takes one, or several numbers",
        ),
        ("sum([1, 'a'])", "sum([1, 'a']): an item of sum([1, 'a']) ('a') is not a number"),
        (
            "min(1, latency_ms)",
            "min(1, latency_ms): an item of min(1, latency_ms) is null; test it first with `!= null and`",
        ),
        ("len(3)", "len(3): 3 is not a list or a text; len takes one"),
        ("abs('a')", "abs('a'): 'a' is not a number"),
    ],
)
def test_what_cannot_be_computed_says_why(text: str, message: str) -> None:
    assert failure(text) == message


def test_a_missing_name_without_a_near_one_lists_what_there_is() -> None:
    assert "There are gmacs, params, neck.channels" in failure("zzzzzz > 1")


@pytest.mark.parametrize(
    "text", ["(10 ** 8) ** 8", "huge * 2", "huge + 1.5", "huge - 1", "sum([huge])", "(1e60 ** 8) ** 8", "1e60 * 1e60"]
)
def test_a_result_over_2_to_the_200_is_refused(text: str) -> None:
    assert "the result is over 2**200" in failure(text)


def test_a_result_of_2_to_the_200_is_computed() -> None:
    assert evaluated("(2 ** 5) ** 8 * (2 ** 5) ** 8 * (2 ** 5) ** 8 * (2 ** 5) ** 8 * (2 ** 5) ** 8") == 2**200


def test_values_given_are_not_changed() -> None:
    values = {"a": [[1], 2]}
    assert compile_expression("a").evaluate(values) == ((1,), 2)
    assert values == {"a": [[1], 2]}


FRAGMENTS = [
    "gmacs", "neck.channels", "backbone.depths", "latency_ms", "none", "1", "0", "2.5", "'a'", " + ", " - ", " * ", " / ", " // ",
    " % ", " ** ", " < ", " == ", " in ", " not ", " and ", " or ", "(", ")", "[", "]", ",", "min(", "sum(", "len(", "[0]",
    "huge", "lambda: ", " if ", "é", "\\", "#", "\n", "\0", "{", "}", ".", "=", "true", "null", "f'",
]  # fmt: skip


def compiled_or_refused(text: str) -> Expression | SpecError:
    try:
        return compile_expression(text, "here")
    except SpecError as refused:
        return refused


def evaluated_or_refused(expression: Expression) -> Any:
    try:
        return expression.evaluate(VALUES)
    except SpecError as refused:
        return refused


def assert_an_expression_or_a_spec_error(text: str) -> None:
    outcome = compiled_or_refused(text)
    if isinstance(outcome, Expression):
        outcome = evaluated_or_refused(outcome)
    if isinstance(outcome, SpecError):
        assert outcome.place == "here"
        assert "\n" not in str(outcome)


@settings(max_examples=300)
@example("\x0c1")
@example("# -*- coding: utf-16 -*-\n1")
@given(st.text(max_size=1100))
def test_any_text_is_an_expression_or_a_spec_error(text: str) -> None:
    assert_an_expression_or_a_spec_error(text)


@settings(max_examples=600)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=14))
def test_any_heap_of_words_is_an_expression_or_a_spec_error(parts: list[str]) -> None:
    assert_an_expression_or_a_spec_error("".join(parts))


numbers = st.integers(0, 1000).map(str) | st.floats(0, 1000).map(repr)
arithmetic = st.recursive(
    numbers,
    lambda inner: st.tuples(inner, st.sampled_from("+-*/%"), inner).map(lambda parts: f"({' '.join(parts)})"),
    max_leaves=8,
)


@given(arithmetic, st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), arithmetic)
def test_arithmetic_and_comparisons_are_those_of_python(left: str, symbol: str, right: str) -> None:
    text = f"{left} {symbol} {right}"
    try:
        expected = eval(text)
    except (ZeroDivisionError, OverflowError):
        assert isinstance(evaluated_or_refused(compile_expression(text)), SpecError)
        return
    ours = evaluated_or_refused(compile_expression(text))
    assert ours is expected or "over 2**200" in str(ours) or math.isinf(eval(left))
