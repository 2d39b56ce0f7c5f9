"""The one module torch lacks: batch normalisation with everything fixed."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


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
