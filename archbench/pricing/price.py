"""The exact cost of one variant, which is not built: its graph is added up. Integers throughout; no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from archbench import units
from archbench.errors import SpecError
from archbench.models.graph import Graph, Node, OpCost, Shape
from archbench.models.ops import FLOAT_BYTES
from archbench.models.variant import FEATURE_BYTES, Variant
from archbench.pricing.lanes import INT64_MAX, add_lanes, group_by_identity
from archbench.pricing.liveness import peak_feature_bytes
from archbench.text import visible


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
    """One node with its share of the cost. `shape` is of one image's output; counts are of the whole batch."""

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
        """The stage or level, which is the first two scopes of the name: `backbone.res3`, `neck.p4`, `top_block.p6`."""
        return ".".join(self.name.split(".")[:2])


@dataclass(frozen=True)
class GroupShare:
    """The layers of one stage or level added up, and their share of the network, which is 1."""

    group: str
    params: int
    macs: int
    acts: int
    params_share: float
    macs_share: float


def price(variant: Variant) -> Cost:
    """The exact cost of a variant. Raises SpecError where its parts do not fit, or for a hand-written module.

    A count over 64 bits is refused: no table holds it.
    """
    cost = add_up(variant.graph, variant.workload.batch, FEATURE_BYTES[variant.workload.precision])
    for metric, count in cost.as_json().items():
        if count > INT64_MAX:
            raise _too_large_error(metric, count, variant)
    return cost


def _too_large_error(metric: str, count: int, variant: Variant) -> SpecError:
    at = (
        ", ".join(f"{path}: {visible(units.format_plain(value))}" for path, value in variant.axes.items())
        or variant.name
    )
    return SpecError(
        f"{metric}: {count:,} is over {INT64_MAX:,}, the most that 64 bits hold; take a smaller network, input or batch"
        + (f" (in the variant {at})" if at else "")
    )


def add_up(graph: Graph, batch: int, feature_bytes: int) -> Cost:
    """The whole graph's cost for a batch of images, features at `feature_bytes` an element."""
    kernels = _sum_times((node.times, int(node.op.writes != "view")) for node in graph.nodes)
    costs = [(node.times, cost) for node, cost in zip(graph.nodes, graph.costs, strict=True)]
    total = OpCost(*(_sum_times((times, cost[index]) for times, cost in costs) for index in range(len(OpCost._fields))))
    weights, macs = total.params * FLOAT_BYTES + total.buffer_bytes, batch * total.macs
    return Cost(
        params=total.params,
        weight_bytes=weights,
        macs=macs,
        flops=2 * macs,
        fvcore_flops=batch * total.fvcore,
        acts=batch * total.acts,
        kernels=kernels,
        peak_bytes=weights + peak_feature_bytes(graph, batch=batch, feature_bytes=feature_bytes),
    )


def _sum_times(counts: Iterable[tuple[int, int]]) -> int:
    """The sum of times x count."""
    total: int = add_lanes(times * add_lanes(group) for times, group in group_by_identity(counts))
    return total


def list_layers(variant: Variant) -> tuple[Layer, ...]:
    """Every node of the variant's graph with its cost, in execution order."""
    batch = variant.workload.batch
    graph = variant.graph
    return tuple(_make_layer(node, cost, batch) for node, cost in zip(graph.nodes, graph.costs, strict=True))


def _make_layer(node: Node, cost: OpCost, batch: int) -> Layer:
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


def share_by_group(rows: Sequence[Layer]) -> tuple[GroupShare, ...]:
    """Totals by stage (`backbone.res3`) and by FPN level (`neck.p4`), in execution order."""
    params, macs = sum(row.params for row in rows), sum(row.macs for row in rows)
    groups: dict[str, list[Layer]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    return tuple(
        GroupShare(
            group,
            own := sum(r.params for r in members),
            work := sum(r.macs for r in members),
            sum(r.acts for r in members),
            own / params if params else 0.0,
            work / macs if macs else 0.0,
        )
        for group, members in sorted(groups.items(), key=lambda item: _group_order(item[0], rows))
    )


def _group_order(group: str, rows: Sequence[Layer]) -> tuple[int, str]:
    """Families in execution order; levels of a family by name, since a pyramid is built from its coarsest."""
    families = list(dict.fromkeys(row.group.split(".")[0] for row in rows))
    order = group.removeprefix("backbone.stem")  # the stem before res2
    return families.index(group.split(".")[0]), order
