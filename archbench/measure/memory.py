"""The most tensor bytes alive at once during one forward pass, seen op by op. Works on meta tensors, so costs no memory."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class LiveStorages(TorchDispatchMode):
    """Adds up the storages that ops make, as long as each lives. `peak` is the most seen when an op returned."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._seen: dict[int, weakref.ref[Any]] = {}

    def watch(self, tensor: torch.Tensor) -> None:
        """Count the tensor's storage until it is freed."""
        storage = tensor.untyped_storage()
        key = id(storage)
        if key in self._seen:
            return
        size = storage.nbytes()
        self.live += size
        self.peak = max(self.peak, self.live)
        self._seen[key] = weakref.ref(storage, lambda _: self._freed(key, size))

    def _freed(self, key: int, size: int) -> None:
        del self._seen[key]
        self.live -= size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        made = _without_statistics(func, out)
        for leaf in tree_iter(made):
            if isinstance(leaf, torch.Tensor):
                self.watch(leaf)
        return out


def _without_statistics(func: Any, out: Any) -> Any:
    """Batch norm in evaluation returns batch statistics that only meta tensors have: no device makes them."""
    if func.overloadpacket is torch.ops.aten.native_batch_norm:
        return out[:1]
    return out


def live_peak(module: nn.Module, image: torch.Tensor) -> int:
    """Weights, buffers, the image and the most features alive at once, in bytes, of one forward pass in inference."""
    with LiveStorages() as storages, torch.no_grad():  # no_grad, not inference_mode, which hides the ops inside an op
        for tensor in [*module.parameters(), *module.buffers(), image]:
            storages.watch(tensor)
        output = module(image)
        del output
    return storages.peak
