"""The points of a spec as columns: its grid in sub-grids, or what is drawn of it, and which of them are wanted.

Whether a point is wanted hangs on few axes at a time: on those one `when` or `exclude` reads, or one section of a network
(`sections`). Axes that nothing ties together are counted by multiplication, and a mask is as broad as the axes it
hangs on. Whether a point is the first of its network can be seen tie by tie: the first, in C order, of a product of sets
is the first of each.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archbench.design.expressions.parse import Expression
from archbench.design.spec.axes import MAX_LISTS, Axis, Product, order_axes
from archbench.design.spec.spec import Exclusion, Spec
from archbench.design.variants import check_size, make_variant, walked_axes
from archbench.errors import SpecError
from archbench.space.columns import evaluate_mask
from archbench.space.identity import REFUSED, Section, check_tied, sections_of
from archbench.space.points import UNSET, Array, CodedColumn, Codes, Lists, Mask, Points, combine_codes, make_points
from archbench.space.samplers import sample_positions

ROWS = 1 << 18  # of a chunk: a few columns of it fit a core's cache
MAX_POINTS = 100_000_000  # of a grid that is walked: minutes of pricing; more are sampled


@dataclass(frozen=True)
class SpaceCounts:
    """What became of a spec's points. `raw` is each point of the grid or each draw, and each included variant.

    variants  what is left: raw less the other three, and the reference where none of them is it
    """

    raw: int
    excluded: int
    duplicates: int
    collapsed_draws: int
    variants: int


def chunks(spec: Spec, *, rows: int = ROWS) -> Iterator[Points]:
    """The points of a spec, at most `rows` at a time; see `Span.chunks`."""
    return DesignSpace(spec).chunks(rows)


def count_points(spec: Spec) -> SpaceCounts:
    """How many points a spec has and what becomes of them, none of them made. SpecError where they are too many to walk."""
    return DesignSpace(spec).counts


class DesignSpace:
    """A spec's points, not yet walked. Raises SpecError, at the place, for too many and for a point that is no network."""

    def __init__(self, spec: Spec) -> None:
        check_size(spec, MAX_POINTS)
        self.spec = spec
        self.drawn = bool(spec.axes and spec.sample and spec.sample.method != "grid")
        self.grid, self.there = _drawn(spec) if self.drawn else _laid_out(walked_axes(spec), spec)
        self.extras = make_points([spec.reference, *spec.include])
        self.sections = sections_of(spec, [*self.grid.columns, *self.extras.columns])
        self.identities = [one for section in self.sections.values() for one in self._identities(section)]
        self.ties = self._tied(_excluded(spec.exclude, self.grid))
        self._check()
        for point in (*spec.include, spec.reference):
            make_variant(spec, point)

    def _tied(self, excluded: Sequence[Mask]) -> list[_Tie]:
        """The ties: what is hung on axes that others share, and once more what hangs on none."""
        dims = len(self.grid.shape)
        there, barred = ([_full(mask, dims) for mask in masks] for masks in (self.there, excluded))
        groups = _groups([_spread(array) for array in (*there, *barred, *(one.grid for one in self.identities))])
        return [
            _Tie(
                self._shape_of(group),
                [mask for mask in there if _hangs(mask, group)],
                [mask for mask in barred if _hangs(mask, group)],
                [one for one in self.identities if _hangs(one.grid, group)],
                self.extras.size,
            )
            for group in groups
        ]

    def _identities(self, section: Section) -> Iterator[_Identity]:
        grid, extras = (section.identities(points.columns) for points in (self.grid, self.extras))
        for outcome in {**grid, **extras}:
            absent = np.full(1, section.absent(outcome), np.int32)
            codes, beside = (given.get(outcome, absent) for given in (grid, extras))
            beside = np.broadcast_to(beside, self.extras.shape)
            yield _Identity(_full(codes, len(self.grid.shape)), beside, len(section.numbers[outcome]))

    def _shape_of(self, group: frozenset[int]) -> tuple[int, ...]:
        shape = tuple(size if dim in group else 1 for dim, size in enumerate(self.grid.shape))
        check_tied(self.spec, shape, self.grid.columns)
        return shape

    def _check(self) -> None:
        """Refuse a wanted point with a part that cannot be, in the words of its own variant."""
        if not any(tie.refused is not None for tie in self.ties) or not all(tie.wanted.any() for tie in self.ties):
            return
        first = [tie.position(int(tie.wanted.argmax())) for tie in self.ties]
        rows = []
        for place, tie in enumerate(self.ties):
            if tie.refused is not None:
                at = sum((*first[:place], *first[place + 1 :]), tie.position(tie.refused))
                rows.append(int(np.ravel_multi_index(tuple(at), self.grid.shape)))
        make_variant(self.spec, self.grid.assignment(min(rows)))
        raise AssertionError("a section was refused and its variant is not")

    @cached_property
    def wanted_extras(self) -> Mask:
        """Which of the reference and the included variants are no point of the grid and no earlier one; the reference last."""
        found = reduce(np.logical_and, (tie.has for tie in self.ties), np.ones(self.extras.shape, bool))
        networks = list(zip(*(one.extras.tolist() for one in self.identities), strict=True))
        seen, wanted = set(), np.zeros(self.extras.shape, bool)
        for row in [*range(1, len(networks)), 0]:
            wanted[row] = not found[row] and networks[row] not in seen
            seen.add(networks[row])
        return wanted

    @property
    def counts(self) -> SpaceCounts:
        there, wanted, distinct = (
            math.prod(int(mask.sum()) for mask in masks)
            for masks in zip(*((tie.there, tie.wanted, tie.first) for tie in self.ties), strict=True)
        )
        drawn = self.grid.size if self.drawn else there
        included, kept = len(self.spec.include), int(self.wanted_extras[1:].sum())
        return SpaceCounts(
            raw=drawn + included,
            excluded=there - wanted,
            duplicates=wanted - distinct + included - kept,
            collapsed_draws=drawn - there,
            variants=distinct + int(self.wanted_extras.sum()),
        )

    def chunks(self, rows: int = ROWS) -> Iterator[Points]:
        """Sub-grids in C order, then the reference and the included variants, each with the rows that are wanted.

        The reference is the first row of the last chunk, and wanted there where no other row is it. A chunk of which nothing
        is wanted is left out. The columns of a sub-grid stay as broad as the axes they hang on.
        """
        for block in _blocks(self.grid.shape, rows):
            columns = tuple(_chunk_of(column, block, rows) for column in self.grid.columns)
            shape = tuple(part.stop - part.start for part in block)
            wanted = reduce(np.logical_and, (_cut(tie.first, block) for tie in self.ties))
            if wanted.any():
                yield Points(shape, columns, None if wanted.all() else np.array(np.broadcast_to(wanted, shape)))
        if self.wanted_extras.any():
            yield Points(self.extras.shape, self.extras.columns, self.wanted_extras)

    def fields(self, points: Points, names: Iterable[str]) -> dict[str, Array]:
        """Knobs and workload of each point by dotted name, defaults included, as a constraint names them: `neck.channels`.

        Null where a point's part has no such knob. A name that no part has is left out. As broad as the axes they hang on.
        """
        found = {}
        for name in names:
            section, _, key = name.partition(".")
            if (home := self._home(section, key)) is not None:
                found[name] = home.values(points.columns, key)
        return found

    def _home(self, section: str, key: str) -> Section | None:
        """The section that has a key; a constraint finds the whole workload under `input`."""
        homes = [section, "measure"] if section == "input" else [section]
        return next(
            (self.sections[home] for home in homes if home in self.sections and self.sections[home].has(key)), None
        )


@dataclass(frozen=True)
class _Identity:
    """One outcome of a section, by number: of the grid's points, of the rows beside it, and how many there are."""

    grid: Codes
    extras: Codes
    count: int


@dataclass(frozen=True)
class _Tie:
    """Axes that something ties together, as a grid of their own: which points are there, and which are wanted."""

    shape: tuple[int, ...]
    there_by: Sequence[Mask]
    excluded_by: Sequence[Mask]
    identities: Sequence[_Identity]
    beside: int  # rows that are no points of the grid

    @cached_property
    def there(self) -> Mask:
        return self._all(self.there_by)

    @cached_property
    def wanted(self) -> Mask:
        return self.there & self._all([~mask for mask in self.excluded_by])

    def _all(self, masks: Iterable[Mask]) -> Mask:
        return np.broadcast_to(reduce(np.logical_and, masks, np.ones((), bool)), self.shape)

    @cached_property
    def refused(self) -> int | None:
        """The first wanted point with a section that is none."""
        refused = self.wanted & ~self._all([one.grid != REFUSED for one in self.identities])
        return int(refused.argmax()) if refused.any() else None

    @cached_property
    def _networks(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which network each point is, then each row beside the grid; and the first wanted point of every network."""
        size = math.prod(self.shape)
        parts = (
            (np.concatenate([np.broadcast_to(one.grid, self.shape).ravel(), one.extras]), one.count)
            for one in self.identities
        )
        network, bound = combine_codes(parts)
        network = np.broadcast_to(network, size + self.beside)
        if bound > 4 * size + 1024:  # rather a sort than a table of what is not there
            distinct, network = np.unique(network, return_inverse=True)
            bound = distinct.size
        first = np.full(bound, size)
        wanted = np.flatnonzero(self.wanted)
        np.minimum.at(first, network[wanted], wanted)
        return network, first

    @cached_property
    def first(self) -> Mask:
        """The wanted points that are the first of their network, as far as these axes tell."""
        _, first = self._networks
        mask = np.zeros(math.prod(self.shape), bool)
        mask[first[first < mask.size]] = True
        return mask.reshape(self.shape)

    @cached_property
    def has(self) -> Mask:
        """Which rows beside the grid are a wanted point, as far as these axes tell."""
        network, first = self._networks
        size = math.prod(self.shape)
        return np.asarray(first[network[size:]] < size)

    def position(self, row: int) -> NDArray[np.int64]:
        """A point's coordinates, zero along the axes of others."""
        return np.array(np.unravel_index(row, self.shape), np.int64)


def _laid_out(axes: Sequence[Axis], spec: Spec) -> tuple[Points, list[Mask]]:
    """The whole grid, and where its points are there: an axis that does not apply counts once."""
    if not axes:
        return Points((1,), ()), []
    for axis in axes:
        if axis.size > MAX_LISTS:
            raise SpecError(
                f"axes.{axis.key}: {axis.size:,} lists are more than the {MAX_LISTS:,} of one product that is walked; sample "
                "them, `sample: {method: sobol, n: 1000}`, or shorten its lists",
                spec.place(axis.key),
            )
    places = [
        np.arange(axis.size).reshape([-1 if other == dim else 1 for other in range(len(axes))])
        for dim, axis in enumerate(axes)
    ]
    there: list[Mask] = []
    columns = _columns(axes, places, there)
    return Points(tuple(axis.size for axis in axes), columns), there


def _drawn(spec: Spec) -> tuple[Points, list[Mask]]:
    """The draws of a sample, and which of them are the first on their point."""
    assert spec.sample is not None
    assert spec.sample.n is not None
    columns = _columns(spec.axes, sample_positions(spec.axes, spec.sample), [])
    key, _ = combine_codes([(column.codes, len(column.values)) for column in columns])
    first = np.zeros(spec.sample.n, bool)
    first[np.unique(np.broadcast_to(key, first.shape), return_index=True)[1]] = True
    return Points((spec.sample.n,), columns), [first]


def _columns(axes: Sequence[Axis], places: Sequence[NDArray[np.int64]], there: list[Mask]) -> tuple[CodedColumn, ...]:
    """A column a path. Where an axis does not apply it is unset; in a grid only its first position is then there."""
    made: dict[int, list[CodedColumn]] = {}
    for dim in order_axes(axes):
        axis, place = axes[dim], places[dim]
        if axis.when is not None:
            read = [column for columns in made.values() for column in columns if column.path in axis.when.names]
            applies = evaluate_mask(axis.when, {column.path: column.array() for column in read})
            there.append(applies | (place == 0))
            place = np.where(applies, place, UNSET)
        made[dim] = _axis_columns(axis, place)
    return tuple(column for dim in range(len(axes)) for column in made[dim])


def _axis_columns(axis: Axis, place: NDArray[np.int64]) -> list[CodedColumn]:
    """The columns of one axis: only the levels that are there are made."""
    used = np.unique(place[place != UNSET])
    level = np.where(place == UNSET, used.size, np.searchsorted(used, place))
    if isinstance(axis.values, Product):  # each of its lists is there once
        return [
            CodedColumn(
                axis.key, Lists(axis.values.factors, used), np.where(place == UNSET, UNSET, level).astype(np.int32)
            )
        ]
    levels = [axis.values[int(position)] for position in used]
    return [_column(path, [values[n] for values in levels], level) for n, path in enumerate(axis.paths)]


def _column(path: str, values: Sequence[Any], places: NDArray[np.int64]) -> CodedColumn:
    """A column of the values at these places; past the last it is unset."""
    codes: dict[str, int] = {}
    table = [codes.setdefault(repr(value), len(codes)) for value in values]
    distinct = dict(zip(table, values, strict=True))
    return CodedColumn(path, tuple(distinct.values()), np.array([*table, UNSET], np.int32)[places])


def _excluded(exclude: Sequence[Exclusion], points: Points) -> list[Mask]:
    """Where each `exclude` holds, as broad as the axes it reads."""
    columns = {column.path: column for column in points.columns}
    masks: list[Mask] = []
    for item in exclude:
        if isinstance(item, Expression):
            names = {path: columns[path].array() for path in item.names}
            masks.append(_held(item, names, masks))
        else:
            masks.append(reduce(np.logical_and, (_agrees(columns[path], value) for path, value in item.items())))
    return masks


def _held(item: Expression, names: Mapping[str, Array], before: Sequence[Mask]) -> Mask:
    """Where an expression holds; it is not asked about a point that an earlier `exclude` took."""
    try:
        return evaluate_mask(item, names)
    except SpecError:
        if not before:
            raise
    return evaluate_mask(item, names, ~reduce(np.logical_or, before))


def _agrees(column: CodedColumn, value: Any) -> Mask:
    return np.array([*(given == value for given in column.values), False])[column.codes]  # unset agrees with nothing


def _full(array: NDArray[Any], dims: int) -> NDArray[Any]:
    return array.reshape((1,) * (dims - array.ndim) + array.shape)


def _spread(array: NDArray[Any]) -> frozenset[int]:
    """The axes along which an array has more than one place."""
    return frozenset(dim for dim, size in enumerate(array.shape) if size > 1)


def _hangs(array: NDArray[Any], group: frozenset[int]) -> bool:
    """Whether an array belongs to a tie: it is spread along its axes, or along none as it has none."""
    return bool(_spread(array) & group) or not (_spread(array) or group)


def _groups(spreads: Iterable[frozenset[int]]) -> list[frozenset[int]]:
    """Axes that some array is spread along together; and the empty group, for arrays that are of one place."""
    groups: list[frozenset[int]] = []
    for spread in spreads:
        touching = [group for group in groups if group & spread]
        groups = [group for group in groups if not group & spread] + [spread.union(*touching)]
    return [frozenset(), *(group for group in groups if group)]


def _blocks(shape: Sequence[int], rows: int) -> Iterator[tuple[slice, ...]]:
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


def _chunk_of(column: CodedColumn, block: Sequence[slice], rows: int) -> CodedColumn:
    """A column at a block of points, with no more values than so many, if there are."""
    part = CodedColumn(column.path, column.values, _cut(column.codes, block))
    return part.trimmed() if len(column.values) > rows else part


def _cut(array: NDArray[Any], block: Sequence[slice]) -> NDArray[Any]:
    """The part of an array that a block covers; along an axis of one place it is all of it."""
    return array[tuple(slice(None) if size == 1 else part for size, part in zip(array.shape, block, strict=True))]
