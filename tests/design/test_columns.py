"""Expressions over columns: the same as over each row, and never a wrapped integer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_expressions import FRAGMENTS, compiled_or_refused

from archbench.design.expressions.parse import Expression, compile_expression
from archbench.errors import SpecError
from archbench.space.columns import evaluate_columns, evaluate_mask
from archbench.space.points import box_values

BIG = 2**63 - 1
ROWS: dict[str, list[Any]] = {
    "gmacs": [100.5, 0.0, -3.0, 1e300, 0.1, 7.0],
    "neck.channels": [256, 0, -7, BIG, 2**53 + 1, 3],
    "neck.relu": [True, False, True, True, False, False],
    "top_block.type": ["none", "p6p7", "none", None, "maxpool", "none"],
    "backbone.depths": [[3, 4, 6, 3], [1], [], [2, 2], None, [9, 9]],
    "latency_ms": [None, 3, 2.5, True, "x", None],
}
COUNT = 6


def arrays() -> dict[str, Any]:
    return {name: box_values(values, (COUNT,)) for name, values in ROWS.items()}


def row(number: int) -> dict[str, Any]:
    return {name: values[number] for name, values in ROWS.items()}


def each(expression: Expression) -> list[Any] | str:
    """What every row gives by itself, or what the first that cannot says."""
    try:
        return [expression.evaluate(row(number)) for number in range(COUNT)]
    except SpecError as refused:
        return refused.message


def together(expression: Expression) -> list[Any] | str:
    try:
        return list(np.broadcast_to(evaluate_columns(expression, arrays()), (COUNT,)))
    except SpecError as refused:
        return refused.message


def assert_columns_are_rows(text: str) -> None:
    expression = compiled_or_refused(text)
    if isinstance(expression, SpecError):
        return
    alone, at_once = each(expression), together(expression)
    if isinstance(at_once, str) and "does not fit in 64 bits" in at_once:
        assert any(type(value) is int and abs(value) > BIG for value in alone)
        return
    assert at_once == alone, text


@pytest.mark.parametrize(
    "text",
    [
        "neck.channels + 1 > 0",
        "neck.channels * neck.channels > gmacs",
        "neck.channels ** 8 > 5",
        "neck.channels <= 9007199254740992.0",
        "neck.channels == 9007199254740992.0",
        "neck.channels / 3 < 1e18",
        "-neck.channels < neck.channels",
        "abs(neck.channels) // 2 % 5 == 3",
        "gmacs // 2 + gmacs % 0.3 < 3",
        "neck.relu + neck.relu == 2",
        "-neck.relu < 0 or neck.relu == 0",
        "latency_ms != null and latency_ms != 'x' and latency_ms > 2",
        "latency_ms > 2",
        "neck.channels != 0 and 5 / neck.channels > 1",
        "5 / neck.channels > 1",
        "top_block.type in ['none', null]",
        "top_block.type not in ('none', 'p6p7')",
        "0 < neck.channels < 2 ** 8 <= 1000",
        "backbone.depths == [3, 4, 6, 3]",
        "backbone.depths == null or len(backbone.depths) < 2 or backbone.depths[1] > 3",
        "backbone.depths != null and sum(backbone.depths) * 2 > 7",
        "min(neck.channels, gmacs) < 5",
        "max([neck.channels, 3]) - min([1, 2])",
        "sum([neck.channels, 0.5, gmacs])",
        "min(true, 2) == true",
        "not neck.relu and (gmacs > 1 or neck.channels == 3)",
        "neck.relu or unknown",
        "unknown > 3",
        "gmacs and neck.relu",
        "7",
        "'a' == 'a'",
        "[neck.channels, gmacs] == [256, 100.5]",
    ],
)
def test_columns_give_what_each_row_gives(text: str) -> None:
    assert isinstance(compiled_or_refused(text), Expression)
    assert_columns_are_rows(text)


@settings(max_examples=1500, deadline=None)
@example(["neck.channels", " * ", "2.5", " < ", "gmacs", " ** ", "1"])
@given(st.lists(st.sampled_from([*FRAGMENTS, *ROWS]), max_size=12))
def test_columns_give_what_each_row_gives_for_any_heap_of_words(parts: list[str]) -> None:
    assert_columns_are_rows("".join(parts))


names = st.sampled_from(["gmacs", "neck.channels", "neck.relu", "2", "0.5", "-3", "9007199254740993"])
arithmetic = st.recursive(
    names,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner).map(lambda p: f"({' '.join(p)})")
        | st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda p: f"{p[0]}({p[1]}, {p[2]})")
        | inner.map(lambda text: f"abs({text})")
    ),
    max_leaves=6,
)
comparison = st.tuples(arithmetic, st.sampled_from(["<", "<=", "==", "!=", ">="]), arithmetic).map(" ".join)
condition = st.recursive(
    comparison,
    lambda inner: st.tuples(inner, st.sampled_from(["and", "or", "and not"]), inner).map(lambda p: f"({' '.join(p)})"),
    max_leaves=3,
)


@settings(max_examples=600, deadline=None)
@given(condition | arithmetic)
def test_columns_give_what_each_row_gives_for_any_arithmetic(text: str) -> None:
    assert_columns_are_rows(text)


def test_whole_numbers_on_the_way_may_pass_64_bits_and_never_wrap() -> None:
    macs = np.array([2**62, 5])
    assert evaluate_columns(compile_expression("macs * 4 > 2 ** 8"), {"macs": macs}).tolist() == [True, False]
    assert evaluate_columns(compile_expression("macs * 4 // 8"), {"macs": macs}).tolist() == [2**61, 2]


def test_a_result_past_64_bits_is_refused() -> None:
    with pytest.raises(SpecError, match="does not fit in 64 bits") as caught:
        evaluate_columns(compile_expression("macs * 2", "s.yaml:9:5"), {"macs": np.array([1, 2**62])})
    assert caught.value.place == "s.yaml:9:5"


def test_columns_that_are_broad_stay_broad() -> None:
    grid = {
        "a": np.arange(1000).reshape(-1, 1),
        "b": np.arange(2000).reshape(1, -1),
        "c": np.arange(3).reshape(3, 1, 1),
    }
    assert evaluate_columns(compile_expression("a * 2 > 5 and a < 9"), grid).shape == (1000, 1)
    found = evaluate_columns(compile_expression("a > b"), grid)
    assert found.shape == (1000, 2000)
    assert int(found.sum()) == 1000 * 999 // 2


def test_rows_nobody_asked_for_are_not_in_the_way() -> None:
    divided = compile_expression("6 / a > 2")
    values = {"a": np.array([1, 0, 3])}
    assert evaluate_columns(divided, values, np.array([True, False, True])).tolist()[::2] == [True, False]
    with pytest.raises(SpecError, match="a division by zero"):
        evaluate_columns(divided, values)


def test_a_result_past_64_bits_is_not_in_the_way_of_rows_somebody_asked_for() -> None:
    """(2**62)**2 is past them, 2**62 * 1 is not: what is kept stays whole numbers."""
    expression, factor = compile_expression("a * b"), np.array([2**62, 1])
    names = {"a": np.array([2**62, 2**62]), "b": factor}
    found = evaluate_columns(expression, names, np.array([False, True]))
    assert (found.dtype, int(found[1])) == (np.int64, 2**62)
    with pytest.raises(SpecError, match="does not fit in 64 bits"):
        evaluate_columns(expression, names, np.array([True, False]))


def test_a_mask_is_true_or_false() -> None:
    assert evaluate_mask(compile_expression("a > 1"), {"a": np.array([1, 2])}).tolist() == [False, True]
    with pytest.raises(SpecError, match="a: it is 1, neither true nor false; compare it with something"):
        evaluate_mask(compile_expression("a"), {"a": np.array([1, 2])})
    with pytest.raises(SpecError, match="neither true nor false"):
        compile_expression("a").holds({"a": 1})
