"""A variant: an architecture, which is four parts with their knobs, and the workload it runs; its recording, its id.

The network is one program, `trunk`: backbone, neck, top block, head.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le

from archbench.errors import SpecError
from archbench.models.graph import Feature, Features, Graph, Shape, record_graph, scope
from archbench.models.pyramid import heads, necks, top_blocks
from archbench.models.resnet import LEVELS, backbones
from archbench.registry import LAST_LEVEL, UNREAD, Registry
from archbench.text import visible

Precision = Literal["fp32", "tf32", "amp_fp16", "amp_bf16"]
MemoryFormat = Literal["contiguous", "channels_last"]
Engine = Literal["eager", "compile", "cuda_graph", "onnxruntime"]
Mode = Literal["infer", "train"]
# Bytes of one feature element: under amp, features are half precision; weights and the input stay fp32.
FEATURE_BYTES: dict[Precision, int] = {"fp32": 4, "tf32": 4, "amp_fp16": 2, "amp_bf16": 2}
Side = Annotated[int, Ge(1), Le(65_536)]

ID_DIGITS = 16  # hexadecimal: 64 bits, one chance in 37 million of a clash among a million variants

FAMILIES: dict[str, Registry[Any]] = {"backbone": backbones, "neck": necks, "top_block": top_blocks, "head": heads}


@dataclass(frozen=True)
class PartChoice:
    """A part by name, with every knob it takes."""

    type: str
    knobs: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The form a spec has: `{type: fpn, channels: 256, ...}`."""
        return {"type": self.type, **self.knobs}


@dataclass(frozen=True)
class Architecture:
    """The four parts of a network. Their knobs are validated before they come here (`design/spec/schema.py`)."""

    backbone: PartChoice
    neck: PartChoice
    top_block: PartChoice
    head: PartChoice

    def as_json(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name).as_json() for field in fields(self)}

    @property
    def last_level(self) -> int:
        """The coarsest backbone stage the neck reads: later ones are not built."""
        return int(max(self.neck.knobs["levels"]))

    def resolve_parts(self) -> dict[str, Any]:
        """The parts as the id has them: shorthands written out, default values and absent parts left out."""
        parts = {family: resolve_part(family, getattr(self, family), self.last_level) for family in FAMILIES}
        return {family: part for family, part in parts.items() if part != {"type": "none"}}


@dataclass(frozen=True)
class Workload:
    """The input of a network and how it runs. `threads` null means one per physical core.

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

    def resolve_fields(self) -> dict[str, Any]:
        """The fields that differ from their defaults."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) != f.default}


@dataclass(frozen=True)
class ModuleFactory:
    """A hand-written `nn.Module` in an architecture's place, `module: my_pkg.my_file:factory`: traced, never priced."""

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
        content = {"workload": self.workload.resolve_fields(), "architecture": self.architecture.resolve_parts()}
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
        """The JSON that a worker is sent and a record keeps: every field, defaults included."""
        return {"architecture": self.architecture.as_json(), "workload": asdict(self.workload)}


def record_network(architecture: Architecture, height: int, width: int, *, rolled: bool = False) -> Graph:
    """The graph of one image of `height` x `width`, rolled for adding up alone (`record_graph`).

    Raises SpecError where the parts do not fit together.
    """
    level = architecture.last_level
    if unknown := [given for given in architecture.neck.knobs["levels"] if given not in LEVELS]:
        raise SpecError(
            f"neck.levels: {unknown[0]} is not a level of this backbone; it gives {', '.join(map(str, LEVELS))}"
        )
    for side, pixels in (("height", height), ("width", width)):
        if pixels < 1 << level:
            raise SpecError(
                f"input.{side}: {pixels} is under {1 << level}, the stride of c{level}: its map would "
                f"shrink to nothing; give at least {1 << level}"
            )
    return record_graph(lambda image: trunk(image, architecture), Shape(3, height, width), rolled=rolled)


def trunk(image: Feature, architecture: Architecture) -> Features:
    """The whole network as one program: image to c-maps, to a pyramid, to what the head gives."""

    def run_part(family: str, *features: Any) -> Features:
        choice = getattr(architecture, family)
        with scope(image, family):
            given: Features = FAMILIES[family][choice.type].program(*features, **choice.knobs)
        return given

    features = run_part("backbone", image, architecture.last_level)
    pyramid = run_part("neck", features)
    pyramid |= run_part("top_block", features, pyramid)
    return run_part("head", pyramid)


def resolve_part(family: str, choice: PartChoice, last_level: int) -> dict[str, Any]:
    """One part as an id has it: its type, and the knobs that do not come to their defaults."""
    part = FAMILIES[family][choice.type]
    given = {**choice.knobs, LAST_LEVEL: last_level}
    knobs = {name: part.resolve_knob(name, given) for name in (*choice.knobs, *part.resolvers)}
    return {"type": choice.type} | {n: value for n, value in knobs.items() if value != part.defaults.get(n, UNREAD)}


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
