"""One small class per op: its output shape, what it costs, and the torch callable it names but never imports.

Counting semantics, all for one image:
  params    learned elements                       macs    1 per multiply-accumulate of conv and linear, bias free
  acts      output elements of conv and linear     fvcore  what fvcore.nn.FlopCountAnalysis adds for the op
  buffer_bytes  state that is not learned          scratch_bytes  device memory the op needs only while it runs
Arithmetic only: every method also works on arrays of integers, one entry per variant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from archbench.errors import SpecError

Writes = Literal["new", "in place", "view"]

FLOAT_BYTES = 4
INDEX_BYTES = 8  # torch's int64: max pooling returns where each maximum was, batch norm counts batches


class Shape(NamedTuple):
    """One image's feature: channels, height, width."""

    c: int
    h: int
    w: int

    @property
    def numel(self) -> int:
        return self.c * self.h * self.w


class OpCost(NamedTuple):
    """What one op adds; see the counting semantics at the top of this file."""

    params: int = 0
    buffer_bytes: int = 0
    macs: int = 0
    acts: int = 0
    fvcore: int = 0
    scratch_bytes: int = 0


@dataclass(frozen=True)
class TorchCall:
    """A torch callable by name: a module class (`nn.Conv2d`) built from `args`, or a function called on the inputs."""

    target: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    function: bool = False


class Op(Protocol):
    """What every op answers, given its inputs' shapes: as many as it reads, hence `...`.

    `writes` says whose memory the output is: its own, its input's where nobody else reads it, or always its input's.
    `torch_call` also takes `in_place`, whether the graph lets it overwrite its input.
    """

    writes: ClassVar[Writes]

    @property
    def output_shape(self) -> Callable[..., Shape]: ...

    @property
    def cost(self) -> Callable[..., OpCost]: ...

    @property
    def torch_call(self) -> Callable[..., TorchCall]: ...


def output_length(n: int, kernel: int, stride: int, padding: int) -> int:
    """Output length of a window slid over n pixels."""
    return (n + 2 * padding - kernel) // stride + 1


@dataclass(frozen=True)
class Conv:
    """2-d convolution, padded by half its extent: a stride-1 convolution keeps the size."""

    out: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    dilation: int = 1
    bias: bool = False
    writes: ClassVar[Writes] = "new"

    @property
    def padding(self) -> int:
        return self.dilation * (self.kernel // 2)

    def output_shape(self, x: Shape) -> Shape:
        self._check_groups(x)
        extent = self.dilation * (self.kernel - 1) + 1
        return Shape(self.out, *(output_length(n, extent, self.stride, self.padding) for n in (x.h, x.w)))

    def cost(self, x: Shape) -> OpCost:
        y, weights = self.output_shape(x), self.out * (x.c // self.groups) * self.kernel**2
        macs = weights * y.h * y.w
        return OpCost(params=weights + self.out * self.bias, macs=macs, acts=y.numel, fvcore=macs)

    def torch_call(self, x: Shape, *, in_place: bool = False) -> TorchCall:
        args = (x.c, self.out, self.kernel, self.stride, self.padding, self.dilation, self.groups, self.bias)
        return TorchCall("torch.nn.Conv2d", args)

    def _check_groups(self, x: Shape) -> None:
        for what, channels in (("input", x.c), ("output", self.out)):
            if channels % self.groups:
                raise SpecError(f"groups: {self.groups} does not divide the {channels} {what} channels")


@dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation with learned affine. In evaluation fvcore counts 2 an element."""

    eps: float = 1e-5
    writes: ClassVar[Writes] = "new"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def cost(self, x: Shape) -> OpCost:
        return OpCost(params=2 * x.c, buffer_bytes=2 * x.c * FLOAT_BYTES + INDEX_BYTES, fvcore=2 * x.numel)

    def torch_call(self, x: Shape, *, in_place: bool = False) -> TorchCall:
        return TorchCall("torch.nn.BatchNorm2d", (x.c,), {"eps": self.eps})


@dataclass(frozen=True)
class FrozenNorm:
    """Batch normalisation with fixed statistics and affine: four buffers, nothing learned."""

    eps: float = 1e-5
    writes: ClassVar[Writes] = "new"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def cost(self, x: Shape) -> OpCost:
        return OpCost(buffer_bytes=4 * x.c * FLOAT_BYTES, fvcore=2 * x.numel)

    def torch_call(self, x: Shape, *, in_place: bool = False) -> TorchCall:
        return TorchCall("archbench.measure.worker.modules.FrozenBatchNorm2d", (x.c,), {"eps": self.eps})


@dataclass(frozen=True)
class GroupNorm:
    """Group normalisation (Wu & He 2018). fvcore counts 5 an element; torch keeps a mean and a deviation a group."""

    groups: int = 32
    eps: float = 1e-5
    writes: ClassVar[Writes] = "new"

    def output_shape(self, x: Shape) -> Shape:
        if x.c % self.groups:
            raise SpecError(
                f"norm: group has {self.groups} groups, which do not divide {x.c} channels; "
                f"take widths in multiples of {self.groups}, or another norm"
            )
        return x

    def cost(self, x: Shape) -> OpCost:
        return OpCost(params=2 * x.c, fvcore=5 * x.numel, scratch_bytes=2 * self.groups * FLOAT_BYTES)

    def torch_call(self, x: Shape, *, in_place: bool = False) -> TorchCall:
        return TorchCall("torch.nn.GroupNorm", (self.groups, x.c), {"eps": self.eps})


@dataclass(frozen=True)
class Relu:
    writes: ClassVar[Writes] = "in place"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def cost(self, x: Shape) -> OpCost:
        return OpCost()

    def torch_call(self, x: Shape, *, in_place: bool) -> TorchCall:
        return TorchCall("torch.nn.ReLU", (in_place,))


@dataclass(frozen=True)
class Scale:
    """Every element times a constant."""

    factor: float
    writes: ClassVar[Writes] = "in place"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def cost(self, x: Shape) -> OpCost:
        return OpCost()

    def torch_call(self, x: Shape, *, in_place: bool) -> TorchCall:
        return TorchCall("torch.Tensor.mul_" if in_place else "torch.mul", (self.factor,), function=True)


@dataclass(frozen=True)
class Add:
    """The sum of two features of one shape."""

    writes: ClassVar[Writes] = "new"

    def output_shape(self, a: Shape, b: Shape) -> Shape:
        if a != b:
            raise SpecError(f"add: the features differ, {tuple(a)} and {tuple(b)}")
        return a

    def cost(self, a: Shape, b: Shape) -> OpCost:
        return OpCost()

    def torch_call(self, a: Shape, b: Shape, *, in_place: bool = False) -> TorchCall:
        return TorchCall("torch.add", function=True)


@dataclass(frozen=True)
class MaxPool:
    """The maximum of each window; torch also writes its index, which nobody reads."""

    kernel: int
    stride: int
    padding: int = 0
    writes: ClassVar[Writes] = "new"

    def output_shape(self, x: Shape) -> Shape:
        return Shape(x.c, *(output_length(n, self.kernel, self.stride, self.padding) for n in (x.h, x.w)))

    def cost(self, x: Shape) -> OpCost:
        return OpCost(scratch_bytes=self.output_shape(x).numel * INDEX_BYTES)

    def torch_call(self, x: Shape, *, in_place: bool = False) -> TorchCall:
        return TorchCall("torch.nn.MaxPool2d", (self.kernel, self.stride, self.padding))


@dataclass(frozen=True)
class GlobalAveragePool:
    """The mean of each channel. fvcore counts the input elements."""

    writes: ClassVar[Writes] = "new"

    def output_shape(self, x: Shape) -> Shape:
        return Shape(x.c, 1, 1)

    def cost(self, x: Shape) -> OpCost:
        return OpCost(fvcore=x.numel)

    def torch_call(self, x: Shape, *, in_place: bool = False) -> TorchCall:
        return TorchCall("torch.nn.AdaptiveAvgPool2d", (1,))


@dataclass(frozen=True)
class Upsample:
    """Nearest neighbour to a given size, so that it meets a finer map whatever the input's size. fvcore: 1 an output."""

    h: int
    w: int
    writes: ClassVar[Writes] = "new"

    def output_shape(self, x: Shape) -> Shape:
        return Shape(x.c, self.h, self.w)

    def cost(self, x: Shape) -> OpCost:
        return OpCost(fvcore=self.output_shape(x).numel)

    def torch_call(self, x: Shape, *, in_place: bool = False) -> TorchCall:
        return TorchCall(
            "torch.nn.functional.interpolate", (), {"size": (self.h, self.w), "mode": "nearest"}, function=True
        )


@dataclass(frozen=True)
class Flatten:
    """Channels, height and width as one vector: the same memory, another view."""

    writes: ClassVar[Writes] = "view"

    def output_shape(self, x: Shape) -> Shape:
        return Shape(x.numel, 1, 1)

    def cost(self, x: Shape) -> OpCost:
        return OpCost()

    def torch_call(self, x: Shape, *, in_place: bool = False) -> TorchCall:
        return TorchCall("torch.flatten", (1,), function=True)


@dataclass(frozen=True)
class Linear:
    out: int
    bias: bool = True
    writes: ClassVar[Writes] = "new"

    def output_shape(self, x: Shape) -> Shape:
        return Shape(self.out, 1, 1)

    def cost(self, x: Shape) -> OpCost:
        macs = x.numel * self.out
        return OpCost(params=macs + self.out * self.bias, macs=macs, acts=self.out, fvcore=macs)

    def torch_call(self, x: Shape, *, in_place: bool = False) -> TorchCall:
        return TorchCall("torch.nn.Linear", (x.numel, self.out, self.bias))
