"""An integer that is many: one lane a variant, so that one recording of a network prices all of them.

Lanes are arrays that broadcast. What varies along one axis of a grid has length one along all others, so a node's cost is
a few numbers however many variants there are; only the last sums are as broad as the grid. They count in 64 bits, and
beside each array goes a bound on its magnitude, in Python's own integers: what could pass 64 bits raises `Wide` before it
is computed, and is then done once more on Python's integers, which do not end.

Points of a sample are lanes on the grid that their columns span (`SampledLanes`): counts stay as small as a grid's, until
there would be more of them than points; then each point has its own.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

INT64_MAX = 2**63 - 1
FLOAT_EXACT = 2**53  # up to here float64 has every integer

Array = NDArray[Any]
Bound = int | None
BoundOf = Callable[[int, int], int]  # the bound of a result, by the bounds of its operands


class Diverged(Exception):
    """A model function branched on a value that differs between lanes: they part by `key`, of equal values together."""

    def __init__(self, key: Array) -> None:
        self.key = key


class Wide(Exception):
    """A count might not fit in 64 bits."""


class SampledLanes:
    """The points of a sample as places on a grid: the n-th point is at `codes[axis][n]` of each axis.

    Arrays of its lanes have one dimension more than the grid, the last. An array that has length one there is on the grid;
    one that has length one along all other dimensions has a value a point.
    """

    def __init__(self, codes: Sequence[Array]) -> None:
        self.codes, self.rows = tuple(codes), len(codes[0])
        self._places: dict[tuple[int, ...], Array] = {}

    def take_points(self, values: Array) -> Array:
        """An array on the grid as one of the points."""
        if values.shape[-1] > 1:
            return values
        return values.reshape(-1).take(self._places_on(values.shape)).reshape((1,) * (values.ndim - 1) + (self.rows,))

    def align_arrays(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Two arrays, both on the grid while what they make together is smaller than the points."""
        together = math.prod(map(max, x.shape, y.shape))
        if x.shape[-1] == y.shape[-1] == 1 and together <= self.rows:
            return x, y
        return self.take_points(x), self.take_points(y)

    def _places_on(self, shape: tuple[int, ...]) -> Array:
        if shape not in self._places:
            places = np.zeros(self.rows, np.intp)
            for codes, length in zip(self.codes, shape, strict=False):
                if length > 1:
                    places = places * length + codes
            self._places[shape] = places
        return self._places[shape]


def _operators(ufunc: np.ufunc, bound: BoundOf, prepare: Callable[[Any], Any] = lambda divisor: divisor) -> Any:
    """An arithmetic operator of lanes, and the same with its operands exchanged."""
    return (
        lambda self, other: _combine_lanes(ufunc, self, prepare(other), bound),
        lambda self, other: _combine_lanes(ufunc, other, prepare(self), bound),
    )


def _comparison(ufunc: np.ufunc) -> Any:
    return lambda self, other: _compare_lanes(ufunc, self, other)


def _check_divisor(divisor: Any) -> Any:
    """A divisor without a zero, even at places of the grid where no point is."""
    if holds_somewhere(divisor == 0):
        raise ZeroDivisionError("some lanes are divided by zero")
    if isinstance(divisor, Lanes) and divisor.draw is not None and not divisor.values.all():
        return Lanes(divisor.draw.take_points(divisor.values), divisor.bound, divisor.draw)
    return divisor


class Lanes:
    """Numbers, one a lane. `bound`: no magnitude is above it; null for floats and for Python's integers in an object array.

    A comparison that all lanes agree on is plainly true or false. A branch, a loop, an index or a word made of lanes that
    differ raises Diverged. `draw` is the sample that all lanes of one program belong to, if any.
    """

    __slots__ = ("bound", "draw", "values")

    def __init__(self, values: Array, bound: Bound = None, draw: SampledLanes | None = None) -> None:
        self.values, self.bound, self.draw = values, bound, draw

    @property
    def points(self) -> Array:
        """The values of the points that there are, one dimension an axis of theirs."""
        return self.values if self.draw is None else self.draw.take_points(self.values).reshape(-1)

    __add__, __radd__ = _operators(np.add, operator.add)
    __sub__, __rsub__ = _operators(np.subtract, operator.add)
    __floordiv__, __rfloordiv__ = _operators(np.floor_divide, lambda p, q: p, _check_divisor)
    __mod__, __rmod__ = _operators(np.remainder, lambda p, q: q, _check_divisor)
    __eq__, __ne__ = _comparison(np.equal), _comparison(np.not_equal)
    __lt__, __le__ = _comparison(np.less), _comparison(np.less_equal)
    __gt__, __ge__ = _comparison(np.greater), _comparison(np.greater_equal)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, int) and other in (0, 1):
            return self if other else 0
        return _combine_lanes(np.multiply, self, other, operator.mul)

    __rmul__ = __mul__

    def __floor__(self) -> Lanes:
        if self.values.dtype == object:
            return Lanes(np.frompyfunc(math.floor, 1, 1)(self.values), None, self.draw)
        return integer_lanes(np.floor(self.values).astype(np.int64), self.draw)

    def __bool__(self) -> bool:
        if (agreed := _common_truth(self.values)) is not None:  # on the grid, where that is quickly seen
            return agreed
        truths = self.points.astype(bool)
        if (agreed := _common_truth(truths)) is not None:
            return agreed
        raise Diverged(truths)

    def __index__(self) -> int:
        values = self.points
        alike = np.asarray(values == values.flat[0], dtype=bool)
        if alike.all():
            return int(values.flat[0])
        raise Diverged(values if self.bound is not None else alike)

    __int__ = __index__

    def __hash__(self) -> int:
        return hash(self.__index__())

    def __repr__(self) -> str:
        return str(self.__index__())

    def __format__(self, how: str) -> str:
        return format(self.__index__(), how)


def integer_lanes(values: Array, draw: SampledLanes | None = None) -> Lanes:
    """Lanes of 64-bit integers, bounded by the greatest magnitude among them."""
    return Lanes(values, max(abs(int(values.min())), abs(int(values.max()))), draw)


def make_lanes(values: Array, draw: SampledLanes | None = None, *, endless: bool = False) -> Any:
    """A knob of 64-bit integers or floats as a program takes it: one number where all are equal, else lanes.

    endless  on Python's own numbers
    """
    first = values.flat[0]
    if (values == first).all():
        return first.item()
    if endless:
        return Lanes(values.astype(object), None, draw)
    return integer_lanes(values, draw) if values.dtype == np.int64 else Lanes(values, None, draw)


def group_by_identity(pairs: Iterable[tuple[Any, Any]]) -> Iterable[tuple[Any, list[Any]]]:
    """Second members by the very object that is the first: lanes that only equal others are a group of their own."""
    groups: dict[int, tuple[Any, list[Any]]] = {}
    for first, second in pairs:
        groups.setdefault(id(first), (first, []))[1].append(second)
    return groups.values()


def holds_somewhere(truth: Any) -> bool:
    """Whether a comparison holds in some lane."""
    return bool(truth.points.any()) if isinstance(truth, Lanes) else bool(truth)


def _fold_terms(ufunc: np.ufunc, fold: BoundOf, terms: Iterable[Any]) -> Any:
    """The ufunc over integers and lanes, those of one shape first: only the last results are broad.

    `fold` is the same on two integers, and on two bounds.
    """
    plain, shaped = 0, dict[tuple[int, ...], Lanes]()
    for term in terms:
        if isinstance(term, Lanes):
            shape = term.values.shape
            shaped[shape] = _combine_lanes(ufunc, shaped[shape], term, fold) if shape in shaped else term
        else:
            plain = fold(plain, term)
    total: Any = plain
    for shape in sorted(shaped, key=math.prod):
        total = _combine_lanes(ufunc, total, shaped[shape], fold) if total is not plain or plain else shaped[shape]
    return total


add_lanes = partial(_fold_terms, np.add, operator.add)
largest_lane = partial(_fold_terms, np.maximum, max)  # of at least one number, none of them negative


def _combine_lanes(ufunc: np.ufunc, a: Any, b: Any, bound: BoundOf) -> Lanes:
    """The ufunc lane by lane, after its bound has been seen to fit."""
    (x, p), (y, q), draw = _align_operands(a, b)
    if p is None or q is None:
        _refuse_inexact(x, p, y, q)
        return Lanes(ufunc(x, y), None, draw)
    limit = bound(p, q)
    if limit > INT64_MAX or p > INT64_MAX or q > INT64_MAX:
        raise Wide
    return Lanes(ufunc(x, y), limit, draw)


def _compare_lanes(ufunc: np.ufunc, a: Lanes, b: Any) -> Any:
    if not isinstance(b, (Lanes, int, float)):
        return NotImplemented
    (x, p), (y, q), draw = _align_operands(a, b)
    _refuse_inexact(x, p, y, q)
    truths = np.asarray(ufunc(x, y), dtype=bool)
    if (agreed := _common_truth(truths)) is not None:
        return agreed
    return Lanes(truths.astype(np.int64), 1, draw)


def _common_truth(truths: Array) -> bool | None:
    """The truth value that all of them have; null where they differ."""
    some = np.count_nonzero(truths)
    return bool(some) if some in (0, truths.size) else None


def _refuse_inexact(x: Any, p: Bound, y: Any, q: Bound) -> None:
    """An integer meets floats as a float: Wide where that is not the integer exactly. Python's own numbers never are."""
    for bound, beside, other in ((p, q, y), (q, p, x)):
        floats = beside is None and getattr(other, "dtype", np.float64) == np.float64
        if bound is not None and floats and bound > FLOAT_EXACT:
            raise Wide


def _align_operands(a: Any, b: Any) -> tuple[tuple[Any, Bound], tuple[Any, Bound], SampledLanes | None]:
    """The values of both, ready to be combined, with their bounds; and the sample, if any, that they belong to."""
    if not isinstance(a, Lanes):
        return _with_bound(a), (b.values, b.bound), b.draw
    if not isinstance(b, Lanes):
        return (a.values, a.bound), _with_bound(b), a.draw
    x, y = (a.values, b.values) if a.draw is None else a.draw.align_arrays(a.values, b.values)
    return (x, a.bound), (y, b.bound), a.draw


def _with_bound(number: float) -> tuple[float, Bound]:
    return number, abs(number) if isinstance(number, int) else None
