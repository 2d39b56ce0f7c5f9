"""A variant's network as a torch module: its graph compiled, with the originals' initial weights, or the user's own.

The only reader of `Op.torch`. The generated code drops a feature after its last reader.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from functools import reduce
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from archbench.errors import SpecError
from archbench.measure.supervisor.plugins import find_plugin, plugin_modules
from archbench.models.graph import Graph, Node
from archbench.models.ops import Add
from archbench.models.variant import ModuleFactory, Variant

# A residual branch's last norm starts small. With fixed statistics every block would otherwise double the variance:
# 2**50 in R-152, which overflows half precision and makes an honest forward pass print NaN.
BRANCH_GAIN = 0.25


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
        initialize_weights(network, variant.graph, seed)
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
    """The torch callable of that dotted name, or the module of this file."""
    own = target.removeprefix(f"{__name__}.")
    return globals()[own] if own != target else reduce(getattr, target.removeprefix("torch.").split("."), torch)


class FrozenBatchNorm2d(nn.Module):
    """Batch normalisation whose statistics and affine are buffers: one kernel, nothing learned.

    `eps` 0 is maskrcnn-benchmark's, 1e-5 torchvision's. Within 1e-6 of torchvision's mul-and-add form.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        for name in ("weight", "bias", "running_mean", "running_var"):
            self.register_buffer(name, torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The identity: weight and variance 1, bias and mean 0."""
        with torch.no_grad():
            self.weight.fill_(1), self.running_var.fill_(1)
            self.bias.zero_(), self.running_mean.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


def initialize_weights(network: nn.Module, graph: Graph, seed: int) -> None:
    """Fill every parameter and buffer of a module built from `graph`, reproducibly on any device."""
    torch.manual_seed(seed)
    branches = {
        node.inputs[0] for node in graph.nodes if isinstance(node.op, Add) and node.name.startswith("backbone.")
    }
    for node in graph.nodes:
        module = getattr(network, submodule_name(node), None)
        if module is None or not list(module.state_dict()):
            continue
        if isinstance(module, nn.Conv2d):
            initialize_conv(module, body=node.name.startswith("backbone."))
        else:
            module.reset_parameters()
            if node.name in branches:
                nn.init.constant_(module.weight, BRANCH_GAIN)


def initialize_conv(conv: nn.Conv2d, *, body: bool) -> None:
    """torchvision/models/resnet.py for the body, torchvision/ops/feature_pyramid_network.py elsewhere; biases 0."""
    if body:
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    else:
        nn.init.kaiming_uniform_(conv.weight, a=1)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)


def load_factory(factory: str, plugins: Sequence[str]) -> Callable[[], nn.Module]:
    """`package.file:name` as a callable without arguments. Raises SpecError where no plugin covers it or it is not there."""
    module_name, _, name = factory.partition(":")
    if module_name.split(".")[0] not in plugin_modules(plugins):
        raise SpecError(f"module: {factory} needs --plugin {module_name.split('.')[0]}")
    _open_working_folder(plugins)
    for plugin in plugins:
        if plugin.endswith(".py"):
            _import_file(Path(plugin))
    try:
        return getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise SpecError(f"module: {factory} cannot be imported; {error}") from error


def _open_working_folder(plugins: Sequence[str]) -> None:
    """Let the modules the command named be found in the working folder first, all else there last: it hides nothing."""
    sys.meta_path.insert(0, _PluginFinder(plugins))
    if (folder := os.getcwd()) not in sys.path:
        sys.path.append(folder)


class _PluginFinder(MetaPathFinder):
    """Finds the modules that `--plugin` names, and no other, where their digest was taken."""

    def __init__(self, plugins: Sequence[str]) -> None:
        self._names = plugin_modules(plugins)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return find_plugin(name) if name in self._names else None


def _import_file(path: Path) -> None:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SpecError(f"--plugin {path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
