"""Nothing is inferred from a coincidence of channel counts, and widths are what the rounding rule says."""

import pytest
from networks import sized

from archbench.models.graph import Graph
from archbench.models.ops import Conv
from archbench.models.resnet import widen_channels
from archbench.pricing.price import price

CHANNELS = [64, 96, 128, 192, 255, 256, 257, 512, 1024, 2048]  # 256 is FPN's usual, 512 and 2048 are C5's widths


def wiring(graph: Graph):
    """The network with every width taken out: names, kinds, inputs, kernels, outputs."""
    nodes = [
        (n.name, type(n.op).__name__, n.inputs, getattr(n.op, "kernel", None), getattr(n.op, "bias", None))
        for n in graph.nodes
    ]
    return nodes, graph.outputs


@pytest.mark.parametrize("source", ["c5", "p5"])
@pytest.mark.parametrize("preset", ["resnet18_fpn", "resnet50_fpn"])
def test_ten_fpn_widths_change_nothing_but_the_width(preset, source):
    """Two well-known code bases take P6 from P5 instead of C5 when the pyramid is as wide as C5, or 256."""
    knobs = {"neck.levels": [3, 4, 5], "top_block.type": "p6p7", "top_block.source": source}
    graphs = {width: sized(preset, 256, 320, knobs | {"neck.channels": width}).graph for width in CHANNELS}
    first = wiring(graphs[64])
    assert all(wiring(graph) == first for graph in graphs.values())
    for width, graph in graphs.items():
        outside = [n.op.out for n in graph.nodes if isinstance(n.op, Conv) and not n.name.startswith("backbone.")]
        assert set(outside) == {width}


@pytest.mark.parametrize("preset", ["resnet18_fpn", "resnet50_fpn"])
def test_macs_are_a_square_in_the_fpn_width(preset):
    """A + B w + C w^2 exactly: laterals and P6's input are linear, everything else of the pyramid is square."""
    a, b, c = (price(sized(preset, 256, 320, {"neck.channels": width})).macs for width in (64, 128, 192))
    second = (c - b) - (b - a)
    for step, width in enumerate(range(256, 2049, 64), start=3):
        expected = a + step * (b - a) + step * (step - 1) // 2 * second
        assert price(sized(preset, 256, 320, {"neck.channels": width})).macs == expected


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    [
        (64, 1.0, 64),
        (60, 1.0, 60),
        (64, 0.5, 32),
        (64, 0.35, 24),
        (72, 0.7, 48),
        (64, 0.1, 8),
        (512, 0.75, 384),
        (64, 0.15625, 16),
    ],
)
def test_width_rounds_to_the_nearest_multiple_of_8_and_never_under_90_percent(channels, width, expected):
    """64 * .35 = 22.4 -> 24; 72 * .7 = 50.4 -> 48; 64 * .15625 = 10 -> 8 would be 80 %, so 16."""
    assert widen_channels(channels, width) == expected


def test_a_projection_stands_wherever_stride_or_channels_change():
    """detectron2 and maskrcnn-benchmark decide by channels alone, and fail at equal channels with stride 2."""
    knobs = {"backbone.block": "basic", "backbone.depths": [2, 2, 2, 2], "backbone.depth": 18}
    names = [
        node.name for node in sized("resnet18_fpn", 64, 64, knobs).graph.nodes if node.name.endswith("shortcut.conv")
    ]
    assert names == [f"backbone.res{level}.0.shortcut.conv" for level in (3, 4, 5)]
