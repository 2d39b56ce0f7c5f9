"""The points of a spec as columns: its grid, or the points drawn from it, and the rows of it that are variants.

A point is a variant where every `when` allows it, no `exclude` holds, and no earlier point is the same network. The first two
are masks, each only as broad as the axes that its expression names. A row's network is one integer, put together from the
numbers of its sections (`identity.py`): duplicates are found by sorting these integers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from archbench import units
from archbench.design.expressions.parse import Expression
from archbench.design.spec.axes import MAX_LISTS, Axis, Product, order_axes
from archbench.design.spec.spec import Exclusion, Spec
from archbench.design.variants import check_size, count_raw, make_variant, walked_axes
from archbench.errors import SpecError
from archbench.pricing.lanes import INT64_MAX
from archbench.space.columns import evaluate_mask
from archbench.space.constraints import Funnel
from archbench.space.identity import REFUSED, make_sections, number_sections
from archbench.space.points import (
    ALL,
    UNSET,
    Array,
    CodedColumn,
    Codes,
    Key,
    Mask,
    Points,
    ValueNumbering,
    combine_codes,
    make_points,
)
from archbench.space.samplers import sample_positions

ROWS = 1 << 18  # of a chunk: a few columns of it fit a core's cache
MAX_POINTS = 20_000_000  # of a grid that is walked: a minute of pricing; more are sampled
MAX_BYTES = 2 << 30  # of memory that the points of one space take beside what a chunk does
POINT_BYTES = 68  # of a point while keys are compared: the key, its order, both once more, and flags
LIST_BYTES = 400  # of one list of a product: as it is, as it is validated, as text, and its numbers


class DesignSpace:
    """The points of a spec and which of them are variants. Raises SpecError, at the place, for too many and for a point that is
    no network.

    counts         what became of the points before any constraint
    extras         the reference and the included variants, beside the grid
    variants       of each row of the grid whether it is a variant; `extra_variants` of each row of the extras
    reference_row  the row whose network is the reference's, rows of the extras counted after the grid's
    """

    def __init__(self, spec: Spec) -> None:
        drawn = bool(spec.axes and spec.sample and spec.sample.method != "grid")
        _check_room(spec, drawn=drawn)
        self.spec = spec
        self.extras = make_points([spec.reference, *spec.include])
        self.grid, there = _sample_points(spec) if drawn else _lay_out(walked_axes(spec))
        wanted = there & ~self._join_masks(_find_excluded(spec.exclude, self.grid))
        self.sections = make_sections(spec, [*self.grid.columns, *self.extras.columns])
        traits = list(number_sections(self.sections.values(), self.grid, self.extras))
        self._check_networks(wanted, traits)
        keys, extra_keys = _make_keys(traits)
        self._find_variants(wanted, np.broadcast_to(keys, self.grid.shape).reshape(-1), extra_keys)
        found, kept = int(self.variants.sum()), int(self.extra_variants[1:].sum())
        raw, listed = len(there) if drawn else int(there.sum()), len(spec.include)
        self.counts = Funnel(
            raw=raw + listed,
            excluded=int(there.sum()) - int(wanted.sum()),
            duplicates=int(wanted.sum()) - found + listed - kept,
            collapsed_draws=raw - int(there.sum()),
            refused={},
            kept=found + int(self.extra_variants.sum()),
        )

    def _join_masks(self, masks: Sequence[Mask]) -> Mask:
        """The rows of the grid for which some mask holds."""
        return np.broadcast_to(reduce(np.logical_or, masks, np.zeros((), bool)), self.grid.shape).reshape(-1)

    def _check_networks(self, wanted: Mask, traits: Sequence[tuple[Codes, Codes, int]]) -> None:
        """Refuse a wanted point with a part that cannot be, in the words of its own variant."""
        refused = wanted & self._join_masks([codes == REFUSED for codes, _, _ in traits])
        if refused.any():
            make_variant(self.spec, self.grid.assignment(int(refused.argmax())))
            raise AssertionError("a section was refused and its variant is not")
        for point in (*self.spec.include, self.spec.reference):
            make_variant(self.spec, point)

    def _find_variants(self, wanted: Mask, keys: Key, extra_keys: Key) -> None:
        """The first wanted row of every key; of the extras those that are no such row and no earlier one, the reference last."""
        rows = np.flatnonzero(wanted)
        distinct, first = np.unique(keys[rows], return_index=True)
        self.variants = np.zeros_like(wanted)
        self.variants[rows[first]] = True
        shared = np.flatnonzero(np.isin(distinct, extra_keys))
        row_of = dict(zip(distinct[shared].tolist(), rows[first[shared]].tolist(), strict=True))
        self.extra_variants = np.zeros(len(extra_keys), bool)
        for extra in [*range(1, len(extra_keys)), 0]:
            row = row_of.setdefault(int(extra_keys[extra]), len(wanted) + extra)
            self.extra_variants[extra] = row == len(wanted) + extra
        self.reference_row = row_of[int(extra_keys[0])]

    def chunks(self, rows: int = ROWS) -> Iterator[Points]:
        """Sub-grids in C order, then the reference and the included variants, each with the rows that are variants.

        The reference is the first row of the last chunk, and wanted there where no other row is it. A chunk of which nothing
        is wanted is left out. The columns of a sub-grid stay as broad as the axes they hang on.
        """
        first = 0
        for slices in _sub_grids(self.grid.shape, rows):
            shape = tuple(each.stop - each.start for each in slices)
            kept = self.variants[first : first + math.prod(shape)].reshape(shape)
            if kept.any():
                columns = tuple(_column_of(column, slices, rows) for column in self.grid.columns)
                yield Points(shape, columns, ALL if kept.all() else kept, first)
            first += math.prod(shape)
        if self.extra_variants.any():
            yield replace(self.extras, kept=self.extra_variants, first=first)


def _check_room(spec: Spec, *, drawn: bool) -> None:
    """Refuse a spec of too many points, or of lists, in number or in the memory they need, before any of it is taken."""
    check_size(spec, MAX_POINTS)
    points, axes = count_raw(spec), walked_axes(spec)
    for axis in () if drawn else axes:
        if axis.size > MAX_LISTS:
            raise SpecError(
                f"axes.{axis.key}: {axis.size:,} lists are more than the {MAX_LISTS:,} of one product that is walked; sample "
                "them, `sample: {method: sobol, n: 1000}`, or shorten its lists",
                spec.place(axis.key),
            )
    lists = sum(min(axis.size, points) for axis in axes if isinstance(axis.values, Product))
    if (needed := points * POINT_BYTES + lists * LIST_BYTES) > MAX_BYTES:
        raise SpecError(
            f"axes: {points:,} variants of {lists:,} lists take {needed / units.GIB:.1f} GiB of memory, more than the "
            f"{MAX_BYTES / units.GIB:.0f} GiB of one spec; sample fewer, `sample: {{method: sobol, n: 1000}}`, or shorten "
            "the axes",
            spec.place("sample" if spec.sample else "axes"),
        )


def _lay_out(axes: Sequence[Axis]) -> tuple[Points, Mask]:
    """The whole grid, and the rows that are there: an axis that does not apply counts once."""
    if not axes:
        return Points((1,), ()), np.ones(1, bool)
    shape = tuple(axis.size for axis in axes)
    positions = np.ix_(*(np.arange(size) for size in shape))
    there: list[Mask] = []
    columns = _make_columns(axes, positions, there)
    return Points(shape, columns), np.broadcast_to(reduce(np.logical_and, there, np.ones((), bool)), shape).reshape(-1)


def _sample_points(spec: Spec) -> tuple[Points, Mask]:
    """The draws of a sample, and the rows that are the first on their point."""
    assert spec.sample is not None
    assert spec.sample.n is not None
    columns = _make_columns(spec.axes, sample_positions(spec.axes, spec.sample), [])
    key, _ = combine_codes([(column.codes, len(column.values)) for column in columns])
    first = np.zeros(spec.sample.n, bool)
    first[np.unique(np.broadcast_to(key, first.shape), return_index=True)[1]] = True
    return Points((spec.sample.n,), columns), first


def _make_columns(
    axes: Sequence[Axis], positions: Sequence[NDArray[np.int64]], there: list[Mask]
) -> tuple[CodedColumn, ...]:
    """A column a path. Where an axis does not apply it is unset; in a grid only its first position is `there` then."""
    made: dict[int, list[CodedColumn]] = {}
    for dim in order_axes(axes):
        axis, position = axes[dim], positions[dim]
        if axis.when is not None:
            read = [column for columns in made.values() for column in columns if column.path in axis.when.names]
            applies = evaluate_mask(axis.when, {column.path: column.value_array() for column in read})
            there.append(applies | (position == 0))
            position = np.where(applies, position, UNSET)
        made[dim] = _axis_columns(axis, position)
    return tuple(column for dim in range(len(axes)) for column in made[dim])


def _axis_columns(axis: Axis, position: NDArray[np.int64]) -> list[CodedColumn]:
    """The columns of one axis: only the levels that are there are made."""
    used = np.unique(position[position != UNSET])
    level = np.where(position == UNSET, used.size, np.searchsorted(used, position))
    levels = [axis.values[int(place)] for place in used]
    columns = []
    for number, path in enumerate(axis.paths):
        numbering = ValueNumbering()
        table = [*(numbering.number(values[number]) for values in levels), UNSET]
        columns.append(CodedColumn(path, numbering.values, np.array(table, np.int32)[level]))
    return columns


def _find_excluded(exclude: Sequence[Exclusion], points: Points) -> list[Mask]:
    """Where each `exclude` holds, as broad as the axes it reads."""
    columns = {column.path: column for column in points.columns}
    masks: list[Mask] = []
    for item in exclude:
        if isinstance(item, Expression):
            names = {path: columns[path].value_array() for path in item.names}
            masks.append(_where_it_holds(item, names, masks))
        else:
            agreeing = [
                np.array([*(given == value for given in columns[path].values), False])[columns[path].codes]
                for path, value in item.items()  # unset agrees with nothing
            ]
            masks.append(reduce(np.logical_and, agreeing))
    return masks


def _where_it_holds(item: Expression, names: Mapping[str, Array], before: Sequence[Mask]) -> Mask:
    """Where an expression holds; it is not asked about a point that an earlier `exclude` took."""
    try:
        return evaluate_mask(item, names)
    except SpecError:
        if not before:
            raise
    return evaluate_mask(item, names, ~reduce(np.logical_or, before))


def _make_keys(traits: Sequence[tuple[Codes, Codes, int]]) -> tuple[Key, Key]:
    """One number a point of the grid, as broad as the axes that networks hang on, and one a row of the extras.

    They are equal where the numbers of all traits are.
    """
    key, extra, bound = np.zeros(1, np.int64), np.zeros_like(traits[0][1], np.int64), 1
    for codes, extra_codes, count in sorted(traits, key=lambda trait: trait[0].size):  # the broad ones last
        if count < 2:
            continue
        if bound * (count + 1) > INT64_MAX:  # as many as there are points, at most
            distinct, both = np.unique(np.concatenate([key.reshape(-1), extra]), return_inverse=True)
            key, extra, bound = both[: key.size].reshape(key.shape), both[key.size :], distinct.size
        key, extra = key * (count + 1) + (codes + 1), extra * (count + 1) + (extra_codes + 1)
        bound *= count + 1
    return key, extra


def _sub_grids(shape: Sequence[int], rows: int) -> Iterator[tuple[slice, ...]]:
    """Sub-grids of at most `rows` points in C order: one place of the slow axes, a run of one, all of the fast."""
    cut, inner = len(shape), 1
    while cut > 1 and inner * shape[cut - 1] <= rows:
        cut -= 1
        inner *= shape[cut]
    run = max(1, rows // inner)
    lead = [[slice(place, place + 1) for place in range(size)] for size in shape[: cut - 1]]
    runs = [slice(place, min(place + run, shape[cut - 1])) for place in range(0, shape[cut - 1], run)]
    rest = [[slice(0, size)] for size in shape[cut:]]
    return itertools.product(*lead, runs, *rest)


def _column_of(column: CodedColumn, slices: Sequence[slice], rows: int) -> CodedColumn:
    """A column at a sub-grid, with no more values than `rows` if there are more; along an axis of one place it is all of it."""
    codes = column.codes.reshape((1,) * (len(slices) - column.codes.ndim) + column.codes.shape)
    cut = codes[tuple(slice(None) if size == 1 else each for size, each in zip(codes.shape, slices, strict=True))]
    part = CodedColumn(column.path, column.values, cut)
    return part.drop_unused() if len(column.values) > rows else part
