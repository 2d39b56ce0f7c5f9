"""The axes of a spec, read from each form they can be written in, and the dotted paths they may set.

neck.channels: [64, 128, 256]                         a list
input.height: {range: [480, 800, 32]}                 from, to, step; the end is included where a step meets it
neck.channels: {log2: [64, 512]}                      the powers of two from one to the other
backbone.depths: {product: [[2, 3], [4], [6, 9], [3]]}   a list of values, one from each list
size: {zip: {input.height: [480, 800], input.width: [640, 1333]}, name: size}   several paths, side by side
top_block.source: {values: [c5, p5], when: top_block.type == 'p6p7'}   only where the others make it apply
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from archbench.design.expressions.parse import Expression, compile_expression
from archbench.design.spec.document import Document
from archbench.design.spec.schema import OF_THE_RUN, WORKLOAD_IN_MEASURE, knob_paths
from archbench.errors import SpecError
from archbench.metrics import EXACT, SCALED
from archbench.models.variant import FAMILIES
from archbench.text import quote_key, quote_value, suggest_nearest, wrong_value

MAX_VALUES = 100_000  # of one list, range or zip
MAX_LISTS = 4_000_000  # of one product that is walked, as many as are drawn at most; it may have more, and be sampled
MAX_PRODUCT = 2**62  # so that a position fits an int64

SECTIONS = (*FAMILIES, "input", "measure")
WHOLE = ("base", "module")  # paths without a key
UNSET = -1  # the position of an axis that does not apply: its paths are as the base has them
AxisValue = tuple[Any, ...]  # what an axis sets at one position, a value a path


@dataclass(frozen=True)
class Product(Sequence[AxisValue]):
    """A product holds every list of one value from each factor, the first factor slowest, made when it is asked for."""

    factors: tuple[tuple[Any, ...], ...]

    def __len__(self) -> int:
        return math.prod(map(len, self.factors))

    def __getitem__(self, position: Any) -> Any:
        """The list at one position, counted from 0."""
        if not 0 <= position < len(self):
            raise IndexError(position)
        items = []
        for factor in reversed(self.factors):
            position, digit = divmod(position, len(factor))
            items.append(factor[digit])
        return (items[::-1],)

    def __contains__(self, level: object) -> bool:
        match level:
            case (list() as items,) if len(items) == len(self.factors):
                return all(item in factor for item, factor in zip(items, self.factors, strict=True))
        return False


@dataclass(frozen=True)
class Axis:
    """One dimension of the grid: the paths it sets, and the values they take together.

    key     the axis's key in the spec: its path, or a word where it sets several
    values  a value a path, at each position
    name    the word for an axis of several paths in variants' names; empty: each path speaks for itself
    when    the condition, over the other axes' values; where it fails, the axis is unset and the point is there once
    """

    key: str
    paths: tuple[str, ...]
    values: Sequence[AxisValue]
    name: str = ""
    when: Expression | None = None

    @property
    def size(self) -> int:
        return len(self.values)

    @property
    def radices(self) -> tuple[int, ...]:
        """Sizes of the independent choices that make a position, the first slowest: one, or one a factor."""
        return tuple(map(len, self.values.factors)) if isinstance(self.values, Product) else (self.size,)

    def takes(self, path: str, value: Any) -> bool:
        """Whether some position gives the path that value."""
        if isinstance(self.values, Product):
            return (value,) in self.values
        column = self.paths.index(path)
        return any(level[column] == value for level in self.values)

    def first_values(self, path: str) -> list[Any]:
        """The first few distinct values of a path, for a message."""
        column = self.paths.index(path)
        values = [self.values[position][column] for position in range(min(self.size, 12))]
        return [value for position, value in enumerate(values) if value not in values[:position]]


def parse_axes(given: Any, document: Document) -> tuple[Axis, ...]:
    """The axes of a spec, in its order. Raises SpecError beginning with the axis's key."""
    if not isinstance(given, dict):
        raise wrong_value("axes", given, "is not a mapping; write axes: {neck.channels: [128, 256]}")
    axes = tuple(_parse_axis(key, form, document) for key, form in given.items())
    owners: dict[str, str] = {}
    for axis in axes:
        for path in axis.paths:
            if path in owners:
                raise SpecError(f"axes.{axis.key}: {path} is set by the axis {owners[path]} too; let one set it")
            owners[path] = axis.key
    order_axes(axes)
    return axes


def _parse_axis(key: str, form: Any, document: Document) -> Axis:
    where = f"axes.{key}"
    if isinstance(form, dict) and "zip" in form:
        return _parse_zip(key, form, document)
    check_varies(key)
    if isinstance(form, dict):
        kind = _find_form(where, form)
        levels = FORMS[kind](where, form[kind])
        return Axis(key, (key,), levels, when=_parse_when(where, key, form, document))
    return Axis(key, (key,), _parse_list(where, form))


def check_varies(path: str) -> None:
    """Refuse a dotted path that cannot differ between variants. Raises SpecError."""
    section, key = split_path(path)
    if section == "measure" and key in OF_THE_RUN:
        raise SpecError(
            f"{path}: of the whole run, the same for every variant; write it under measure:, or `--set {path}=VALUE`. "
            f"Of measure {', '.join(WORKLOAD_IN_MEASURE)} can vary"
        )


def split_path(path: str) -> tuple[str, str]:
    """A dotted path as section and key. Raises SpecError for one that no spec has."""
    section, _, key = path.partition(".")
    if path in WHOLE:
        return path, ""
    if section not in SECTIONS or not key or "." in key:
        example = "neck.channels" if section not in SECTIONS else f"{section}.KEY"
        raise SpecError(
            f"{quote_key(path)}: not a path of a spec; write it like {example}."
            + suggest_nearest(section, list(SECTIONS))
        )
    return section, key


def _find_form(where: str, form: Mapping[str, Any], *, beside: tuple[str, ...] = ("when",)) -> str:
    """The one form that a mapping is, with nothing unknown beside it."""
    for key in form:
        if key not in FORMS and key not in beside:
            close = suggest_nearest(str(key), [*FORMS, "zip", *beside])
            raise SpecError(f"{where}.{quote_key(str(key))}: unknown key; {ACCEPTED}.{close}")
    kinds = [key for key in form if key in FORMS]
    if len(kinds) != 1:
        given = " and ".join(kinds) + " together" if kinds else quote_value(form)
        raise SpecError(f"{where}: {given} is not one form; {ACCEPTED}")
    return kinds[0]


def _parse_when(where: str, key: str, form: Mapping[str, Any], document: Document) -> Expression | None:
    if "when" not in form:
        return None
    return compile_expression(form["when"], document.place(("axes", key, "when")))


def _parse_list(where: str, values: Any) -> tuple[AxisValue, ...]:
    return tuple((value,) for value in _check_values(where, values))


def _check_values(where: str, values: Any, *, repeats: bool = False) -> list[Any]:
    """A list of at least one value, of one kind, each there once unless `repeats`."""
    if not isinstance(values, list) or not values:
        raise wrong_value(where, values, f"is not a list of at least one value; {ACCEPTED}")
    for value in values:
        if isinstance(value, dict):
            raise wrong_value(where, value, "is not a value; give each knob an axis of its own")
    if not repeats:
        _check_once(where, values)
    kinds = {_kind_of_value(value) for value in values if value is not None}
    if len(kinds) > 1:
        raise SpecError(f"{where}: {' and '.join(sorted(kinds))} are mixed; an axis holds one kind of value")
    return values


def _check_once(where: str, values: Sequence[Any]) -> None:
    seen = set()
    for value in values:
        if (key := hashable_value(value)) in seen:
            raise wrong_value(where, value, "is there twice")
        seen.add(key)


def hashable_value(value: Any) -> Any:
    """A value of a spec as a key of a dict: equal where the values are."""
    return tuple(map(hashable_value, value)) if isinstance(value, list | tuple) else value


def _kind_of_value(value: Any) -> str:
    if isinstance(value, bool):
        return "truth values"
    return {int: "numbers", float: "numbers", str: "words", list: "lists"}[type(value)]


def _check_numbers(where: str, given: Any, count: int, example: str) -> list[Any]:
    numbers = isinstance(given, list) and [n for n in given if isinstance(n, int | float) and not isinstance(n, bool)]
    if not numbers or len(numbers) != len(given) or len(given) != count:
        raise wrong_value(where, given, f"is not {count} numbers; write {example}")
    return numbers


def _parse_range(where: str, given: Any) -> tuple[AxisValue, ...]:
    """The numbers from lo to hi by step, in decimals as they are written: 0.5, 0.6, 0.7 and never 0.7000000000000001."""
    numbers = _check_numbers(where, given, 3, "{range: [64, 256, 32]}: from, to, step")
    low, high, step = (Fraction(str(number)) for number in numbers)
    if step <= 0 or high < low:
        raise wrong_value(where, given, "goes nowhere; write the smaller first and a step over 0")
    count = (high - low) // step + 1
    if count > MAX_VALUES:
        many = quote_value(f"{count:,}").strip("'")
        raise SpecError(f"{where}: {many} values are more than the {MAX_VALUES:,} of one axis; widen the step")
    plain = int if all(isinstance(number, int) for number in numbers) else float
    return tuple((plain(low + position * step),) for position in range(count))


def _parse_log2(where: str, given: Any) -> tuple[AxisValue, ...]:
    """The powers of two from lo to hi, both included."""
    low, high = _check_numbers(where, given, 2, "{log2: [64, 512]}: the first and the last power of two")
    for number in (low, high):
        if number <= 0 or number != math.ldexp(0.5, math.frexp(number)[1]):
            raise wrong_value(where, number, "is not a power of two; write {log2: [64, 512]}, or a list")
    if high < low:
        raise wrong_value(where, given, "goes nowhere; write the smaller first")
    count = math.frexp(high)[1] - math.frexp(low)[1] + 1
    plain = int if isinstance(low, int) and isinstance(high, int) else float
    return tuple((plain(low * 2**power),) for power in range(count))


def _parse_product(where: str, given: Any) -> Product:
    if not isinstance(given, list) or not given or not all(isinstance(factor, list) for factor in given):
        raise wrong_value(where, given, "is not a list of lists; write {product: [[2, 3], [4, 6]]}")
    factors = tuple(tuple(_check_values(f"{where}", factor)) for factor in given)
    if math.prod(map(len, factors)) > MAX_PRODUCT:
        raise SpecError(f"{where}: over 2**62 values; shorten the lists")
    return Product(factors)


FORMS: dict[str, Callable[[str, Any], Sequence[AxisValue]]] = {
    "values": _parse_list,
    "range": _parse_range,
    "log2": _parse_log2,
    "product": _parse_product,
}
ACCEPTED = (
    "an axis is a list, {range: [lo, hi, step]}, {log2: [lo, hi]}, {product: [[..], [..]]}, {zip: {path: [..]}}, "
    "or {values: [..]}, each with `when: EXPRESSION` where it needs one"
)


def _parse_zip(key: str, form: Mapping[str, Any], document: Document) -> Axis:
    """An axis of several paths that move together, position by position, not in every combination."""
    where = f"axes.{key}"
    for other in form:
        if other not in ("zip", "name", "when"):
            close = suggest_nearest(str(other), ["zip", "name", "when"])
            raise SpecError(f"{where}.{quote_key(str(other))}: unknown key; beside zip there are name and when.{close}")
    columns = form["zip"]
    if not isinstance(columns, dict) or not columns:
        raise wrong_value(where, columns, "is not a mapping; write {zip: {input.height: [480, 800], ..}}")
    for path, values in columns.items():
        check_varies(path)
        _check_values(f"{where}: {path}", values, repeats=True)
    if len({len(values) for values in columns.values()}) > 1:
        given = ", ".join(f"{path} has {len(values)}" for path, values in columns.items())
        raise SpecError(f"{where}: lists of a zip are equally long; {given}")
    levels = tuple(zip(*columns.values(), strict=True))
    _check_once(where, levels)
    name = form.get("name", "")
    if not isinstance(name, str) or len(name) > 200 or ("name" in form and not name):
        raise wrong_value(f"{where}.name", name, "is not a name of 1 to 200 characters")
    return Axis(key, tuple(columns), levels, name, _parse_when(where, key, form, document))


def order_axes(axes: Sequence[Axis]) -> tuple[int, ...]:
    """Positions of the axes with every `when` after the axes it reads. Raises SpecError for other names, and for a ring."""
    owner = {path: position for position, axis in enumerate(axes) for path in axis.paths}
    reads: dict[int, set[int]] = {}
    for position, axis in enumerate(axes):
        for name in axis.when.names if axis.when else ():
            if name not in owner:
                there = f"there are {', '.join(owner)}.{suggest_nearest(name, list(owner))}"
                raise SpecError(f"{axis.when.text}: {name} is not an axis; {there}", axis.when.place)  # type: ignore[union-attr]
        reads[position] = {owner[name] for name in axis.when.names} if axis.when else set()
    ordered: list[int] = []
    while ready := [position for position in reads if reads[position] <= set(ordered)]:
        ordered += ready
        reads = {position: needs for position, needs in reads.items() if position not in ready}
    for position in reads:
        when = axes[position].when
        assert when is not None
        raise SpecError(
            f"{when.text}: axes.{axes[position].key} applies by itself in the end; break the ring", when.place
        )
    return tuple(ordered)


def list_nameable(axes: Sequence[Axis]) -> tuple[str, ...]:
    """The names that constraints, `--where` and `--by` may use; a knob that a variant lacks is null there."""
    along = (path for axis in axes for path in axis.paths)
    return tuple(dict.fromkeys([*EXACT, *SCALED, *along, *knob_paths()]))
