"""A graph is what a model function did when it was run on symbolic features: named nodes in the order they run.

Pricing reads the graph as arithmetic, `measure/worker/build.py` compiles it to a torch module. Neither is known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from archbench.errors import SpecError

Writes = Literal["new", "in place", "view"]


class Shape(NamedTuple):
    """One image's feature: channels, height, width."""

    c: int
    h: int
    w: int

    @property
    def numel(self) -> int:
        return self.c * self.h * self.w


class OpCost(NamedTuple):
    """The counts one op adds for one image, as the top of `ops.py` defines them."""

    params: int = 0
    buffer_bytes: int = 0
    macs: int = 0
    acts: int = 0
    fvcore: int = 0
    scratch_bytes: int = 0


@dataclass(frozen=True)
class TorchCall:
    """A torch callable by name: a module class (`nn.Conv2d`) built from `args`, or a function called on the inputs."""

    target: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    function: bool = False


class Op(Protocol):
    """An op answers three questions about its inputs' shapes, of which it takes as many as it reads, hence `...`.

    `writes` names the memory of the output: new, in place of an input that nobody else reads, or a view of the input.
    `torch_call` also takes `in_place`, whether the graph lets it overwrite its input.
    """

    writes: ClassVar[Writes]

    @property
    def output_shape(self) -> Callable[..., Shape]: ...

    @property
    def cost(self) -> Callable[..., OpCost]: ...

    @property
    def torch_call(self) -> Callable[..., TorchCall]: ...


@dataclass(frozen=True)
class Node:
    """A node is one op applied: `name` is dotted by scope (`backbone.res2.0.conv1`), `inputs` name what it reads.

    `times` is how often it runs: once, unless a rolled recording keeps one repetition for all.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    shape: Shape
    times: int = 1


@dataclass(frozen=True)
class Region:
    """A region is one repetition that stands for `times`: nodes `start` to before `stop`, feature `given` to `result`."""

    start: int
    stop: int
    given: str
    result: str
    times: int


@dataclass(frozen=True)
class Graph:
    """A recorded network: inputs, nodes in execution order, outputs as (key, node name). Shapes are of one image.

    A rolled graph has each repetition once, as a region, and is for adding up; only an unrolled graph can be built.
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
        """The cost that each node adds every time it runs, of one image."""
        return tuple(node.op.cost(*self.input_shapes(node)) for node in self.nodes)

    @cached_property
    def readers(self) -> dict[str, tuple[int, ...]]:
        """The positions of the nodes that read each input and node, one entry a read."""
        reads: dict[str, list[int]] = {name: [] for name in self.shapes}
        for position, node in enumerate(self.nodes):
            for name in node.inputs:
                reads[name].append(position)
        return {name: tuple(positions) for name, positions in reads.items()}

    @cached_property
    def in_place(self) -> frozenset[str]:
        """Nodes that may overwrite their input, which no other node reads and which is no input or output of the network."""
        kept = {name for name, _ in self.inputs} | {name for _, name in self.outputs}
        return frozenset(
            node.name
            for node in self.nodes
            if node.op.writes == "in place" and len(self.readers[node.inputs[0]]) == 1 and node.inputs[0] not in kept
        )

    def input_shapes(self, node: Node) -> tuple[Shape, ...]:
        return tuple(self.shapes[name] for name in node.inputs)


class GraphRecorder:
    """The recorder collects nodes while a model function runs."""

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
    """A feature is a named map that is being recorded; its shape is of one image."""

    recorder: GraphRecorder = field(repr=False)
    name: str
    shape: Shape

    @property
    def channels(self) -> int:
        return self.shape.c


Features = dict[str, Feature]  # by the field's names: c2..c5, p2..p7


def record_graph(program: Callable[[Feature], Features], image: Shape, *, rolled: bool = False) -> Graph:
    """Run `program` on an image of that shape; its returned features are the graph's outputs, under their keys.

    Rolled, a block that `repeat` applies is recorded once; its `times` may then be many numbers, one a lane.
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
        return _repeat_once(times, block, x, name=str(first))
    for index in range(first, first + times):
        with scope(x, str(index)):
            x = block(x)
    return x


def _repeat_once(times: int, block: Callable[[Feature], Feature], x: Feature, *, name: str) -> Feature:
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
