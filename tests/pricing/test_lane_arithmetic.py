"""Lanes do what Python's integers do, one by one, or say that they cannot."""

import math
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archbench.pricing.lanes import (
    Diverged,
    Lanes,
    SampledLanes,
    Wide,
    add_lanes,
    holds_somewhere,
    integer_lanes,
    largest_lane,
    make_lanes,
)

OPERATORS = (operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod)
COMPARISONS = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)
numbers = st.integers(-(2**40), 2**40) | st.integers(-3, 3)
rows = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=8)


def listed(value, count):
    return [int(each) for each in np.broadcast_to(value.values if isinstance(value, Lanes) else value, count)]


@given(rows, st.sampled_from(OPERATORS))
def test_arithmetic_is_pythons_or_too_wide(pairs, op):
    a, b = (integer_lanes(np.array(column)) for column in zip(*pairs, strict=True))
    if op in (operator.floordiv, operator.mod) and any(y == 0 for _, y in pairs):
        with pytest.raises(ZeroDivisionError):
            op(a, b)
        return
    try:
        result = op(a, b)
    except Wide:
        assert op is operator.mul
        return
    exact = [op(x, y) for x, y in pairs]
    assert listed(result, len(pairs)) == exact
    assert max(map(abs, exact)) <= result.bound < 2**63


@given(rows, st.sampled_from(OPERATORS), st.booleans())
def test_arithmetic_with_one_number_is_pythons_on_both_sides(pairs, op, reflected):
    column, number = [x for x, _ in pairs], pairs[0][1]
    divided = op in (operator.floordiv, operator.mod)
    if divided and 0 in (column if reflected else [number]):
        return
    try:
        result = (
            op(number, integer_lanes(np.array(column))) if reflected else op(integer_lanes(np.array(column)), number)
        )
    except Wide:
        return
    assert listed(result, len(pairs)) == [op(number, x) if reflected else op(x, number) for x in column]


@given(rows, st.sampled_from(COMPARISONS))
def test_a_comparison_is_plain_where_all_agree_and_lanes_where_not(pairs, op):
    a, b = (integer_lanes(np.array(column)) for column in zip(*pairs, strict=True))
    exact, result = [op(x, y) for x, y in pairs], op(a, b)
    assert isinstance(result, bool) == (len(set(exact)) == 1)
    assert listed(result, len(pairs)) == exact


@given(
    st.lists(
        st.lists(st.integers(0, 2**50), min_size=1, max_size=1)
        | st.lists(st.integers(0, 2**50), min_size=3, max_size=3),
        max_size=6,
    )
)
def test_sums_and_maxima_of_any_shapes_are_lane_by_lane(columns):
    terms = [integer_lanes(np.array(column)) if len(column) > 1 else column[0] for column in columns]
    spread = [column if len(column) == 3 else column * 3 for column in columns]
    assert listed(add_lanes(terms), 3) == [sum(column[lane] for column in spread) for lane in range(3)]
    if terms:
        assert listed(largest_lane(terms), 3) == [max(column[lane] for column in spread) for lane in range(3)]


@pytest.mark.parametrize(
    "widen",
    [
        lambda a: a * a,
        lambda a: a * 2**31 * 2,
        lambda a: a * 2**30 * 2 + a * 2**30 * 2,
        lambda a: a * 2**31 - a * -(2**31) - a,
        lambda a: a + 2**63,
        lambda a: 2**63 // a,
        lambda a: add_lanes([a * 2**30] * 4),
    ],
)
def test_what_could_pass_64_bits_is_said_before_it_is_computed_and_exact_on_pythons_integers(widen):
    column = np.array([2**32, 2**31, 1])
    with pytest.raises(Wide):
        widen(integer_lanes(column))
    assert listed(widen(make_lanes(column, endless=True)), 3) == [widen(int(x)) for x in column]


def test_the_last_number_of_64_bits_is_not_too_wide():
    assert listed(integer_lanes(np.array([2**62, 1])) + (2**62 - 1), 2) == [2**63 - 1, 2**62]


def test_a_float_is_rounded_and_compared_as_pythons():
    widths = [0.1, 0.35, 0.7, 1.0, 3.3]
    wanted = 72 * make_lanes(np.array(widths))
    assert listed(math.floor(wanted + 4) // 8 * 8, 5) == [math.floor(72 * width + 4) // 8 * 8 for width in widths]
    assert listed(0.9 * wanted > 50, 5) == [0.9 * (72 * width) > 50 for width in widths]


def test_an_integer_that_a_float_does_not_hold_meets_none():
    with pytest.raises(Wide):
        integer_lanes(np.array([2**53 + 1, 1])) * make_lanes(np.array([0.5, 1.5]))
    assert listed(
        make_lanes(np.array([2**53 + 1, 1]), endless=True) < make_lanes(np.array([2.0**53, 0.5]), endless=True), 2
    ) == [
        0,
        0,
    ]


def test_lanes_that_are_equal_are_one_number():
    assert make_lanes(np.array([[7], [7]])) == 7
    assert isinstance(make_lanes(np.array([7, 7])), int)
    assert {3: "c3"}[integer_lanes(np.array([3, 3]))] == f"c{integer_lanes(np.array([3, 3]))}"


@pytest.mark.parametrize("use", [bool, range, hash, str, "{}".format, {1: 1}.get, [5, 6].__getitem__])
def test_lanes_that_differ_part_where_one_is_asked_for(use):
    with pytest.raises(Diverged) as parted:
        use(integer_lanes(np.array([0, 1, 0])))
    assert parted.value.key.tolist() in ([0, 1, 0], [False, True, False], [True, False, True])


# --- points drawn from a grid --------------------------------------------------------------------------------------------


def drawn(*columns, rows):
    """Lanes of values along an axis each, drawn at `rows` places."""
    places = np.random.default_rng(0).integers(0, [len(column) for column in columns], (rows, len(columns))).T
    draw = SampledLanes(list(places))
    shapes = np.eye(len(columns), dtype=int)
    made = [
        integer_lanes(np.array(column).reshape([*(1 + (len(column) - 1) * shapes[axis]), 1]), draw)
        for axis, column in enumerate(columns)
    ]
    return made, [[column[place] for place in chosen] for column, chosen in zip(columns, places, strict=True)]


@pytest.mark.parametrize("rows", [4, 9, 40])
def test_drawn_lanes_are_the_grids_while_that_is_smaller_and_the_points_own_after(rows):
    (a, b, c), (x, y, z) = drawn([1, 2, 3], [10, 20, 30], [5, 7, 9, 11], rows=rows)
    together = (a * b + c) * (b + 1) // a
    assert together.points.tolist() == [(i * j + k) * (j + 1) // i for i, j, k in zip(x, y, z, strict=True)]
    assert (a * b).values.size == (9 if rows >= 9 else rows)
    assert together.values.size == (36 if rows >= 36 else rows)
    assert add_lanes([a, b, a * c]).points.tolist() == [i + j + i * k for i, j, k in zip(x, y, z, strict=True)]


def test_what_is_true_of_all_points_is_true_whatever_the_grid_holds_besides():
    draw = SampledLanes([np.array([0, 1]), np.array([0, 1])])
    a, b = integer_lanes(np.array([[[4]], [[6]]]), draw), integer_lanes(np.array([[[2], [3]]]), draw)
    assert not a % b  # 4 % 2 and 6 % 3; no point is 4 % 3
    with pytest.raises(Diverged) as parted:
        bool(a > 5)
    assert parted.value.key.tolist() == [False, True]


def test_a_zero_where_no_point_is_divides_nothing():
    draw = SampledLanes([np.array([0, 0, 1]), np.array([0, 1, 1])])
    a, b = integer_lanes(np.array([[[8]], [[9]]]), draw), integer_lanes(np.array([[[2], [3]]]), draw)
    nowhere = (b - 2) + (9 - a) * (3 - b)  # 0 only at a = 9, b = 2, which is no point
    assert not holds_somewhere(nowhere == 0)
    assert (a // nowhere).points.tolist() == [8 // 1, 8 // 1, 9 // 1]
