"""Engines: each makes a network's calls, one function from the eager network to the call that is timed.

An engine that compiles is compared with eager, output by output, before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import keystr, tree_flatten_with_path, tree_leaves

from archbench.errors import CannotMeasure
from archbench.measure.worker.devices import Device
from archbench.models.variant import Workload
from archbench.units import NS_PER_MS

Forward = Callable[[], object]
Run = Callable[[torch.Tensor], object]  # the network's forward pass, by whatever engine

MOMENTUM = 0.9  # of the originals' recipe; its buffers are part of what training holds
LEARNING_RATE = 0.0  # the update runs in full and moves nothing: every step is the same work on the same numbers

# How far two engines' outputs may lie apart, as a share of the output's largest magnitude: what rounding explains.
# A layer's rounding is one unit of its format (2^-11 and 2^-8 of half precisions and of tf32, which accumulate in fp32)
# or, in fp32, what the sum of up to 4608 products (512 channels, 3 x 3) accumulates: 68 = sqrt(4608) units of 2^-24.
# Layers round independently, so it grows with the square root of their number: 13 for the 155 convolutions of R-152-FPN;
# twice that, since both engines round. A wrong or missing operation is off by a share near one.
GROWTH = 2 * 13
TOLERANCE = {
    "fp32": GROWTH * 68 * 2**-24,  # 1.1e-4; ONNX Runtime, inductor and eager were seen 2e-6 apart on three networks
    "tf32": GROWTH * 2**-11,
    "amp_fp16": GROWTH * 2**-11,
    "amp_bf16": GROWTH * 2**-8,
}


@dataclass(frozen=True)
class Subject:
    """A network on its device, with its input and how it is to run."""

    network: nn.Module
    image: torch.Tensor
    device: Device
    workload: Workload

    def make_call(self, run: Run) -> Forward:
        """The call that is timed, `run` being the forward pass: that pass alone, or a step of training around it."""
        device, workload, image = self.device, self.workload, self.image
        if workload.mode == "train":
            return training_step(self.network, run, image, lambda: device.autocast(workload))

        def forward() -> object:
            with torch.inference_mode(), device.autocast(workload):
                return run(image)

        return forward


@dataclass(frozen=True)
class PreparedCall:
    """An engine's call, what the engine is, and the milliseconds until its first result; null where nothing is compiled."""

    forward: Forward
    facts: dict[str, Any]
    compile_ms: float | None = None


@dataclass(frozen=True)
class Engine:
    """A way to make a subject's call, and the packages whose versions decide how fast it is."""

    forward: Callable[[Subject], Forward]
    packages: tuple[str, ...] = ("torch",)
    compiles: bool = True
    trains: bool = True
    facts: Callable[[], dict[str, Any]] = dict


def prepare_call(subject: Subject, after_first: Callable[[], None] = lambda: None) -> PreparedCall:
    """The subject's call by its workload's engine, seen to agree with eager. `after_first` runs when it has run once.

    What compiling costs ends with the first result: a lazy compiler works during its first call. Raises CannotMeasure
    where the engine cannot run this workload here, Unusable where it computes something else than eager.
    """
    name, workload = subject.workload.engine, subject.workload
    engine = ENGINES[name]
    if workload.mode == "train" and not engine.trains:
        trains = ", ".join(other for other, able in ENGINES.items() if able.trains)
        raise CannotMeasure(f"measure.engine: {name} does not train; take one of {trains}, or measure.mode: infer")
    began = subject.device.now_ns()
    forward = engine.forward(subject)
    if not engine.compiles:
        return PreparedCall(forward, {"name": name, **_find_versions(engine)})
    first = forward()
    subject.device.synchronize()
    compile_ms = (subject.device.now_ns() - began) / NS_PER_MS
    after_first()
    expected = run_eager(subject)()
    check_finite(expected)
    check_agreement(first, expected, engine=name, precision=workload.precision)
    return PreparedCall(forward, {"name": name, **_find_versions(engine), **engine.facts()}, compile_ms)


def _find_versions(engine: Engine) -> dict[str, str]:
    return {package: version(package) for package in engine.packages}


def run_eager(subject: Subject) -> Forward:
    """The network as PyTorch runs it, op by op."""
    return subject.make_call(subject.network)


def compile_network(subject: Subject) -> Forward:
    """`torch.compile` with inductor, for this one input size."""
    return subject.make_call(torch.compile(subject.network, dynamic=False))


def replay_cuda_graph(subject: Subject) -> Forward:
    """The eager pass captured once and replayed: one launch a call."""
    replay = subject.device.capture(run_eager(subject))
    if replay is None:
        raise CannotMeasure("measure.engine: cuda_graph needs a CUDA device; take eager or compile on the cpu")
    return replay


def run_onnxruntime(subject: Subject) -> Forward:
    """The network exported to ONNX and run by ONNX Runtime's CPU provider with all its optimisations."""
    _check_onnx(subject)
    runtime = _import_package("onnxruntime")
    _import_package("onnxscript")  # the exporter's own: without it torch's error names neither package nor way out
    session = _onnx_session(runtime, subject)
    (taken,) = session.get_inputs()
    feed = {taken.name: subject.image.numpy()}
    return subject.make_call(lambda _: [torch.from_numpy(array) for array in session.run(None, feed)])


def _check_onnx(subject: Subject) -> None:
    workload, device = subject.workload, subject.device.name
    wrong = {
        "measure.device": (device != "cpu", device, "cpu"),
        "measure.precision": (workload.precision != "fp32", workload.precision, "fp32"),
        "measure.memory_format": (workload.memory_format != "contiguous", workload.memory_format, "contiguous"),
    }
    for key, (is_wrong, given, accepted) in wrong.items():
        if is_wrong:
            raise CannotMeasure(
                f"{key}: {given} is not what measure.engine: onnxruntime runs; take {accepted}, or engine: eager"
            )


def _import_package(package: str) -> Any:
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise CannotMeasure(
            f"measure.engine: onnxruntime needs the package {error.name}; pip install archbench[onnx]"
        ) from None


def _onnx_session(runtime: Any, subject: Subject) -> Any:
    """A session on as many threads as eager has. The file is only on its way: weights over 2 GiB lie beside the graph."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = subject.workload.threads or torch.get_num_threads()
    # Between calls its threads would spin for 40 ms, in the next worker's turn; within a call they may.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    with TemporaryDirectory() as folder:
        file = Path(folder) / "network.onnx"
        torch.onnx.export(subject.network, (subject.image,), file, dynamo=True, external_data=True, verbose=False)
        return runtime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def _read_cache_state() -> dict[str, Any]:
    """Whether inductor compiled or found it compiled: of one run, the first generation's process is the one that compiles."""
    counters = import_module("torch._dynamo.utils").counters  # a second's import, made by who compiles alone
    return {"cache": "cold" if counters["inductor"]["fxgraph_cache_miss"] else "warm"}


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


class Unusable(Exception):
    """The network runs, and its time is not to be reported: its price is not what it does, or it gives no numbers."""


def check_finite(outputs: object) -> None:
    """Raises Unusable where an output holds a NaN or an infinity: its time would be of something else."""
    for leaf in tree_leaves(outputs):
        if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() and not bool(torch.isfinite(leaf).all()):
            raise Unusable(f"its output is not finite (shape {tuple(leaf.shape)}, {leaf.dtype})")


def check_agreement(outputs: object, eager: object, *, engine: str, precision: str) -> None:
    """Raises Unusable with the figures where an engine computes something else than eager. Outputs go by eager's names."""
    expected = [(keystr(path), leaf) for path, leaf in tree_flatten_with_path(eager)[0] if _is_tensor(leaf)]
    given = [leaf for leaf in tree_leaves(outputs) if _is_tensor(leaf)]
    if len(given) != len(expected):
        raise Unusable(f"{engine} gives {len(given)} outputs where eager gives {len(expected)}")
    for (name, wanted), leaf in zip(expected, given, strict=True):
        if leaf.shape != wanted.shape:
            raise Unusable(f"{engine}'s output{name} has shape {tuple(leaf.shape)}, eager's {tuple(wanted.shape)}")
        if not (apart := output_distance(leaf, wanted)) <= TOLERANCE[precision]:  # a NaN is no agreement either
            raise Unusable(
                f"{engine}'s output{name} is not eager's: {apart:.1e} of its largest magnitude apart, where rounding in "
                f"{precision} explains {TOLERANCE[precision]:.1e}; take measure.engine: eager"
            )


def output_distance(given: torch.Tensor, wanted: torch.Tensor) -> float:
    """The largest difference as a share of the largest magnitude wanted; all zeros are met by zeros alone."""
    if not wanted.numel():
        return 0.0
    wanted = wanted.detach().double()
    apart = (given.detach().to(wanted.device).double() - wanted).abs().max().item()
    return apart / scale if (scale := wanted.abs().max().item()) else (0.0 if apart == 0 else float("inf"))


def _is_tensor(leaf: object) -> bool:
    return isinstance(leaf, torch.Tensor)


ENGINES: dict[str, Engine] = {
    "eager": Engine(run_eager, compiles=False),
    "compile": Engine(compile_network, facts=_read_cache_state),
    "cuda_graph": Engine(replay_cuda_graph, trains=False),
    "onnxruntime": Engine(run_onnxruntime, ("torch", "onnxruntime", "onnxscript"), trains=False),
}
