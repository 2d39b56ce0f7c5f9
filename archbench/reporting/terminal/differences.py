"""The differences of two networks: layer by layer, and knob by knob with the cost of each.

  layers   matched by name; one that is in both differs where its op, output or cost does
  steps    from the first network to the second, one knob after another, each priced: their costs add up to the whole.
           Knobs that make no network alone are taken together with the next
Peak memory is of a whole network, so only a step has a share of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from archbench import units
from archbench.errors import SpecError
from archbench.models.variant import FAMILIES, Architecture, ModuleFactory, PartChoice, Variant
from archbench.pricing.price import Cost, Layer, list_layers, price
from archbench.reporting.terminal.layers import open_grid, open_section
from archbench.text import visible

MOST_ROWS = 200  # of layers, printed; --json has all

Change = Literal["added", "removed", "changed"]
WORKLOAD = "input"  # where a spec has what is neither part


@dataclass(frozen=True)
class LayerChange:
    """One layer that is not the same in both networks, as it is in either; null where it is not there."""

    name: str
    change: Change
    base: Layer | None
    new: Layer | None

    @property
    def sides(self) -> tuple[Layer, ...]:
        """The layer in each network that has it."""
        return tuple(layer for layer in (self.base, self.new) if layer is not None)

    def count_more(self, count: str) -> int:
        """The count that the second network has here beyond the first."""
        before, after = (getattr(side, count) if side else 0 for side in (self.base, self.new))
        return int(after - before)


@dataclass(frozen=True)
class DesignChange:
    """One difference in the design, or several that only together make a network, and what it adds to the cost."""

    paths: tuple[str, ...]
    base: tuple[Any, ...]
    new: tuple[Any, ...]
    params: int
    macs: int
    peak_bytes: int


def find_layer_changes(base: Variant, new: Variant) -> tuple[LayerChange, ...]:
    """Every layer that differs: in the first network's order, what the second adds where it runs."""
    before, after = ({layer.name: layer for layer in list_layers(each)} for each in (base, new))
    return tuple(
        LayerChange(name, _kind_of_change(before.get(name), after.get(name)), before.get(name), after.get(name))
        for name in _merge_names(list(before), list(after))
        if before.get(name) != after.get(name)
    )


def _kind_of_change(base: Layer | None, new: Layer | None) -> Change:
    return "added" if base is None else "removed" if new is None else "changed"


def _merge_names(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """The names of both in one order: a name of the second alone stands after the one that precedes it there."""
    known, order = set(before), list(before)
    place = 0
    for name in after:
        if name in known:
            place = order.index(name, 0) + 1
        else:
            order.insert(place, name)
            place += 1
    return order


def find_design_changes(base: Variant, new: Variant) -> tuple[DesignChange, ...]:
    """The steps from one network to the other, one knob after another."""
    found: list[DesignChange] = []
    pending: list[tuple[str, Any, Any]] = []
    variant, cost = base, price(base)
    for path, old, fresh, change in _list_knob_changes(base, new):
        pending.append((path, old, fresh))
        variant = change(variant)
        reached = _price_if_possible(variant)
        if reached is not None:
            paths, before, after = zip(*pending, strict=True)
            found.append(DesignChange(paths, before, after, **_subtract_costs(cost, reached)))
            cost, pending = reached, []
    assert not pending, f"{variant.name}: the last step ends at a network that prices"
    return tuple(found)


def _list_knob_changes(base: Variant, new: Variant) -> Iterator[tuple[str, Any, Any, Callable[[Variant], Variant]]]:
    """Each path that differs, its value on either side, and the function that changes it in a variant."""
    for family in FAMILIES:
        old, fresh = getattr(base.architecture, family), getattr(new.architecture, family)
        if old.type != fresh.type:
            yield f"{family}.type", old.type, fresh.type, partial(_put_part, family=family, part=fresh)
            continue
        for knob, value in fresh.knobs.items():
            if old.knobs[knob] != value:
                put = partial(_put_knob, family=family, knob=knob, value=value)
                yield f"{family}.{knob}", old.knobs[knob], value, put
    before = asdict(base.workload)
    for name, value in asdict(new.workload).items():
        if before[name] != value:
            yield f"{WORKLOAD}.{name}", before[name], value, partial(_put_workload, name=name, value=value)


def _put_part(variant: Variant, family: str, part: PartChoice) -> Variant:
    assert isinstance(variant.architecture, Architecture)
    return replace(variant, architecture=replace(variant.architecture, **{family: part}))


def _put_knob(variant: Variant, family: str, knob: str, value: Any) -> Variant:
    part = getattr(variant.architecture, family)
    return _put_part(variant, family, PartChoice(part.type, {**part.knobs, knob: value}))


def _put_workload(variant: Variant, name: str, value: Any) -> Variant:
    return replace(variant, workload=replace(variant.workload, **{name: value}))


def _price_if_possible(variant: Variant) -> Cost | None:
    """The cost of a variant; null where its parts do not fit together."""
    try:
        return price(variant)
    except SpecError:
        return None


def _subtract_costs(base: Cost, new: Cost) -> dict[str, int]:
    return {name: getattr(new, name) - getattr(base, name) for name in ("params", "macs", "peak_bytes")}


def _check_parts(*variants: Variant) -> None:
    for variant in variants:
        if isinstance(variant.architecture, ModuleFactory):
            raise SpecError(
                f"module: {variant.architecture.factory} is hand-written; its layers are known only when it runs"
            )


def differences_json(base: Variant, new: Variant) -> dict[str, Any]:
    """Both costs, the steps between them and the layers that differ, as plain data."""
    _check_parts(base, new)
    return {
        "base": {"name": base.name, "id": base.id, "exact": price(base).as_json()},
        "new": {"name": new.name, "id": new.id, "exact": price(new).as_json()},
        "steps": [asdict(step) for step in find_design_changes(base, new)],
        "layers": [_layer_json(change) for change in find_layer_changes(base, new)],
    }


def _layer_json(change: LayerChange) -> dict[str, Any]:
    sides = {
        side: None if layer is None else {**asdict(layer), "shape": list(layer.shape)}
        for side, layer in (("base", change.base), ("new", change.new))
    }
    return {"name": change.name, "change": change.change, **sides}


def print_differences(base: Variant, new: Variant, console: Console) -> None:
    """Print the layers that differ, the steps between the networks, and the whole."""
    _check_parts(base, new)
    changes = find_layer_changes(base, new)
    title = f"{visible(base.name)} to {visible(new.name)}"
    if not changes and price(base) == price(new):
        console.print(escape(f"{title}: the same network at the same cost"))
    else:
        console.print(_build_layer_grid(title, changes))
        console.print(_build_change_grid(find_design_changes(base, new), price(base), price(new)))
    counts = Counter(change.change for change in changes)
    said = ", ".join(f"{counts[word]} {word}" for word in ("added", "removed", "changed") if counts[word])
    console.print(f"layers: {said or 'none differs'}; MACs are of the whole batch")


def _build_layer_grid(title: str, changes: Sequence[LayerChange]) -> Grid:
    """The layers that compute or store something, a section a stage; layers that cost nothing either way are only counted."""
    grid = open_grid(escape(title), ("layer", "", "output"), ("params", "MACs G"))
    telling = [change for change in changes if any(layer.params or layer.macs for layer in change.sides)]
    for group, members in groupby(telling[:MOST_ROWS], lambda change: change.sides[-1].group):
        open_section(grid, group)
        for change in members:
            params = format_change(change.count_more("params"), units.format_count)
            macs = format_change(change.count_more("macs"), units.format_giga)
            grid.add_row(change.name.removeprefix(f"{group}."), change.change, _format_outputs(change), params, macs)
    if len(telling) > MOST_ROWS:
        grid.add_row(f"and {len(telling) - MOST_ROWS} more; --json has all")
    return grid


def _format_outputs(change: LayerChange) -> str:
    """The shape of an output, or of both where they differ."""
    shapes = [" x ".join(map(str, side.shape)) for side in change.sides]
    return " to ".join(dict.fromkeys(shapes))


def _build_change_grid(found: Sequence[DesignChange], base: Cost, new: Cost) -> Grid:
    title, numbers = "what each difference costs, one after another", ("params M", "MACs G", "peak MiB")
    grid = open_grid(title, ("difference", "from", "to"), numbers)
    for change in found:
        columns = (change.paths, change.base, change.new)
        words = ("\n".join(escape(visible(units.format_plain(item))) for item in column) for column in columns)
        grid.add_row(*words, *_format_costs(asdict(change)))
    grid.add_section()
    grid.add_row("[bold]together", "", "", *_format_costs(_subtract_costs(base, new)))
    return grid


def _format_costs(more: Mapping[str, Any]) -> list[str]:
    formats = {"params": units.format_mega, "macs": units.format_giga, "peak_bytes": units.format_mib}
    return [format_change(more[name], write) for name, write in formats.items()]


def format_change(value: int, write: units.Format) -> str:
    """A change with its sign, `=` where there is none."""
    return f"+{write(value)}" if value > 0 else write(value) if value < 0 else "="
