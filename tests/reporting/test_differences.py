"""Where two networks differ: layers by name, steps that add up to the whole."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from archbench.design.spec.spec import preset_spec
from archbench.design.variants import expand, preset
from archbench.errors import SpecError
from archbench.models.presets import PRESETS
from archbench.models.variant import ModuleFactory, Variant
from archbench.pricing.price import price
from archbench.reporting.terminal.differences import (
    differences_json,
    find_design_changes,
    find_layer_changes,
    format_change,
    print_differences,
)
from archbench.units import format_count

R50 = preset("R-50-FPN")


def printed(base: Variant, new: Variant) -> str:
    console = Console(file=io.StringIO(), width=100, highlight=False)
    print_differences(base, new, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_r_101_is_r_50_with_17_more_blocks_of_res4() -> None:
    """He et al. 2015, table 1: conv4_x has 6 blocks in the one and 23 in the other, all else is equal."""
    changes = find_layer_changes(R50, preset("R-101-FPN"))
    assert {change.change for change in changes} == {"added"}
    assert {".".join(change.name.split(".")[:3]) for change in changes} == {
        f"backbone.res4.{block}" for block in range(6, 23)
    }
    bottleneck = 1024 * 256 + 256 * 256 * 9 + 256 * 1024  # parameters of one
    assert sum(change.count_more("params") for change in changes) == 17 * bottleneck


def test_what_is_added_stands_where_it_runs() -> None:
    order = [change.name for change in find_layer_changes(R50, preset("R-101-FPN"))]
    blocks = [int(name.split(".")[2]) for name in order]
    assert blocks == sorted(blocks)


def test_a_layer_of_another_width_is_changed_and_one_that_went_is_removed() -> None:
    changes = {
        c.name: c for c in find_layer_changes(R50, preset("R-50-FPN", {"neck.channels": 128, "top_block.type": "none"}))
    }
    lateral = changes["neck.p5.lateral"]
    assert (lateral.change, lateral.count_more("params")) == ("changed", (128 - 256) * (2048 + 1))
    assert {c.change for name, c in changes.items() if name.startswith("top_block")} == {"removed"}
    assert not any(name.startswith("backbone") for name in changes)


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "R-50-FPN"])
def test_steps_add_up_to_the_whole_and_so_do_layers(name: str) -> None:
    other = preset(name)
    before, after = price(R50), price(other)
    found = find_design_changes(R50, other)
    assert sum(step.params for step in found) == after.params - before.params
    assert sum(step.macs for step in found) == after.macs - before.macs
    assert sum(step.peak_bytes for step in found) == after.peak_bytes - before.peak_bytes
    changes = find_layer_changes(R50, other)
    assert sum(change.count_more("macs") for change in changes) == after.macs - before.macs
    assert sum(change.count_more("params") for change in changes) == after.params - before.params


def test_each_step_is_one_knob_with_its_own_cost() -> None:
    found = find_design_changes(
        R50, preset("R-50-FPN", {"neck.channels": 128, "top_block.type": "p6p7", "input.batch": 2})
    )
    assert [step.paths for step in found] == [("neck.channels",), ("top_block.type",), ("input.batch",)]
    assert [(step.base, step.new) for step in found] == [((256,), (128,)), (("maxpool",), ("p6p7",)), ((1,), (2,))]
    narrow = price(preset("R-50-FPN", {"neck.channels": 128}))
    assert found[0].peak_bytes == narrow.peak_bytes - price(R50).peak_bytes
    assert found[2].params == 0


def test_knobs_that_make_no_network_alone_are_one_step() -> None:
    """Without an FPN there is no coarsest level for the max pool to take."""
    (step,) = find_design_changes(R50, preset("R-50-C4"))
    assert step.paths == ("neck.type", "top_block.type")


def test_a_network_differs_from_itself_in_nothing() -> None:
    assert differences_json(R50, R50) | {"base": 0, "new": 0} == {"base": 0, "new": 0, "steps": [], "layers": []}
    assert "the same network at the same cost" in printed(R50, R50)


def test_both_tables_are_printed() -> None:
    out = printed(R50, preset("R-101-FPN"))
    assert "22.conv3" in out
    assert "backbone.depth" in out
    assert "+18.94" in out  # 44.55 M less 25.61 M, as torchvision counts the two
    assert "170 added" in out


def test_names_are_inert() -> None:
    wild = replace(R50, name="[red]x\x1b[31m\n")
    assert "\x1b" not in printed(wild, preset("R-101-FPN"))
    assert "[red]x" in printed(wild, preset("R-101-FPN"))


def test_a_hand_written_network_is_refused() -> None:
    spec = preset_spec("R-50-FPN")
    other = replace(expand(spec).reference, architecture=ModuleFactory("net:make"))
    with pytest.raises(SpecError, match="net:make is hand-written"):
        differences_json(R50, other)


@pytest.mark.parametrize(("value", "said"), [(5, "+5"), (-5, "-5"), (0, "=")])
def test_a_change_has_its_sign(value: int, said: str) -> None:
    assert format_change(value, format_count) == said
