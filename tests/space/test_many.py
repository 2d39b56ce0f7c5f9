"""Points priced together: what parts them, what is refused and of whom it is said, and that a grid stays one."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from columns import costs_of, drawn, grid, price_many

import archbench.space.costs
from archbench.design.spec.spec import preset_spec
from archbench.design.variants import make_variant, preset
from archbench.errors import SpecError
from archbench.models.graph import repeat
from archbench.models.ops import add
from archbench.models.pyramid import necks
from archbench.models.variant import record_network
from archbench.pricing.price import price
from archbench.space.costs import price_points
from archbench.space.points import UNSET, CodedColumn, Points

SMALL = {"input.height": [64, 97], "input.width": [65, 128]}
GROUPED = {  # 32 groups of the norm divide 4 x 32 channels, 32 x 1 and 32 x 3, but neither 4 x 1 nor 4 x 3
    "backbone.norm": ["group"],
    "backbone.groups": [1, 3, 32],
    "backbone.width_per_group": [4, 32, 64],
    "input.height": [64, 96],
}

variant = partial(make_variant, preset_spec("R-50-FPN"))


@pytest.fixture
def recorded(monkeypatch):
    """The architectures that were recorded, in order."""
    architectures = []

    def record(architecture, *sides, **how):
        architectures.append(architecture)
        return record_network(architecture, *sides, **how)

    monkeypatch.setattr(archbench.space.costs, "record_network", record)
    return architectures


def checked(points):
    """The counts of points, after each that is kept was seen to cost what it does alone."""
    counts = price_points(points, variant)
    kept = np.broadcast_to(points.kept, points.shape).reshape(-1)
    rows = [int(row) for row in np.flatnonzero(kept)]
    assert costs_of(counts, points.shape, rows) == [price(variant(points.assignment(row))) for row in rows]
    return counts


def fits(points):
    """Which points are networks."""

    def one(row):
        try:
            return bool(variant(points.assignment(row)))
        except SpecError:
            return False

    return np.array([one(row) for row in range(points.size)]).reshape(points.shape)


def test_a_grid_of_eight_axes_is_recorded_once_a_structure(recorded):
    axes = {
        "backbone.depths": [[1, 2, 1, 1], [3, 1, 1, 2]],
        "backbone.width": [0.5, 1.0],
        "backbone.block": ["basic", "bottleneck"],
        "neck.channels": [32, 64],
        "neck.fuse": ["sum", "average"],
        "top_block.type": ["none", "maxpool", "p6p7"],
        **SMALL,
    }
    checked(grid(axes))
    assert len(recorded) == 2 * 2 * 3


def test_a_metric_is_no_broader_than_what_it_depends_on():
    counts = checked(grid({"backbone.depths": [[1, 1, 1, 1], [2, 3, 1, 1]], "neck.channels": [32, 64, 96], **SMALL}))
    assert counts["params"].shape == (2, 3, 1, 1)
    assert counts["kernels"].shape == (2, 1, 1, 1)
    assert counts["peak_bytes"].shape == counts["macs"].shape == (2, 3, 2, 2)
    assert {values.dtype for values in counts.values()} == {np.dtype(np.int64)}


def test_a_stage_of_one_block_and_deeper_ones_are_one_recording(recorded):
    checked(grid({"backbone.depths": [[a, b, 1, d] for a in (1, 2) for b in (1, 4) for d in (1, 2)]}))
    assert len(recorded) == 1


def test_what_is_no_network_and_not_kept_is_in_nobodys_way(recorded):
    """The branch differs along two axes and parts them, block by block."""
    points = grid(GROUPED)
    kept = fits(points)
    assert kept.sum() == 14
    checked(replace(points, kept=kept))
    assert len(recorded) < points.size / 2


@pytest.mark.parametrize("points", [grid(GROUPED), drawn(GROUPED, 40)], ids=["grid", "drawn"])
def test_what_is_no_network_is_refused_with_its_own_message(points):
    with pytest.raises(SpecError) as together:
        price_points(points, variant)
    messages = []
    for row in range(points.size):
        try:
            variant(points.assignment(row))
        except SpecError as alone:
            messages.append((alone.message, alone.place))
    assert (together.value.message, together.value.place) in messages
    assert "which do not divide" in together.value.message
    assert "(in the variant backbone.norm: group, backbone.groups: " in together.value.message


@pytest.mark.parametrize(
    ("path", "values", "wrong"),
    [
        ("neck.channels", [64, 0], "neck.channels: 0 is not accepted"),
        ("neck.channels", [64, 64.5], "neck.channels: 64.5 is not accepted"),
        ("neck.chanels", [64, 128], "neck.chanels: unknown key"),
        ("backbone.depths", [[1, 1, 1, 1], [1, 1, 1, 1000]], "backbone.depths: [1, 1, 1, 1000] is not accepted"),
        ("backbone.depths", [[1, 1, 1, 1], [1, 1, 1]], "backbone.depths: [1, 1, 1] is not accepted"),
        ("top_block.type", ["none", "p8"], "top_block.type: there is no top_block 'p8'"),
        ("backbone.depth", [18, 20], "backbone.depth: 20 is not accepted"),
        ("measure.threads", [1, 0], "measure.threads: 0 is not accepted"),
        ("input.height", [64, 8], "input.height: 8 is under 32"),
        ("neck.levels", [[3, 4], [4, 3]], "neck.levels: [4, 3] is not in rising order"),
    ],
)
def test_a_value_that_is_not_accepted_is_refused_as_it_is_alone(path, values, wrong):
    axes = {path: values, "input.width": [64, 96]}
    with pytest.raises(SpecError) as together:
        price_points(grid(axes), variant)
    assert together.value.message.startswith(wrong)
    assert f"(in the variant {path}: " in together.value.message
    points = grid(axes)
    checked(replace(points, kept=fits(points)))


@pytest.mark.parametrize(
    "axes",
    [
        {"base": ["R-18-FPN", "R-50-C4", "resnext50_32x4d_fpn"], **SMALL},
        {"neck.levels": [[2, 3, 4, 5], [3, 4, 5], [3, 5], [2, 4]], **SMALL},
        {"backbone.depth": [18, 34, 50, 101, 152], "backbone.width": [0.5, 1.0]},
        {"backbone.depths": [None, [1, 1, 1, 1], [2, 1, 3, 1]], **SMALL},
        {"measure.precision": ["fp32", "tf32", "amp_fp16"], "measure.threads": [None, 1, 2], "input.batch": [1, 3]},
        {"backbone.width": [1, 0.5, 2], "backbone.stem_channels": [60, 64]},
        {"backbone.stem_channels": [64, 256], "backbone.block": ["basic", "bottleneck"], "backbone.width": [0.25, 1.0]},
        {"neck.norm": ["none", "batch", "frozen", "group"], "neck.relu": [True, False], **SMALL},
    ],
    ids=lambda axes: next(iter(axes)),
)
def test_any_kind_of_axis_costs_what_its_points_do(axes):
    checked(grid(axes))
    checked(drawn(axes, 30))


def test_an_axis_that_some_points_leave_alone_leaves_them_the_bases_value():
    """As a `when` does: groups only where there are bottlenecks, and columns that share an axis."""
    block = CodedColumn("backbone.block", ("basic", "bottleneck"), np.array([[0], [1]], np.int32))
    groups = CodedColumn("backbone.groups", (2, 32), np.array([[UNSET, UNSET, UNSET], [UNSET, 0, 1]], np.int32))
    height = CodedColumn("input.height", (64, 96, 128), np.array([[0, 1, 2]], np.int32))
    checked(Points((2, 3), (block, groups, height)))
    checked(
        Points((6,), tuple(replace(c, codes=np.broadcast_to(c.codes, (2, 3)).reshape(-1)) for c in (block, groups)))
    )


def test_one_point_and_none_are_points_too():
    assert {values.shape for values in checked(Points((), ())).values()} == {()}
    assert checked(Points((2,), ()))["macs"].size == 1
    empty = grid({"input.height": [64, 96], "neck.channels": [64]})
    nobody = price_points(replace(empty, kept=np.zeros(empty.shape, bool)), variant)
    assert {values.sum() for values in nobody.values()} == {0}
    assert price_many([]) == []


def test_more_rows_than_are_recorded_at_once_are_recorded_in_parts(recorded, monkeypatch):
    monkeypatch.setattr(archbench.space.costs, "ROWS", 16)
    checked(drawn({"neck.channels": [32, 64, 96], **SMALL}, 50))
    assert len(recorded) == 4


def test_a_repetition_that_lanes_cannot_roll_is_unrolled_for_each_number_of_times(recorded):
    """A neck of a test's own, which adds what went into its tower to what comes out."""

    @necks.register("tower")
    def tower(features, *, height: int = 2, levels: list = [5]):  # noqa: B006
        x = features["c5"]
        return {"p5": add(repeat(height, lambda y: add(y, y), x), x, name="skip")}

    try:
        checked(grid({"neck.type": ["tower"], "neck.height": [0, 1, 3], "input.height": [64, 96]}))
    finally:
        del necks._parts["tower"]
    assert len(recorded) > 3


def test_a_hand_written_module_is_refused_together_as_alone():
    hand_written = preset("R-50-FPN", {"module": "pkg.file:factory"})
    with pytest.raises(SpecError, match="hand-written"):
        price(hand_written)
    with pytest.raises(SpecError, match="hand-written"):
        price_many([preset("R-50-FPN"), hand_written])


def test_too_large_a_count_is_refused_unless_it_is_not_kept():
    points = grid({"input.height": [64, 65_536], "input.width": [64, 65_536], "neck.channels": [64, 65_536]})
    with pytest.raises(SpecError, match=r"^macs: .*input.height: 65536, input.width: 65536, neck.channels: 65536"):
        price_points(points, variant)
    kept = np.ones(points.shape, bool)
    kept[1, 1, 1] = False
    checked(replace(points, kept=kept))
