"""Initial weights as the originals have them: kaiming normal in the body, kaiming uniform with a=1 in neck and top block."""

from __future__ import annotations

import torch
from torch import nn

from archbench.models.graph import Graph
from archbench.models.ops import Add

# A residual branch's last norm starts small. With fixed statistics every block would otherwise double the variance:
# 2**50 in R-152, which overflows half precision and makes an honest forward pass print NaN.
BRANCH_GAIN = 0.25


def initialize(network: nn.Module, graph: Graph, seed: int) -> None:
    """Fill every parameter and buffer of a module built from `graph`, reproducibly on any device."""
    torch.manual_seed(seed)
    branches = {
        node.inputs[0] for node in graph.nodes if isinstance(node.op, Add) and node.name.startswith("backbone.")
    }
    for node in graph.nodes:
        module = getattr(network, node.name.replace(".", "__"), None)
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
