"""The most bytes of features alive at once, from the order of a graph's nodes.

The input lives throughout; outputs to the end; every other feature until its last reader returns. An op that writes in
place, or only views, has its input's memory. A device adds its own scratch, so what it reports is never less.

A region of a rolled graph is one repetition that stands for many, or for none. Where it is `regular`, that one is enough:
each repetition finds the same features alive beside its input, holds the same while it runs, and leaves its result in its
input's place, as large. So all have one profile; what is alive after the region does not depend on how many there were; and
where there were none, the feature before the region stands for the result, read by the same nodes.
"""

from __future__ import annotations

from collections.abc import Iterator

from archbench.models.graph import Graph, Region
from archbench.models.ops import FLOAT_BYTES
from archbench.pricing.lanes import group_by_identity, holds_somewhere, largest_lane


class Irregular(Exception):
    """A region whose repetitions may differ in what is alive: the graph is to be recorded unrolled."""


class LiveFeatures:
    """Sizes of the features alive, and their sum at every depth. What lives long lies deep, so little is added again."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.sizes: list[int] = []
        self.sums: list[int] = [0]

    @property
    def total(self) -> int:
        return self.sums[-1]

    def push(self, name: str, size: int) -> None:
        self.names.append(name)
        self.sizes.append(size)
        self.sums.append(self.total + size)

    def drop(self, name: str) -> None:
        depth = self.names.index(name)
        above = list(zip(self.names[depth + 1 :], self.sizes[depth + 1 :], strict=True))
        del self.names[depth:], self.sizes[depth:], self.sums[depth + 1 :]
        for other, size in above:
            self.push(other, size)


def find_storages(graph: Graph) -> dict[str, str]:
    """For each input and node, the name of the feature whose memory it is."""
    owner = {name: name for name, _ in graph.inputs}
    for node in graph.nodes:
        shared = node.op.writes == "view" or node.name in graph.in_place
        owner[node.name] = owner[node.inputs[0]] if shared else node.name
    return owner


def find_last_reads(graph: Graph, owner: dict[str, str]) -> dict[str, int]:
    """For each storage, the position of the node after which it is free; past the end for inputs and outputs.

    A feature nobody reads is free as soon as it is written.
    """
    last = {owner[node.name]: position for position, node in enumerate(graph.nodes)}
    for name, positions in graph.readers.items():
        for position in positions:
            last[owner[name]] = max(last.get(owner[name], position), position)
    for name in [*(name for name, _ in graph.inputs), *(name for _, name in graph.outputs)]:
        last[owner[name]] = len(graph.nodes)
    return last


def peak_feature_bytes(graph: Graph, *, batch: int = 1, feature_bytes: int = FLOAT_BYTES) -> int:
    """The maximum over nodes of: features live before it, its output, its scratch. The input is fp32 whatever else is.

    Raises Irregular for a rolled graph of which one repetition does not tell.
    """
    owner = find_storages(graph)
    last = find_last_reads(graph, owner)
    if not all(is_regular(graph, region, owner, last) for region in graph.regions):
        raise Irregular
    peak: int = 0
    for times, alive in group_by_identity(_list_alive(graph, owner, last, feature_bytes)):
        here = largest_lane(alive)
        if holds_somewhere(here > peak):  # rarely in a region: the block before it needs as much
            peak = largest_lane([peak, here * (times > 0)])
    return batch * peak


def _list_alive(
    graph: Graph, owner: dict[str, str], last: dict[str, int], feature_bytes: int
) -> Iterator[tuple[int, int]]:
    """For the input and each node, how often it runs, and the bytes alive when it returns."""
    freed: dict[int, list[str]] = {}
    for name, position in last.items():
        freed.setdefault(position, []).append(name)
    live = LiveFeatures()
    for name, shape in graph.inputs:
        live.push(name, shape.numel * FLOAT_BYTES)
    yield 1, live.total
    for position, (node, cost) in enumerate(zip(graph.nodes, graph.costs, strict=True)):
        if owner[node.name] == node.name:
            live.push(node.name, node.shape.numel * feature_bytes)
        yield node.times, live.total + cost.scratch_bytes
        for name in freed.get(position, ()):
            live.drop(name)


def is_regular(graph: Graph, region: Region, owner: dict[str, str], last: dict[str, int]) -> bool:
    """Whether one repetition tells of all, and of none: see the top of this file.

    It reads nothing but its own and what it is given, which nobody else reads or keeps; of its own only the result gets
    out, into somebody's hands, as large as what was given.
    """
    start, stop, given, result = region.start, region.stop, region.given, region.result
    own = {node.name for node in graph.nodes[start:stop]}
    kept = {name for _, name in graph.outputs}
    closed = all(name in own or name == given for node in graph.nodes[start:stop] for name in node.inputs)
    taken = start <= last[owner[given]] < stop and all(start <= reader < stop for reader in graph.readers[given])
    leaked = any(name in kept or any(reader >= stop for reader in graph.readers[name]) for name in own - {result})
    if not closed or not taken or leaked or result not in own:
        return False
    readers = graph.readers[result]
    used = result in kept or bool(readers)
    return used and all(reader >= stop for reader in readers) and graph.shapes[result] == graph.shapes[given]
