"""Run a model function on symbolic features and keep what it did: named nodes in the order they run.

Pricing reads the graph as arithmetic, `measure/build.py` compiles it to a torch module. Neither is known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from archbench.errors import SpecError
from archbench.models.ops import (
    Add,
    Conv,
    Flatten,
    GlobalAveragePool,
    Linear,
    MaxPool,
    Op,
    OpCost,
    Relu,
    Scale,
    Shape,
    Upsample,
)


@dataclass(frozen=True)
class Node:
    """One op applied: `name` is dotted by scope (`backbone.res2.0.conv1`), `inputs` name what it reads.

    `times` is how often it runs: once, unless a rolled recording keeps one repetition for all.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    shape: Shape
    times: int = 1


@dataclass(frozen=True)
class Region:
    """One repetition that stands for `times`: the nodes from `start` to before `stop`, from the feature `given` to `result`."""

    start: int
    stop: int
    given: str
    result: str
    times: int


@dataclass(frozen=True)
class Graph:
    """A recorded network: inputs, nodes in execution order, outputs as (key, node name). Shapes are of one image.

    A rolled one has each repetition once, as a region. It is for adding up; only an unrolled one can be built.
    """

    inputs: tuple[tuple[str, Shape], ...]
    nodes: tuple[Node, ...]
    outputs: tuple[tuple[str, str], ...]
    regions: tuple[Region, ...] = ()

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """Every input's and node's shape by name."""
        return dict(self.inputs) | {node.name: node.shape for node in self.nodes}

    @cached_property
    def costs(self) -> tuple[OpCost, ...]:
        """What each node adds every time it runs, of one image."""
        return tuple(node.op.cost(*self.input_shapes(node)) for node in self.nodes)

    @cached_property
    def readers(self) -> dict[str, tuple[int, ...]]:
        """For each input and node, the positions of the nodes that read it, one entry a read."""
        reads: dict[str, list[int]] = {name: [] for name in self.shapes}
        for position, node in enumerate(self.nodes):
            for name in node.inputs:
                reads[name].append(position)
        return {name: tuple(positions) for name, positions in reads.items()}

    @cached_property
    def in_place(self) -> frozenset[str]:
        """Nodes that may overwrite their input: it has no other reader and is neither input nor output of the network."""
        kept = {name for name, _ in self.inputs} | {name for _, name in self.outputs}
        return frozenset(
            node.name
            for node in self.nodes
            if node.op.writes == "in place" and len(self.readers[node.inputs[0]]) == 1 and node.inputs[0] not in kept
        )

    def input_shapes(self, node: Node) -> tuple[Shape, ...]:
        return tuple(self.shapes[name] for name in node.inputs)


class GraphRecorder:
    """Collects nodes while a model function runs."""

    def __init__(self, *, rolled: bool = False) -> None:
        self.rolled = rolled
        self.nodes: list[Node] = []
        self.regions: list[Region] = []
        self.times = 1  # how often what is recorded now runs
        self.path: list[str] = []
        self.names: set[str] = set()

    def add_node(self, op: Op, *features: Feature, name: str) -> Feature:
        full = ".".join([*self.path, name])
        assert full not in self.names, f"{full} is recorded twice"
        self.names.add(full)
        try:
            shape = op.output_shape(*(feature.shape for feature in features))
        except SpecError as error:
            raise SpecError(f"{self.path[0]}.{error.message} (at {full})") from error
        self.nodes.append(Node(full, op, tuple(feature.name for feature in features), shape, self.times))
        return Feature(self, full, shape)


@dataclass(frozen=True, eq=False)
class Feature:
    """A named map while it is being recorded; its shape is one image's."""

    recorder: GraphRecorder = field(repr=False)
    name: str
    shape: Shape

    @property
    def channels(self) -> int:
        return self.shape.c


Features = dict[str, Feature]  # by the field's names: c2..c5, p2..p7


def record_graph(program: Callable[[Feature], Features], image: Shape, *, rolled: bool = False) -> Graph:
    """Run `program` on an image of that shape; its returned features are the graph's outputs, under their keys.

    Rolled, what `repeat` repeats is recorded once: how often may then be many numbers, one a lane.
    """
    recorder = GraphRecorder(rolled=rolled)
    outputs = program(Feature(recorder, "image", image))
    named = tuple((key, feature.name) for key, feature in outputs.items())
    return Graph((("image", image),), tuple(recorder.nodes), named, tuple(recorder.regions))


@contextmanager
def scope(feature: Feature, name: str) -> Iterator[None]:
    """Names recorded inside are prefixed with `name`."""
    feature.recorder.path.append(name)
    try:
        yield
    finally:
        feature.recorder.path.pop()


def repeat(times: int, block: Callable[[Feature], Feature], x: Feature, *, first: int = 0) -> Feature:
    """Apply a block that keeps the shape `times` times, in scopes named from `first` on."""
    if x.recorder.rolled and not (isinstance(times, int) and times < 2):
        return _repeat_rolled(times, block, x, name=str(first))
    for index in range(first, first + times):
        with scope(x, str(index)):
            x = block(x)
    return x


def _repeat_rolled(times: int, block: Callable[[Feature], Feature], x: Feature, *, name: str) -> Feature:
    """One repetition, its nodes marked as running `times` times, which may be none."""
    recorder, outer = x.recorder, x.recorder.times
    start, inner = len(recorder.nodes), len(recorder.regions)
    recorder.times = outer * times
    try:
        with scope(x, name):
            result = block(x)
    except SpecError:
        if times == 0:  # what never runs cannot fail; lanes part here where only some never run it
            del recorder.nodes[start:], recorder.regions[inner:]
            return x
        raise
    finally:
        recorder.times = outer
    recorder.regions.append(Region(start, len(recorder.nodes), x.name, result.name, times))
    return result


def conv(
    x: Feature,
    out: int,
    kernel: int = 1,
    stride: int = 1,
    *,
    groups: int = 1,
    dilation: int = 1,
    bias: bool = False,
    name: str = "conv",
) -> Feature:
    return x.recorder.add_node(Conv(out, kernel, stride, groups, dilation, bias), x, name=name)


def apply_op(op: Op, x: Feature, *, name: str) -> Feature:
    """Any op of one input, for those a model picks by name (norms)."""
    return x.recorder.add_node(op, x, name=name)


def relu(x: Feature, *, name: str = "relu") -> Feature:
    return x.recorder.add_node(Relu(), x, name=name)


def scale(x: Feature, factor: float, *, name: str = "scale") -> Feature:
    return x.recorder.add_node(Scale(factor), x, name=name)


def add(a: Feature, b: Feature, *, name: str = "add") -> Feature:
    return a.recorder.add_node(Add(), a, b, name=name)


def max_pool(x: Feature, kernel: int, stride: int, padding: int = 0, *, name: str = "pool") -> Feature:
    return x.recorder.add_node(MaxPool(kernel, stride, padding), x, name=name)


def global_average_pool(x: Feature, *, name: str = "pool") -> Feature:
    return x.recorder.add_node(GlobalAveragePool(), x, name=name)


def upsample_to(x: Feature, finer: Feature, *, name: str = "upsample") -> Feature:
    """Nearest neighbour to the size of `finer`, of which only the size is read."""
    return x.recorder.add_node(Upsample(finer.shape.h, finer.shape.w), x, name=name)


def linear(x: Feature, out: int, *, name: str = "fc") -> Feature:
    return x.recorder.add_node(Linear(out), x.recorder.add_node(Flatten(), x, name="flatten"), name=name)
