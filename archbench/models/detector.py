"""A detector's trunk: backbone, neck, top block, head, each a part with its knobs; and its recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from archbench.errors import SpecError
from archbench.models.graph import Feature, Features, Graph, Shape, record_graph, scope
from archbench.models.heads import heads
from archbench.models.necks import necks
from archbench.models.resnet import LEVELS, backbones
from archbench.models.top_blocks import top_blocks
from archbench.registry import LAST_LEVEL, UNREAD, Part, Registry

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
    """Which network, whole: four parts. Knobs are validated before they come here (`design/schema.py`)."""

    backbone: PartChoice
    neck: PartChoice
    top_block: PartChoice
    head: PartChoice

    def as_json(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name).as_json() for field in fields(self)}

    def find_part(self, family: str) -> Part[Any]:
        return FAMILIES[family][getattr(self, family).type]

    @property
    def last_level(self) -> int:
        """The coarsest backbone stage the neck reads: later ones are not built."""
        return int(max(self.neck.knobs["levels"]))

    def resolve_parts(self) -> dict[str, Any]:
        """What makes this network this one: shorthands written out, default values and absent parts left out."""
        level = self.last_level
        resolved = {family: resolve_part(family, getattr(self, family), level) for family in FAMILIES}
        return {family: part for family, part in resolved.items() if part != {"type": "none"}}


def resolve_part(family: str, choice: PartChoice, last_level: int) -> dict[str, Any]:
    """One part as `Architecture.resolved` has it."""
    part = FAMILIES[family][choice.type]
    given = {**choice.knobs, LAST_LEVEL: last_level}
    resolved = {name: part.resolve_knob(name, given) for name in (*choice.knobs, *part.resolvers)}
    own = {name: value for name, value in resolved.items() if value != part.defaults.get(name, UNREAD)}
    return {"type": choice.type, **own}


def trunk(image: Feature, architecture: Architecture) -> Features:
    """The whole network as one program: image to c-maps, to a pyramid, to what the head gives."""

    def run(family: str, *features: Any) -> Features:
        choice = getattr(architecture, family)
        with scope(image, family):
            given: Features = architecture.find_part(family).program(*features, **choice.knobs)
        return given

    features = run("backbone", image, architecture.last_level)
    pyramid = run("neck", features)
    pyramid |= run("top_block", features, pyramid)
    return run("head", pyramid)


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
