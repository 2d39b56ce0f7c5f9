"""One step of training: forward, loss, backward, the optimizer's update, every tensor's lifetime as in a plain loop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

MOMENTUM = 0.9  # of the originals' recipe; its buffers are part of what training holds
LEARNING_RATE = (
    0.0  # the update runs in full and moves nothing, so that every step is the same work on the same numbers
)


def training_step(
    network: nn.Module,
    run: Callable[[torch.Tensor], object],
    image: torch.Tensor,
    autocast: Callable[[], AbstractContextManager[Any]],
) -> Callable[[], dict[str, object]]:
    """A call that trains `network`, whose forward pass is `run`, by one step of SGD; it returns the loss and the outputs.

    The network goes into training mode; fixed norms have nothing to learn and stay as they are. No gradient scaler: with
    fp16 gradients may vanish, which costs the same time. Raises ValueError for a network without parameters.
    """
    optimizer = torch.optim.SGD(network.train().parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)

    def step() -> dict[str, object]:
        optimizer.zero_grad(set_to_none=True)
        with autocast():
            outputs = run(image)
        loss = loss_of(outputs)
        loss.backward()
        optimizer.step()
        return {"loss": loss.detach(), "outputs": outputs}

    return step


def loss_of(outputs: object) -> torch.Tensor:
    """The sum over the outputs of the mean of their squares: every element of every map has a gradient."""
    leaves = [leaf for leaf in tree_leaves(outputs) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()]
    return torch.stack([leaf.float().square().mean() for leaf in leaves]).sum()
