"""What the sections of many points are, outcome by outcome, each worked out once for all points that agree in what it reads.

A backbone does not change with the input's height, nor its stem with its depths: three million points are a few thousand
combinations of what one outcome or another hangs on. Two points are one network where all outcomes are the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archbench.design.spec.config import SECTIONS, split_path
from archbench.design.spec.schema import NOT_ACCEPTED
from archbench.design.spec.spec import Spec
from archbench.errors import SpecError
from archbench.models.detector import FAMILIES
from archbench.space.parts import KEPT, Frame, Item, Passed, Rows, frame_of, is_trimmed, reads_of_parts, written
from archbench.space.points import (
    UNSET,
    Array,
    CodedColumn,
    Codes,
    Lists,
    Mask,
    box_values,
    combine_codes,
    find_distinct,
    take_at,
)

REFUSED = -1  # the number of what is no network
MAX_TIED = 1 << 23  # points of axes that something makes inseparable: half a GiB while they are compared
AT_ONCE = 1 << 16  # combinations whose knobs are Python's own objects at a time

WorkedOut = Callable[[Frame, Rows], Iterable[Any]]


@dataclass
class Section:
    """One section of a spec.

    varied  the knobs of its own that some point sets
    listed  those of them that a product gives
    """

    spec: Spec
    name: str
    varied: tuple[str, ...] = ()
    listed: frozenset[str] = frozenset()
    numbers: dict[str, dict[str, int]] = field(default_factory=dict)  # outcome -> content -> its number
    frames: dict[str, Frame] = field(default_factory=dict)

    def reads(self, path: str) -> bool:
        """Whether a path can change what the section is: its own keys, what it starts from, and the levels it is built to."""
        section, _ = split_path(path)
        return section in ("base", "module", self.name) or (self._is_trimmed and path in ("neck.type", "neck.levels"))

    @cached_property
    def _is_trimmed(self) -> bool:
        return is_trimmed(self.name)

    def has(self, key: str) -> bool:
        """Whether some variant can have a knob of that name here."""
        if self.name in FAMILIES:
            return key == "type" or any(key in part.knobs for part in FAMILIES[self.name].values())
        return key in KEPT.get(self.name, ())

    @cached_property
    def outcomes(self) -> dict[str, tuple[str, ...]]:
        """What of the section varies, with the varied knobs it hangs on in one part or another."""
        found: dict[str, tuple[str, ...]] = {}
        for reads in reads_of_parts(self.name):
            for outcome, keys in reads.items():
                own = (*found.get(outcome, ()), *(key for key in keys if key in self.varied))
                found |= {outcome: tuple(dict.fromkeys(own))} if own else {}
        read = {key for keys in found.values() for key in keys}
        return found | {key: (key,) for key in self.varied if key not in read}  # no part's: refused where it is set

    def identities(self, columns: Sequence[CodedColumn]) -> dict[str, Codes]:
        """By outcome, which it is at each point, REFUSED where it is none. Sections are equal where all of theirs are.

        Each is as broad as the axes it hangs on. The one without a name is all that does not vary within a frame.
        """
        view, varying = _View(self, columns), tuple(self.outcomes)
        whole = {"": view.each((), lambda frame, rows: [frame.rest(varying)] * len(rows))}
        found: dict[str, Codes] = {}
        for outcome, keys in self.outcomes.items():
            if self.listed.isdisjoint(keys):
                whole[outcome] = view.each(keys, partial(_contents, outcome, keys))
            else:
                found |= self._items(view, outcome, keys)
        return found | {outcome: self._numbered(outcome, *contents) for outcome, contents in whole.items()}

    def absent(self, outcome: str) -> int:
        """Its number where it is not among the identities: an item that all lists are too short for."""
        numbers = self.numbers.setdefault(outcome, {})
        return numbers.setdefault("", len(numbers))

    def alike(self, columns: Sequence[CodedColumn], row: Sequence[CodedColumn]) -> Mask:
        """Which points have the section that the first point of others has."""
        found, wanted = (
            self.identities(columns),
            {name: int(codes.flat[0]) for name, codes in self.identities(row).items()},
        )
        absent = {name: self.absent(name) for name in {**found, **wanted}}
        same = (found.get(name, np.full(1, none)) == wanted.get(name, none) for name, none in absent.items())
        return reduce(np.logical_and, same, np.ones(1, bool))

    def _items(self, view: _View, outcome: str, keys: Sequence[str]) -> dict[str, Codes]:
        """An outcome that reads lists, item by item; those of a product are not made where their items are only passed on."""
        passed = view.passed(keys)
        try:
            rows, places = (passed or view).each(keys, partial(_listed, outcome, keys))
        except TypeError:  # an item was looked at
            passed = None
            rows, places = view.each(keys, partial(_listed, outcome, keys))
        found = {}
        for place in range(max((len(row) for row in rows if row is not None), default=1)):
            name = f"{outcome}[{place}]"
            items = [row if row is None else row[place] if place < len(row) else "" for row in rows]
            codes = self._numbered(name, ["" if isinstance(item, Item) else item for item in items], places)
            for item in {item.place for item in items if isinstance(item, Item)}:
                assert passed is not None
                here = np.array([isinstance(each, Item) and each.place == item for each in items])[places]
                codes = np.where(here, self._numbered(name, passed.texts[item], passed.digits(item)), codes)
            found[name] = codes
        return found

    def _numbered(self, outcome: str, contents: Sequence[str | None], places: Codes) -> Codes:
        numbers = self.numbers.setdefault(outcome, {})
        table = [REFUSED if each is None else numbers.setdefault(each, len(numbers)) for each in contents]
        return np.array(table, np.int32)[places, ...]

    def values(self, columns: Sequence[CodedColumn], key: str) -> Array:
        """One knob of each point's section, defaults included; null where its part has none of that name."""
        keys = (key,) if key in self.varied else ()
        values, places = _View(self, columns).each(keys, partial(_values, key))
        return take_at(box_values(values, (-1,)), places)

    def frame(self, leading: Mapping[str, Any]) -> Frame:
        """The frame of the points that set these paths, beside varied knobs of its own."""
        key = repr(leading)
        if key not in self.frames:
            self.frames[key] = frame_of(self.spec, self.name, self.varied, leading)
        return self.frames[key]


class _View:
    """The columns of some points that a section reads: knobs of its own by their names, and those that give the frame."""

    def __init__(self, section: Section, columns: Sequence[CodedColumn]) -> None:
        self._section = section
        self._columns = [column for column in columns if section.reads(column.path)]
        self._own = {key: column for column in self._columns if (key := _own_key(section.name, column.path))}
        self._leading = [column for column in self._columns if not _own_key(section.name, column.path)]

    def passed(self, keys: Sequence[str]) -> _Passed | None:
        """The same with items in the place of a product's lists; null where some of their items are not accepted."""
        products = [key for key in keys if key in self._own and isinstance(self._own[key].values, Lists)]
        if len(products) != 1:
            return None
        (key,) = products
        lists = self._own[key].values
        assert isinstance(lists, Lists)
        texts: list[list[str | None]] | None = None
        for frame in self._framed[0]:
            rows = frame.knob(key, lists.diagonal())
            if NOT_ACCEPTED in rows:
                return None
            found = [[written(row[place]) for row in rows[: len(factor)]] for place, factor in enumerate(lists.factors)]
            if texts not in (None, found):
                return None
            texts = found
        return _Passed(self._section, self._columns, self._own[key], texts or [])

    @cached_property
    def _framed(self) -> tuple[list[Frame], Codes]:
        """The frames that there are, and which of them each point is in."""
        first, places = self._combinations([(column.codes, len(column.values)) for column in self._leading])
        where = np.unravel_index(first, places.shape)
        rows = [np.broadcast_to(column.codes, places.shape)[where].tolist() for column in self._leading]
        found = [self._section.frame(self._set(codes)) for codes in (zip(*rows, strict=True) if rows else [()])]
        numbers: dict[str, int] = {}
        table = [numbers.setdefault(repr(frame), len(numbers)) for frame in found]
        frames = dict(zip(table, found, strict=True))
        return list(frames.values()), np.array(table, np.int32)[places, ...]

    def _set(self, codes: Sequence[int]) -> dict[str, Any]:
        pairs = zip(self._leading, codes, strict=True)
        return {column.path: column.values[code] for column, code in pairs if code != UNSET}

    def each(self, keys: Sequence[str], worked_out: WorkedOut) -> tuple[list[Any], Codes]:
        """What is worked out for every combination there is of a frame and these knobs; and which each point has."""
        frames, which = self._framed
        knobs = [self._own.get(key) for key in keys]
        parts = [(knob.codes, len(knob.values)) for knob in knobs if knob is not None]
        first, places = self._combinations([(which, len(frames)), *parts])
        where = np.unravel_index(first, places.shape)
        found: list[Any] = [None] * len(first)
        for frame, rows in _together(frames, np.broadcast_to(which, places.shape)[where]):
            here = tuple(index[rows] for index in where)
            values = [_given(frame, key, knob, places.shape, here) for key, knob in zip(keys, knobs, strict=True)]
            combinations = list(zip(*values, strict=True)) if values else [()] * len(rows)
            for row, result in zip(rows.tolist(), worked_out(frame, combinations), strict=True):
                found[row] = result
        return found, places

    def _combinations(self, parts: Sequence[tuple[Codes, int]]) -> tuple[NDArray[np.intp], Codes]:
        shape = np.broadcast_shapes(*(codes.shape for codes, _ in parts))
        check_tied(self._section.spec, shape, [*self._own.values(), *self._leading])
        return find_distinct(*combine_codes(parts))


class _Passed(_View):
    """A view with one list of items in the place of a product's. `texts`: what every item of every factor is."""

    def __init__(
        self,
        section: Section,
        columns: Sequence[CodedColumn],
        product: CodedColumn,
        texts: Sequence[Sequence[str | None]],
    ) -> None:
        assert isinstance(product.values, Lists)
        self.texts, self._product, self._digits = texts, product, product.values.digits()
        items = Passed(Item(place) for place in range(len(texts)))
        codes = np.where(product.codes == UNSET, UNSET, 0).astype(np.int32)
        stand_in = CodedColumn(product.path, (items,), codes)
        super().__init__(section, [stand_in if column is product else column for column in columns])

    def digits(self, place: int) -> Codes:
        """Which item of a factor every point has; of a point that has no such list it means nothing."""
        return self._digits[place][self._product.codes]


def _own_key(section: str, path: str) -> str:
    """The knob of a section's own that a path names; none for its type, and for a path of another."""
    home, key = split_path(path)
    return key if home == section and key != "type" else ""


def _contents(outcome: str, keys: Sequence[str], frame: Frame, rows: Rows) -> Iterable[str | None]:
    return frame.contents(outcome, keys, rows)


def _listed(outcome: str, keys: Sequence[str], frame: Frame, rows: Rows) -> Iterable[tuple[str | Item, ...] | None]:
    return frame.items(outcome, keys, rows)


def _values(key: str, frame: Frame, rows: Rows) -> Iterable[Any]:
    """A knob's values: those given, or where it does not vary the frame's."""
    if rows[0]:
        return [None if value is NOT_ACCEPTED else value for (value,) in rows]
    return [frame.part if key == "type" else frame.fixed.get(key)] * len(rows)


def _given(
    frame: Frame, key: str, knob: CodedColumn | None, shape: Sequence[int], where: tuple[NDArray[np.intp], ...]
) -> list[Any]:
    """A knob's values, validated, at some places of points of that shape."""
    if knob is None:
        return [frame.unset(key)] * len(where[0])
    used, places = np.unique(np.broadcast_to(knob.codes, shape)[where], return_inverse=True)
    values = frame.knob(key, [knob.values[code] for code in used.tolist() if code != UNSET])
    table = [frame.unset(key), *values] if used[0] == UNSET else values
    return [table[place] for place in places.tolist()]


def _together(frames: Sequence[Frame], which: Codes) -> Iterator[tuple[Frame, NDArray[np.intp]]]:
    """Each frame with its places, not too many at once."""
    order = np.argsort(which, kind="stable")
    ends = np.cumsum(np.bincount(which, minlength=len(frames))).tolist()
    for frame, start, end in zip(frames, [0, *ends], ends, strict=False):
        for place in range(start, end, AT_ONCE):
            yield frame, order[place : min(place + AT_ONCE, end)]


def sections_of(spec: Spec, columns: Sequence[CodedColumn]) -> dict[str, Section]:
    """Every section that a network's identity is made of, where points have these columns."""
    own = {column.path: split_path(column.path) for column in columns}
    listed = {column.path for column in columns if isinstance(column.values, Lists)}
    return {
        name: Section(spec, name, _keys(name, own.values()), frozenset(_keys(name, map(split_path, listed))))
        for name in (*SECTIONS, "module")
    }


def _keys(section: str, paths: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(key for home, key in paths if home == section and key not in ("", "type"))


def check_tied(spec: Spec, shape: Sequence[int], columns: Sequence[CodedColumn]) -> None:
    """Refuse what hangs on more points of these axes than can be compared."""
    if (size := math.prod(shape)) > MAX_TIED:
        spread = {axis for axis, length in enumerate(reversed(shape)) if length > 1}
        tied = [
            c.path for c in columns if spread & {n for n, length in enumerate(reversed(c.codes.shape)) if length > 1}
        ]
        raise SpecError(
            f"axes: {', '.join(tied)} are tied by a `when`, an `exclude` or a part that reads them, and their "
            f"{size:,} combinations are more than the {MAX_TIED:,} that can be compared; sample them, "
            "`sample: {method: sobol, n: 1000}`, or shorten the axes",
            spec.place("axes"),
        )
