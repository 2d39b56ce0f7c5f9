"""What one variant costs, exactly, without building it: its graph added up. Integers throughout; no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from archbench.design.variant import Module, Variant
from archbench.errors import SpecError
from archbench.models.graph import Graph, Node
from archbench.models.ops import FLOAT_BYTES, OpCost, Shape
from archbench.pricing.liveness import peak_feature_bytes


@dataclass(frozen=True)
class Cost:
    """The exact metrics (`metrics.py`) of one forward pass of the whole batch."""

    params: int
    weight_bytes: int
    macs: int
    flops: int
    fvcore_flops: int
    acts: int
    kernels: int
    peak_bytes: int

    def as_json(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True)
class Layer:
    """One node's share. `shape` is one image's output; counts are of the whole batch; `group` is the stage or level."""

    name: str
    op: str
    shape: Shape
    params: int
    weight_bytes: int
    macs: int
    acts: int
    fvcore_flops: int

    @property
    def group(self) -> str:
        """Its first two scopes: `backbone.res3`, `neck.p4`, `top_block.p6`."""
        return ".".join(self.name.split(".")[:2])


def price(variant: Variant) -> Cost:
    """The exact cost of a variant. Raises SpecError where its parts do not fit, or for a hand-written module."""
    if isinstance(variant.architecture, Module):
        raise SpecError(
            f"module: {variant.architecture.factory} is hand-written; it is traced when it is run, not priced"
        )
    return add_up(variant.graph, variant.workload.batch, variant.workload.feature_bytes)


def add_up(graph: Graph, batch: int, feature_bytes: int) -> Cost:
    """The whole graph's cost for a batch of images, features at `feature_bytes` an element."""
    rows = [_layer(node, node.op.cost(*graph.input_shapes(node)), batch) for node in graph.nodes]
    weights = sum(row.weight_bytes for row in rows)
    macs = sum(row.macs for row in rows)
    return Cost(
        params=sum(row.params for row in rows),
        weight_bytes=weights,
        macs=macs,
        flops=2 * macs,
        fvcore_flops=sum(row.fvcore_flops for row in rows),
        acts=sum(row.acts for row in rows),
        kernels=kernels(graph),
        peak_bytes=weights + peak_feature_bytes(graph, batch=batch, feature_bytes=feature_bytes),
    )


def layers(variant: Variant) -> tuple[Layer, ...]:
    """Every node of the variant's graph with its cost, in execution order."""
    batch = variant.workload.batch
    graph = variant.graph
    return tuple(_layer(node, node.op.cost(*graph.input_shapes(node)), batch) for node in graph.nodes)


def kernels(graph: Graph) -> int:
    """Nodes that write a tensor."""
    return sum(node.op.writes != "view" for node in graph.nodes)


def _layer(node: Node, cost: OpCost, batch: int) -> Layer:
    return Layer(
        name=node.name,
        op=type(node.op).__name__,
        shape=node.shape,
        params=cost.params,
        weight_bytes=cost.params * FLOAT_BYTES + cost.buffer_bytes,
        macs=batch * cost.macs,
        acts=batch * cost.acts,
        fvcore_flops=batch * cost.fvcore,
    )
