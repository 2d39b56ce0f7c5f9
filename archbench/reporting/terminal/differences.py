"""Where two networks differ: layer by layer, and knob by knob with what each costs.

  layers   matched by name; one that is in both differs where its op, output or cost does
  steps    from the first network to the second, one knob after another, each priced: their costs add up to the whole.
           Knobs that make no network alone are taken together with the next
Peak memory is of a whole network, so only a step has a share of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from archbench import units
from archbench.errors import SpecError
from archbench.models.variant import FAMILIES, ModuleFactory, PartChoice, Variant
from archbench.pricing.price import Cost, Layer, list_layers, price
from archbench.text import visible

MOST_ROWS = 200  # of layers, printed; --json has all

Change = Literal["added", "removed", "changed"]
WORKLOAD = "input"  # where a spec has what is neither part


@dataclass(frozen=True)
class LayerChange:
    """One layer that is not the same in both; what it is and costs on either side, null where it is not there."""

    name: str
    change: Change
    base: Layer | None
    new: Layer | None

    def count_more(self, count: str) -> int:
        """How much more of a count the second network has here."""
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
    """Names of both in one order: each of the second alone stands after what precedes it there."""
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
    """From one network to the other, one knob after another."""
    found: list[DesignChange] = []
    at, cost = base, price(base)
    pending: list[tuple[str, Any, Any]] = []
    changed = at
    for path, old, fresh, put in _list_knob_changes(base, new):
        pending.append((path, old, fresh))
        changed = put(changed)
        reached = _price_if_possible(changed)
        if reached is not None:
            found.append(_make_design_change(pending, cost, reached))
            at, cost, pending = changed, reached, []
    assert not pending, f"{at.name}: the last step ends at a network that prices"
    return tuple(found)


def _make_design_change(pending: Sequence[tuple[str, Any, Any]], before: Cost, after: Cost) -> DesignChange:
    paths, old, fresh = zip(*pending, strict=True)
    more = {name: getattr(after, name) - getattr(before, name) for name in ("params", "macs", "peak_bytes")}
    return DesignChange(paths, old, fresh, **more)


def _price_if_possible(variant: Variant) -> Cost | None:
    """Its cost; null where its parts do not fit together."""
    try:
        return price(variant)
    except SpecError:
        return None


def _list_knob_changes(base: Variant, new: Variant) -> Iterator[tuple[str, Any, Any, Any]]:
    """Each path that differs, its value on either side, and what puts the second's into a variant."""
    for family in FAMILIES:
        old, fresh = getattr(base.architecture, family), getattr(new.architecture, family)
        if old.type != fresh.type:
            yield f"{family}.type", old.type, fresh.type, _part_putter(family, fresh)
            continue
        for knob, value in fresh.knobs.items():
            if old.knobs[knob] != value:
                yield f"{family}.{knob}", old.knobs[knob], value, _knob_putter(family, knob, value)
    before = asdict(base.workload)
    for name, value in asdict(new.workload).items():
        if before[name] != value:
            yield f"{WORKLOAD}.{name}", before[name], value, _workload_putter(name, value)


def _part_putter(family: str, part: PartChoice) -> Any:
    return lambda variant: replace(variant, architecture=replace(variant.architecture, **{family: part}))


def _knob_putter(family: str, knob: str, value: Any) -> Any:
    def put(variant: Variant) -> Variant:
        part = getattr(variant.architecture, family)
        return _part_putter(family, PartChoice(part.type, {**part.knobs, knob: value}))(variant)  # type: ignore[no-any-return]

    return put


def _workload_putter(name: str, value: Any) -> Any:
    return lambda variant: replace(variant, workload=replace(variant.workload, **{name: value}))


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
    """The layers that compute or store something, a section a stage; what costs nothing either way is only counted."""
    grid = Grid(title=escape(title), title_justify="left", box=SIMPLE_HEAD)
    for heading in ("layer", "", "output"):
        grid.add_column(heading, overflow="fold")
    for heading in ("params", "MACs G"):
        grid.add_column(heading, justify="right", no_wrap=True)
    telling = [change for change in changes if any(each and (each.params or each.macs) for each in _sides(change))]
    group = ""
    for change in telling[:MOST_ROWS]:
        layer = change.new or change.base
        assert layer is not None
        if layer.group != group:
            group = layer.group
            grid.add_section()
            grid.add_row(f"[bold]{group}")
        params = format_change(change.count_more("params"), units.format_count)
        macs = format_change(change.count_more("macs"), units.format_giga)
        grid.add_row(change.name.removeprefix(f"{group}."), change.change, _format_outputs(change), params, macs)
    if len(telling) > MOST_ROWS:
        grid.add_row(f"and {len(telling) - MOST_ROWS} more; --json has all")
    return grid


def _sides(change: LayerChange) -> tuple[Layer | None, Layer | None]:
    return change.base, change.new


def _format_outputs(change: LayerChange) -> str:
    """The shape of an output, or of both where they differ."""
    shapes = [" x ".join(map(str, side.shape)) for side in _sides(change) if side is not None]
    return " to ".join(dict.fromkeys(shapes))


def _build_change_grid(found: Sequence[DesignChange], base: Cost, new: Cost) -> Grid:
    grid = Grid(title="what each difference costs, one after another", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("difference", "from", "to"):
        grid.add_column(heading, overflow="fold")
    for heading in ("params M", "MACs G", "peak MiB"):
        grid.add_column(heading, justify="right", no_wrap=True)
    for step in found:
        words = (
            "\n".join(escape(visible(units.format_plain(item))) for item in part)
            for part in (step.paths, step.base, step.new)
        )
        grid.add_row(*words, *_format_costs(asdict(step)))
    grid.add_section()
    whole = {name: getattr(new, name) - getattr(base, name) for name in ("params", "macs", "peak_bytes")}
    grid.add_row("[bold]together", "", "", *_format_costs(whole))
    return grid


def _format_costs(more: Mapping[str, Any]) -> tuple[str, str, str]:
    return (
        format_change(more["params"], units.format_mega),
        format_change(more["macs"], units.format_giga),
        format_change(more["peak_bytes"], units.format_mib),
    )


def format_change(value: int, write: units.Format) -> str:
    """A change with its sign, `=` where there is none."""
    return f"+{write(value)}" if value > 0 else write(value) if value < 0 else "="
