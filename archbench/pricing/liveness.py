"""The most bytes of features alive at once, from the order of a graph's nodes.

The input lives throughout; outputs to the end; every other feature until its last reader returns. An op that writes in
place, or only views, has its input's memory. A device adds its own scratch, so what it reports is never less.
"""

from __future__ import annotations

from archbench.models.graph import Graph
from archbench.models.ops import FLOAT_BYTES


def storages(graph: Graph) -> dict[str, str]:
    """For each input and node, the name of the feature whose memory it is."""
    owner = {name: name for name, _ in graph.inputs}
    for node in graph.nodes:
        shared = node.op.writes == "view" or node.name in graph.in_place
        owner[node.name] = owner[node.inputs[0]] if shared else node.name
    return owner


def last_reads(graph: Graph, owner: dict[str, str]) -> dict[str, int]:
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
    """The maximum over nodes of: features live before it, its output, its scratch. The input is fp32 whatever else is."""
    owner = storages(graph)
    last = last_reads(graph, owner)
    freed: dict[int, list[str]] = {}
    for name, position in last.items():
        freed.setdefault(position, []).append(name)
    size = {name: shape.numel * FLOAT_BYTES for name, shape in graph.inputs}
    live = peak = sum(size.values())
    for position, node in enumerate(graph.nodes):
        if owner[node.name] == node.name:
            size[node.name] = node.shape.numel * feature_bytes
            live += size[node.name]
        peak = larger(peak, live + node.op.cost(*graph.input_shapes(node)).scratch_bytes)
        live -= sum(size[name] for name in freed.get(position, ()))
    return batch * peak


def larger(a: int, b: int) -> int:
    """max(a, b) without a branch, so that it also holds lane by lane."""
    return a + (b - a) * (b > a)
