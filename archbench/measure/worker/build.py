"""Graph -> torch.fx.GraphModule. The only reader of `Op.torch`; the generated code drops a feature after its last reader."""

from __future__ import annotations

from functools import reduce
from types import ModuleType
from typing import Any

import torch
from torch import fx, nn

from archbench.errors import SpecError
from archbench.measure.worker import modules
from archbench.measure.worker.initialize import initialize
from archbench.models.graph import Graph, Node
from archbench.models.variant import ModuleFactory, Variant

NAMESPACES: dict[str, ModuleType] = {"torch.": torch, f"{modules.__name__}.": modules}


def build(variant: Variant, *, device: str = "cpu", seed: int = 0) -> fx.GraphModule:
    """The variant as a module in evaluation mode: image (batch, 3, height, width) -> {"p2": ..., "p6": ...}.

    Weights are the originals' initialisation, from `seed`; on device `meta` there are none. Valid for the input size it
    was recorded at. Raises SpecError for a hand-written module, which `--plugin` loads instead.
    """
    if isinstance(variant.architecture, ModuleFactory):
        raise SpecError(f"module: {variant.architecture.factory} is hand-written; there is nothing to build")
    network = compile_graph(variant.graph)
    if device != "meta":
        network = network.to_empty(device=device)
        initialize(network, variant.graph, seed)
    return network.eval()


def compile_graph(graph: Graph) -> fx.GraphModule:
    """The graph's module on the meta device: submodules flat (one look-up a call), named by node with dots as `__`."""
    root, code = nn.Module(), fx.Graph()
    values = {name: code.placeholder(name) for name, _ in graph.inputs}
    for node in graph.nodes:
        values[node.name] = _emit_node(node, graph, root, code, values)
    code.output({key: values[name] for key, name in graph.outputs})
    return fx.GraphModule(root, code, "Network")


def submodule_name(node: Node) -> str:
    """The attribute of the built module that runs the node."""
    return node.name.replace(".", "__")


def _emit_node(node: Node, graph: Graph, root: nn.Module, code: fx.Graph, values: dict[str, fx.Node]) -> fx.Node:
    call = node.op.torch_call(*graph.input_shapes(node), in_place=node.name in graph.in_place)
    inputs = tuple(values[name] for name in node.inputs)
    target = _find_callable(call.target)
    if call.function:
        if call.target.startswith("torch.Tensor."):
            return code.call_method(target.__name__, (*inputs, *call.args), dict(call.kwargs))
        return code.call_function(target, (*inputs, *call.args), dict(call.kwargs))
    with torch.device("meta"):
        root.add_module(submodule_name(node), target(*call.args, **call.kwargs))
    return code.call_module(submodule_name(node), inputs)


def _find_callable(target: str) -> Any:
    """The torch callable of that dotted name."""
    prefix = next(prefix for prefix in NAMESPACES if target.startswith(prefix))
    return reduce(getattr, target.removeprefix(prefix).split("."), NAMESPACES[prefix])
