"""Each op is one small class: its output shape, its cost, and the torch callable it names but never imports.

Counting semantics, all for one image:
  params    learned elements                       macs    1 per multiply-accumulate of conv and linear, bias free
  acts      output elements of conv and linear     fvcore  what fvcore.nn.FlopCountAnalysis adds for the op
  buffer_bytes  state that is not learned          scratch_bytes  device memory the op needs only while it runs
Arithmetic only: every method also works on arrays of integers, one entry per variant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Le

from archbench.errors import SpecError
from archbench.models.graph import Feature, Op, OpCost, Shape, TorchCall, Writes

Channels = Annotated[int, Ge(1), Le(65_536)]
Groups = Annotated[int, Ge(1), Le(65_536)]
Epsilon = Annotated[float, Ge(0), Le(1)]
Norm = Literal["batch", "frozen", "group", "none"]

FLOAT_BYTES = 4
INDEX_BYTES = 8  # torch's int64: max pooling returns where each maximum was, batch norm counts batches


def _same_shape(self: object, x: Shape) -> Shape:
    return x


def _no_cost(self: object, *inputs: Shape) -> OpCost:
    return OpCost()


def output_length(n: int, kernel: int, stride: int, padding: int) -> int:
    """The output length of a window slid over n pixels."""
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


def conv(
    x: Feature,
    out: int,
    kernel: int = 1,
    stride: int = 1,
    *,
    groups: int = 1,
    dilation: int = 1,
    bias: bool = False,
    name: str = "conv",
) -> Feature:
    return x.recorder.add_node(Conv(out, kernel, stride, groups, dilation, bias), x, name=name)


@dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation with learned affine. In evaluation fvcore counts 2 an element."""

    eps: float = 1e-5
    writes: ClassVar[Writes] = "new"
    output_shape = _same_shape

    def cost(self, x: Shape) -> OpCost:
        return OpCost(params=2 * x.c, buffer_bytes=2 * x.c * FLOAT_BYTES + INDEX_BYTES, fvcore=2 * x.numel)

    def torch_call(self, x: Shape, *, in_place: bool = False) -> TorchCall:
        return TorchCall("torch.nn.BatchNorm2d", (x.c,), {"eps": self.eps})


@dataclass(frozen=True)
class FrozenNorm:
    """Batch normalisation with fixed statistics and affine: four buffers, nothing learned."""

    eps: float = 1e-5
    writes: ClassVar[Writes] = "new"
    output_shape = _same_shape

    def cost(self, x: Shape) -> OpCost:
        return OpCost(buffer_bytes=4 * x.c * FLOAT_BYTES, fvcore=2 * x.numel)

    def torch_call(self, x: Shape, *, in_place: bool = False) -> TorchCall:
        return TorchCall("archbench.measure.worker.build.FrozenBatchNorm2d", (x.c,), {"eps": self.eps})


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


def apply_norm(x: Feature, norm: Norm, *, eps: float = 1e-5, name: str = "norm") -> Feature:
    """`x` through the norm of that name; `none` leaves it as it is."""
    if norm == "none":
        return x
    kinds: dict[str, Op] = {"batch": BatchNorm(eps), "frozen": FrozenNorm(eps), "group": GroupNorm(eps=eps)}
    return x.recorder.add_node(kinds[norm], x, name=name)


@dataclass(frozen=True)
class Relu:
    writes: ClassVar[Writes] = "in place"
    output_shape = _same_shape
    cost = _no_cost

    def torch_call(self, x: Shape, *, in_place: bool) -> TorchCall:
        return TorchCall("torch.nn.ReLU", (in_place,))


def relu(x: Feature, *, name: str = "relu") -> Feature:
    return x.recorder.add_node(Relu(), x, name=name)


def conv_norm_relu(x: Feature, out: int, kernel: int, *, norm: Norm, active: bool, name: str) -> Feature:
    """Convolution, norm and ReLU, the last two where asked; the convolution has a bias where no norm follows."""
    y = conv(x, out, kernel, bias=norm == "none", name=name)
    y = apply_norm(y, norm, name=f"{name}_norm")
    return relu(y, name=f"{name}_relu") if active else y


@dataclass(frozen=True)
class Scale:
    """Every element times a constant."""

    factor: float
    writes: ClassVar[Writes] = "in place"
    output_shape = _same_shape
    cost = _no_cost

    def torch_call(self, x: Shape, *, in_place: bool) -> TorchCall:
        return TorchCall("torch.Tensor.mul_" if in_place else "torch.mul", (self.factor,), function=True)


def scale(x: Feature, factor: float, *, name: str = "scale") -> Feature:
    return x.recorder.add_node(Scale(factor), x, name=name)


@dataclass(frozen=True)
class Add:
    """The sum of two features of one shape."""

    writes: ClassVar[Writes] = "new"
    cost = _no_cost

    def output_shape(self, a: Shape, b: Shape) -> Shape:
        if a != b:
            raise SpecError(f"add: the features differ, {tuple(a)} and {tuple(b)}")
        return a

    def torch_call(self, a: Shape, b: Shape, *, in_place: bool = False) -> TorchCall:
        return TorchCall("torch.add", function=True)


def add(a: Feature, b: Feature, *, name: str = "add") -> Feature:
    return a.recorder.add_node(Add(), a, b, name=name)


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


def max_pool(x: Feature, kernel: int, stride: int, padding: int = 0, *, name: str = "pool") -> Feature:
    return x.recorder.add_node(MaxPool(kernel, stride, padding), x, name=name)


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


def global_average_pool(x: Feature, *, name: str = "pool") -> Feature:
    return x.recorder.add_node(GlobalAveragePool(), x, name=name)


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


def upsample_to(x: Feature, finer: Feature, *, name: str = "upsample") -> Feature:
    """Nearest neighbour to the size of `finer`, of which only the size is read."""
    return x.recorder.add_node(Upsample(finer.shape.h, finer.shape.w), x, name=name)


@dataclass(frozen=True)
class Flatten:
    """Channels, height and width as one vector: the same memory, another view."""

    writes: ClassVar[Writes] = "view"
    cost = _no_cost

    def output_shape(self, x: Shape) -> Shape:
        return Shape(x.numel, 1, 1)

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


def linear(x: Feature, out: int, *, name: str = "fc") -> Feature:
    return x.recorder.add_node(Linear(out), x.recorder.add_node(Flatten(), x, name="flatten"), name=name)
