"""Memory, measured in a pass of its own: tensor bytes alive at once, seen op by op, and the figures of allocator and driver.

The trace works on meta tensors, so costs no memory.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from archbench.measure.machine.nvml import Nvml
from archbench.measure.worker.devices import Device
from archbench.measure.worker.engines import training_step

TRAINING = 5  # native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)


class LiveStorages(TorchDispatchMode):
    """Adds up the storages that ops make, as long as each lives. `peak` is the most seen when an op returned."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._seen: dict[int, weakref.ref[Any]] = {}

    def watch_tensor(self, tensor: torch.Tensor) -> None:
        """Count the tensor's storage until it is freed."""
        storage = tensor.untyped_storage()
        key = id(storage)
        if key in self._seen:
            return
        size = storage.nbytes()
        self.live += size
        self.peak = max(self.peak, self.live)
        self._seen[key] = weakref.ref(storage, lambda _: self._forget_storage(key, size))

    def _forget_storage(self, key: int, size: int) -> None:
        del self._seen[key]
        self.live -= size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        made = _without_statistics(func, args, out)
        for leaf in tree_iter(made):
            if isinstance(leaf, torch.Tensor):
                self.watch_tensor(leaf)
        return out


def _without_statistics(func: Any, args: Any, out: Any) -> Any:
    """Batch norm with fixed statistics returns batch statistics that only meta tensors have: no device makes them."""
    if func.overloadpacket is torch.ops.aten.native_batch_norm and not args[TRAINING]:
        return out[:1]
    return out


def live_peak(module: nn.Module, image: torch.Tensor) -> int:
    """Weights, buffers, the image and the most features alive at once, in bytes, of one forward pass in inference."""
    with LiveStorages() as storages, torch.no_grad():  # no_grad, not inference_mode, which hides the ops inside an op
        for tensor in [*module.parameters(), *module.buffers(), image]:
            storages.watch_tensor(tensor)
        output = module(image)
        del output
    return storages.peak


def live_training_peak(module: nn.Module, image: torch.Tensor) -> int:
    """The same of a step of training once it is steady: gradients and momentum are there from the step before.

    On a real module the batch statistics move on by two steps; the weights do not.
    """
    mode = module.training
    with LiveStorages() as storages:
        for tensor in [*module.parameters(), *module.buffers(), image]:
            storages.watch_tensor(tensor)
        step = training_step(module, module, image, nullcontext)
        step()
        storages.peak = storages.live
        step()
    module.zero_grad(set_to_none=True)
    module.train(mode)
    return storages.peak


@dataclass(frozen=True)
class MemoryFigures:
    """The memory one variant takes on its device; null where neither allocator nor driver says.

    steady      the allocator's peak over one call once warm       reserved   what it held of the device for that
    cold        its peak until warm: cuDNN's search for the        requested  the peak before rounding to its block sizes
                fastest algorithms tries some with large scratch   context    the driver's bytes of the process beside it
    retries     times it gave back everything and tried again: the device is nearly full
    """

    steady_bytes: int | None = None
    cold_bytes: int | None = None
    reserved_bytes: int | None = None
    requested_bytes: int | None = None
    context_bytes: int | None = None
    retries: int | None = None


def measure_memory(
    forward: Callable[[], object], device: Device, nvml: Nvml, *, cold: Mapping[str, int | None]
) -> MemoryFigures:
    """The allocator's figures over one call, the device idle before and after; `cold`: those of the first calls.

    Nothing is timed meanwhile.
    """
    device.synchronize()
    device.reset_peak()
    result = forward()
    device.synchronize()
    del result
    seen, process = device.memory(), nvml.process_bytes(os.getpid())
    reserved = seen["reserved"]
    return MemoryFigures(
        steady_bytes=seen["allocated"],
        cold_bytes=cold["allocated"],
        reserved_bytes=reserved,
        requested_bytes=seen["requested"],
        context_bytes=None if process is None or reserved is None else process - reserved,
        retries=_sum_known(cold["retries"], seen["retries"]),
    )


def _sum_known(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
