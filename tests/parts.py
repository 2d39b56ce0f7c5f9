"""Random variants of one registered part, from its own signature: what a law that holds for every part is tried on."""

from __future__ import annotations

import random
from typing import Any, Literal, get_args, get_origin

from archbench.design.variants import preset
from archbench.errors import SpecError
from archbench.models.variant import FAMILIES, Architecture, PartChoice, Precision, Variant

PARTS = [(family, name) for family, registry in FAMILIES.items() for name in registry]

NUMBERS: dict[str, list[Any]] = {  # by knob; one that is not here keeps its default
    "channels": [32, 64, 96, 160, 256],
    "classes": [10, 1000],
    "depths": [[1, 1, 1, 1], [2, 1, 1, 1], [1, 2, 3, 1], [3, 3, 1, 2], [1, 1, 2, 3], [2, 2, 2, 2]],
    "groups": [1, 1, 2, 4, 32],
    "norm_eps": [0.0, 1e-5, 1e-3],
    "stem_channels": [16, 32, 60, 64],
    "width": [0.25, 0.35, 0.5, 0.75, 1.0, 1.5],
    "width_per_group": [4, 8, 64, 64, 128],
}
LEVELS = [[2, 3, 4, 5], [2, 3, 4, 5], [3, 4, 5], [2, 4], [5]]
TOGETHER = 20  # variants of one draw of words
PIXELS = (32, 200)

Overrides = dict[str, Any]


def variants_of_all(count: int) -> list[Variant]:
    """Random variants, so many at least with each part in them: one has a part of every family."""
    found = list[Variant]()
    for family, part in PARTS:
        found += variants_of(family, part, max(0, count - sum(has(each, family, part) for each in found)))
    return found


def has(variant: Variant, family: str, part: str) -> bool:
    """Whether the part is in it."""
    assert isinstance(variant.architecture, Architecture)
    chosen: PartChoice = getattr(variant.architecture, family)
    return chosen.type == part


def variants_of(family: str, part: str, count: int) -> list[Variant]:
    """So many variants with the part in them, at odd sizes too; many differ from some others in numbers alone."""
    draw, found = random.Random(f"{family}.{part}"), list[Variant]()
    while len(found) < count:
        words = draw_words(draw, {family: part})
        numbers = [draw_numbers(draw, words) for _ in range(TOGETHER)]
        if fitting(words):  # else whatever the numbers are: most words that are drawn do not go together
            found += filter(None, (fitting(words | each) for each in numbers))
    return found[:count]


def fitting(assignment: Overrides) -> Variant | None:
    """The variant, null where its parts do not fit together."""
    try:
        return preset("R-50-FPN", assignment)
    except SpecError:
        return None


def grid_of(family: str, part: str, axes: int) -> tuple[Overrides, dict[str, list[Any]]]:
    """One network with the part in it, and so many of its paths with two values each."""
    draw = random.Random(f"{family}.{part}")
    while True:
        words = draw_words(draw, {family: part})
        types = {each: words[f"{each}.type"] for each in FAMILIES}
        one, other = (words | draw_numbers(draw, words) for words in (draw_words(draw, types) for _ in range(2)))
        paths = [path for path in one if path in other and one[path] != other[path]]
        if fitting(one) and len(paths) >= axes:
            return one, {path: [one[path], other[path]] for path in draw.sample(paths, axes)}


def draw_words(draw: random.Random, parts: dict[str, str]) -> Overrides:
    """Types, words, truth values and levels; `parts` are given, the others drawn."""
    words: Overrides = {"measure.precision": draw.choice(get_args(Precision))}
    for family, registry in FAMILIES.items():
        part = parts.get(family) or draw.choice(["none", *registry] if "none" in registry else list(registry))
        words[f"{family}.type"] = part
        for name, knob in registry[part].knobs.items():
            if name == "levels":
                words[f"{family}.{name}"] = draw.choice(LEVELS)
            elif choices := choices_of(knob.annotation):
                words[f"{family}.{name}"] = draw.choice(choices)
    if words["backbone.type"] == "resnet":
        words.pop("backbone.depth")  # shorthand for the two that are drawn
    return words


def draw_numbers(draw: random.Random, words: Overrides) -> Overrides:
    """The input, and the numbers of the parts that the words name."""
    numbers: Overrides = {
        "input.batch": draw.choice([1, 1, 2, 3]),
        "input.height": draw.randrange(*PIXELS),
        "input.width": draw.randrange(*PIXELS),
    }
    for family, registry in FAMILIES.items():
        for name in registry[words[f"{family}.type"]].knobs:
            if name in NUMBERS and not (
                name in ("groups", "width_per_group") and words.get("backbone.block") == "basic"
            ):
                numbers[f"{family}.{name}"] = draw.choice(NUMBERS[name])
    return numbers


def choices_of(annotation: Any) -> list[Any]:
    """The words or truth values of a knob, null among them where it may be."""
    if annotation is bool:
        return [False, True]
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [word for kind in get_args(annotation) if get_origin(kind) is Literal for word in get_args(kind)]
