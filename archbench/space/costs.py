"""Many variants priced by one recording for each structure: the model's program run on lanes.

A knob that is a number, or a list of so many numbers, is lanes; words, truth values, lengths of lists and which paths are set are
the structure. Where a program branches between lanes, they part along one axis of the points, and each part is a grid again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archbench.design.spec.axes import split_path
from archbench.design.spec.schema import NOT_ACCEPTED, part_model, section_model, validate_values
from archbench.errors import SpecError
from archbench.metrics import EXACT
from archbench.models.variant import (
    FAMILIES,
    FEATURE_BYTES,
    Architecture,
    ModuleFactory,
    PartChoice,
    Variant,
    record_network,
)
from archbench.pricing.lanes import INT64_MAX, Diverged, Lanes, SampledLanes, Wide, make_lanes
from archbench.pricing.liveness import Irregular
from archbench.pricing.price import Cost, add_up, price
from archbench.space.points import Array, CodedColumn, Points, Rows

ROWS = 1 << 15  # points without a grid are recorded so many at a time: their lanes stay in the processor's cache
SIDES = ("batch", "height", "width")
NOT_SET = ""  # the lane kind of a point that leaves the path as it is

Counts = dict[str, Array]  # metric -> an array of 64-bit integers that broadcasts to the points' shape


def price_points(points: Points, make: Callable[[Mapping[str, Any]], Variant]) -> Counts:
    """Every exact metric of every point that is kept, equal to `price` of the variant `make` gives for its assignment.

    A point that is not kept is not priced, and its numbers mean nothing. Raises SpecError, naming one variant, where a kept one
    is no network, has a count that 64 bits do not hold, or is a hand-written module.
    """
    pricing = _PointPricing(points, make)
    whole = SubGrid(points, tuple(np.arange(length) for length in points.shape))
    parts = list(pricing.price_part(whole))
    return {
        metric: join_sub_grids(points.shape, [(part, counts[metric]) for part, counts in parts]) for metric in EXACT
    }


class _PointPricing:
    """One set of points being priced; `make` gives the variant of an assignment."""

    def __init__(self, points: Points, make: Callable[[Mapping[str, Any]], Variant]) -> None:
        self.points, self.make = points, make
        self.knobs = tuple(VaryingKnob(column) for column in points.columns)

    def price_part(self, part: SubGrid) -> Iterator[tuple[SubGrid, Counts]]:
        """The metrics of a part, in smaller parts where it must be; each broadcasts to its part's shape."""
        if (first := part.find_first(np.True_)) is None:
            return
        try:
            self._check_structure(part)
            cost = self._price_lanes(part, first)
        except Diverged as diverged:
            for smaller in part.split_by(diverged.key):
                yield from self.price_part(smaller)
        else:
            yield part, {metric: self._fit_in_64_bits(part, getattr(cost, metric)) for metric in EXACT}

    def _variant_at(self, row: int) -> Variant:
        return self.make(self.points.assignment(row))

    def _check_structure(self, part: SubGrid) -> None:
        """Raise Diverged unless the part is of one structure, and not too many rows to be recorded at once."""
        for knob in self.knobs:
            labels = knob.labels[part.take_part(knob.column.codes)]
            if (labels != labels.flat[0]).any():
                raise Diverged(labels)
        if len(part.shape) == 1 and part.shape[0] > ROWS:
            raise Diverged(np.arange(part.shape[0]) // ROWS)

    def _price_lanes(self, part: SubGrid, first: int) -> Cost:
        """The cost of a part of one structure, on lanes: of 64 bits and repetitions rolled, while that is enough.

        `first` is the row of its first point that is wanted.
        """
        example = self._variant_at(first)
        if isinstance(example.architecture, ModuleFactory):
            return price(example)
        rolled, endless = True, False
        while True:
            try:
                architecture, sizes = self._make_program(part, example, endless=endless)
                graph = record_network(architecture, sizes["height"], sizes["width"], rolled=rolled)
                return add_up(graph, sizes["batch"], FEATURE_BYTES[example.workload.precision])
            except Irregular:
                rolled = False
            except Wide:
                endless = True
            except SpecError:  # it is every lane's: a branch that differs would have parted them
                price(self._variant_at(first))  # says it of one variant
                raise

    def _make_program(self, part: SubGrid, example: Variant, *, endless: bool) -> tuple[Architecture, dict[str, Any]]:
        """The example's architecture and input, with the columns of numbers as lanes."""
        parts = {family: getattr(example.architecture, family) for family in FAMILIES}
        types = {family: choice.type for family, choice in parts.items()}
        sections = {family: dict(choice.knobs) for family, choice in parts.items()}
        sections["input"] = {side: getattr(example.workload, side) for side in SIDES}
        for path, lanes in make_knobs(part, self.knobs, types, endless=endless).items():
            section, key = split_path(path)
            if section in sections:
                sections[section][key] = lanes
        return Architecture(**{name: PartChoice(types[name], sections[name]) for name in FAMILIES}), sections["input"]

    def _fit_in_64_bits(self, part: SubGrid, count: Any) -> Array:
        """A metric in 64 bits. SpecError where it is more, naming the variant; a point that is not kept may be cut."""
        values = np.asarray(count.points if isinstance(count, Lanes) else count)
        values = values.reshape((1,) * (len(part.shape) - values.ndim) + values.shape)
        if values.dtype == np.int64:
            return values
        over = np.asarray(values > INT64_MAX, dtype=bool)
        if (row := part.find_first(over)) is not None:
            price(self._variant_at(row))
        return np.where(over, 0, values).astype(np.int64)


@dataclass(frozen=True)
class SubGrid:
    """Some places along each axis of the points; the first axis slowest, as theirs."""

    points: Points
    index: tuple[Rows, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(places) for places in self.index)

    def find_first(self, where: Array | np.bool_) -> int | None:
        """The row of the first that is wanted and where `where`, which broadcasts, holds; null where there is none."""
        chosen = np.broadcast_to(where & self.take_part(self.points.kept), self.shape)
        if not chosen.any():
            return None
        row = 0
        at = np.unravel_index(int(chosen.argmax()), self.shape)
        for length, places, place in zip(self.points.shape, self.index, at, strict=True):
            row = row * length + int(places[place])
        return row

    def take_part(self, broad: Array) -> Array:
        """The places of an array that broadcasts to the points' shape; as many dimensions, length one kept."""
        whole = broad.reshape((1,) * (len(self.index) - broad.ndim) + broad.shape)
        for axis, places in enumerate(self.index):
            if whole.shape[axis] > 1:
                whole = whole[(slice(None),) * axis + (_as_slice(places),)]
        return whole

    def split_by(self, key: Array) -> list[SubGrid]:
        """Sub-grids along one axis that keep places with equal keys together. The key is not the same throughout."""
        for axis in sorted(range(key.ndim), key=lambda axis: key.shape[axis]):
            labels = _label_lines(key, axis)
            if labels.any():
                cuts = [self.index[axis][labels == label] for label in range(labels.max() + 1)]
                return [SubGrid(self.points, (*self.index[:axis], cut, *self.index[axis + 1 :])) for cut in cuts]
        raise AssertionError("nothing differs")


def join_sub_grids(shape: Sequence[int], parts: Iterable[tuple[SubGrid, Array]]) -> Array:
    """One array that broadcasts to `shape`, of length one along an axis where no part was cut and none varies.

    Places of no part are 0.
    """
    listed = list(parts)
    broad = [
        any(len(part.index[axis]) != length or values.shape[axis] > 1 for part, values in listed)
        for axis, length in enumerate(shape)
    ]
    result = np.zeros([length if wide else 1 for length, wide in zip(shape, broad, strict=True)], np.int64)
    for part, values in listed:
        places = [_as_slice(places) if wide else slice(None) for places, wide in zip(part.index, broad, strict=True)]
        if sum(not isinstance(place, slice) for place in places) > 1:
            places = list(np.ix_(*(np.arange(n)[place] for n, place in zip(result.shape, places, strict=True))))
        result[tuple(places)] = values
    return result


def _as_slice(places: Rows) -> slice | Rows:
    """Places as a slice where they are evenly spaced: numpy then copies nothing to read them, and little to write."""
    step = int(places[1] - places[0]) if len(places) > 1 else 1
    if (np.diff(places) == step).all():
        return slice(int(places[0]), int(places[-1]) + 1, step)
    return places


def _label_lines(key: Array, axis: int) -> Rows:
    """For each place along the axis, a number that is equal where all of the key there is."""
    lines = np.moveaxis(key, axis, 0).reshape(key.shape[axis], -1)
    _, labels = np.unique(lines[:, 0] if lines.shape[1] == 1 else lines, axis=0, return_inverse=True)
    return labels.reshape(-1)


@dataclass(frozen=True)
class KnobValues:
    """A knob's validated values by code, one array an element of a list; and the codes that are refused, or of another kind."""

    elements: tuple[Array, ...]
    listed: bool
    refused: Array

    def as_lanes(self, codes: Array, draw: SampledLanes | None, *, endless: bool) -> Any:
        """The knob at some codes, a list of lanes where it is a list."""
        given = [make_lanes(element[codes], draw, endless=endless) for element in self.elements]
        return given if self.listed else given[0]


class VaryingKnob:
    """One column, and the kinds of its values: only values of one kind can be lanes of one recording.

    labels  the number of each code's kind; UNSET, -1, finds the last
    """

    def __init__(self, column: CodedColumn) -> None:
        self.column = column
        kinds = [*(lane_kind(column.path, value) for value in column.values), NOT_SET]
        self._kinds = list(dict.fromkeys(kinds))
        numbers = {kind: number for number, kind in enumerate(self._kinds)}
        self.labels = np.array([numbers[kind] for kind in kinds])
        self._values: dict[tuple[int, str], KnobValues] = {}  # by kind and part, made when asked for

    def numbers_in(self, part: SubGrid, name: str) -> tuple[KnobValues, Array] | None:
        """The column's numbers in a part of one structure, as the program `name` takes them, with the codes of the points.

        Null where it has no numbers. Raises Diverged where only some are accepted, SpecError where none is.
        """
        codes = part.take_part(self.column.codes)
        label = int(self.labels[codes.flat[0]])
        if not self._kinds[label].startswith("number"):
            return None
        if (label, name) not in self._values:
            self._values[label, name] = _validate_column(self.column, self.labels != label, name)
        values = self._values[label, name]
        if (refused := values.refused[codes]).all():
            raise SpecError(f"{self.column.path}: not accepted")
        if refused.any():
            raise Diverged(refused)
        return values, codes


def make_knobs(
    part: SubGrid, knobs: Sequence[VaryingKnob], types: Mapping[str, str], *, endless: bool
) -> dict[str, Any]:
    """By path, the numbers of a part of one structure, as lanes. `types`: of each section, the name of its program."""
    found = {knob.column.path: knob.numbers_in(part, types.get(knob.column.path.split(".")[0], "")) for knob in knobs}
    numbers = {path: given for path, given in found.items() if given is not None}
    draw = None
    if len(part.shape) == 1 and numbers:  # each value once, along an axis of its own; points are places on that grid
        used = [np.unique(codes, return_inverse=True) for _, codes in numbers.values()]
        draw = SampledLanes([places for _, places in used])
        axes = np.ix_(*(codes for codes, _ in used), np.zeros(1, np.intp))
        numbers = {path: (values, codes) for (path, (values, _)), codes in zip(numbers.items(), axes, strict=False)}
    return {path: values.as_lanes(codes, draw, endless=endless) for path, (values, codes) in numbers.items()}


def _validate_column(column: CodedColumn, refused: Array, name: str) -> KnobValues:
    """The values of a column but for those that are refused already, as not of the kind."""
    section, key = split_path(column.path)
    model = part_model(section, name) if section in FAMILIES else section_model(section)
    codes = np.flatnonzero(~refused).tolist()
    found = zip(codes, validate_values(model, key, [column.values[code] for code in codes]), strict=True)
    accepted = {code: value for code, value in found if value is not NOT_ACCEPTED}
    listed = any(isinstance(value, list) for value in accepted.values())
    rows = [value if listed else [value] for value in accepted.values()]
    floats = any(isinstance(item, float) for row in rows for item in row)
    width = max(map(len, rows), default=0)
    elements = np.zeros((width, len(refused)), np.float64 if floats else np.int64)
    elements[:, list(accepted)] = np.array(rows, elements.dtype).reshape(len(rows), width).T
    refused = np.ones(len(refused), bool)
    refused[list(accepted)] = False
    return KnobValues(tuple(elements), listed, refused)


def lane_kind(path: str, value: Any) -> str:
    """The kind of a value: numbers are of one kind, as are lists of so many; any other value is of a kind of its own."""
    if "." in path and not path.endswith(".type"):
        if type(value) in (int, float):
            return "number"
        if isinstance(value, list) and value and {*map(type, value)} <= {int, float}:
            return f"numbers, {len(value)} of them"
    return f"the value {value!r}"
