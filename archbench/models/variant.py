"""A variant: an architecture and the workload it runs, with a readable name and an id that outlives both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le

from archbench.errors import SpecError
from archbench.models.detector import Architecture, PartChoice, record_network
from archbench.models.graph import Graph
from archbench.text import visible

Precision = Literal["fp32", "tf32", "amp_fp16", "amp_bf16"]
MemoryFormat = Literal["contiguous", "channels_last"]
Engine = Literal["eager", "compile", "cuda_graph", "onnxruntime"]
Mode = Literal["infer", "train"]
Side = Annotated[int, Ge(1), Le(65_536)]

ID_DIGITS = 16  # hexadecimal: 64 bits, one chance in 37 million of a clash among a million variants


@dataclass(frozen=True)
class Workload:
    """What the network is given and how it runs. `threads` null means one per physical core.

    engine  what makes the calls: eager PyTorch, `torch.compile`, a replayed CUDA graph, ONNX Runtime on the CPU
    mode    infer: a forward pass; train: forward, backward and an optimizer's step
    """

    batch: Annotated[int, Ge(1), Le(65_536)] = 1
    height: Side = 800
    width: Side = 1333
    precision: Precision = "fp32"
    memory_format: MemoryFormat = "contiguous"
    threads: Annotated[int, Ge(1), Le(1024)] | None = None
    engine: Engine = "eager"
    mode: Mode = "infer"

    @property
    def feature_bytes(self) -> int:
        """Bytes of one feature element: under amp, features are half precision; weights and the input stay fp32."""
        return 2 if self.precision.startswith("amp") else 4

    def resolve_fields(self) -> dict[str, Any]:
        """The fields that differ from their defaults."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) != f.default}


@dataclass(frozen=True)
class ModuleFactory:
    """A hand-written `nn.Module` in an architecture's place: `module: my_pkg.my_file:factory`. Traced, never priced."""

    factory: str

    def as_json(self) -> dict[str, Any]:
        return {"module": self.factory}

    def resolve_parts(self) -> dict[str, Any]:
        return self.as_json()


@dataclass(frozen=True)
class Variant:
    """One network to price and measure. `axes` maps the dotted paths that vary to this variant's values."""

    name: str
    architecture: Architecture | ModuleFactory
    workload: Workload
    axes: Mapping[str, Any] = field(default_factory=dict)
    reference: bool = False

    @cached_property
    def id(self) -> str:
        """A hash of architecture and workload, resolved, default values left out: two spellings of one network agree."""
        content = {"architecture": self.architecture.resolve_parts(), "workload": self.workload.resolve_fields()}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:ID_DIGITS]

    @cached_property
    def graph(self) -> Graph:
        """The recorded network, one image. Raises SpecError where its parts do not fit, or for a hand-written module."""
        if isinstance(self.architecture, ModuleFactory):
            factory = visible(self.architecture.factory)
            raise SpecError(f"module: {factory} is hand-written; it is traced when it is run, not priced")
        return record_network(self.architecture, self.workload.height, self.workload.width)

    def as_json(self) -> dict[str, Any]:
        """What a worker is sent and a record keeps: every field, defaults included."""
        return {"architecture": self.architecture.as_json(), "workload": asdict(self.workload)}


def variant_from_json(data: Mapping[str, Any]) -> Variant:
    """The variant that `as_json` describes; names and axes stay behind."""
    given = data["architecture"]
    workload = Workload(**data["workload"])
    if "module" in given:
        return Variant("", ModuleFactory(given["module"]), workload)
    choices = {
        family: PartChoice(part["type"], {k: v for k, v in part.items() if k != "type"})
        for family, part in given.items()
    }
    return Variant("", Architecture(**choices), workload)
