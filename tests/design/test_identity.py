"""Ids: the same for ever, the same for every spelling, and none moved by what is new."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archbench.design.spec.spec import read_spec
from archbench.design.variants import count_raw, expand, preset
from archbench.errors import SpecError
from archbench.models.graph import Features
from archbench.models.presets import PRESETS
from archbench.models.resnet import NAMED_DEPTHS, widen_channels
from archbench.models.variant import FAMILIES, Architecture, PartChoice, Variant, Workload
from archbench.pricing.price import price
from archbench.registry import Part
from archbench.space.grid import DesignSpace

SPECS = Path(__file__).parent.parent.parent / "specs"
PINNED = Path(__file__).with_name("ids.txt")


def known() -> list[str]:
    """`id what` of every preset, and of every variant of every spec in the repository under 1,000 variants."""
    specs = [read_spec(path) for path in SPECS.glob("*.yaml")]
    swept = [
        (f"{spec.name}: {v.name}", v.id) for spec in specs if count_raw(spec) < 1000 for v in expand(spec).variants
    ]
    return sorted(f"{identity} {what}" for what, identity in [*((name, preset(name).id) for name in PRESETS), *swept])


def test_the_ids_of_presets_and_specs_are_those_that_were_pinned():
    """Stored results are matched by id for years. A line that is new is added to ids.txt; none is ever changed."""
    assert known() == PINNED.read_text().splitlines()


def ten_thousand() -> list[Architecture]:
    """Networks of every kind of part and knob, all different."""
    depths = [list(depths) for depths in itertools.product((1, 2), (1, 2), (1, 3, 5), (2, 4))]
    grid = itertools.product(
        depths, (0.5, 0.75, 1.0, 1.5), (1, 32), (64, 128, 192, 256), (False, True), ("none", "batch")
    )
    tops = itertools.product(("none", "maxpool", "p6p7"), ({"levels": [2, 3, 4, 5]}, {"levels": [3, 4, 5]}))
    body = preset("R-50-FPN").architecture
    assert isinstance(body, Architecture)
    return [
        Architecture(
            PartChoice("resnet", {**body.backbone.knobs, "depths": d, "width": w, "groups": g}),
            PartChoice("fpn", {**body.neck.knobs, "channels": c, "relu": relu, "norm": norm, **levels}),
            PartChoice(top, FAMILIES["top_block"][top].defaults),
            body.head,
        )
        for (d, w, g, c, relu, norm), (top, levels) in itertools.product(grid, tops)
    ][:10_000]


def ids(architectures: list[Architecture]) -> list[str]:
    return [Variant("", architecture, Workload()).id for architecture in architectures]


def test_ten_thousand_ids_stay_where_a_part_takes_a_new_knob_with_a_default(monkeypatch):
    before = ids(architectures := ten_thousand())
    assert len(set(before)) == len(before) == 10_000
    for family, name in (("backbone", "resnet"), ("neck", "fpn"), ("top_block", "p6p7")):
        _give_a_new_knob(monkeypatch, family, name)
    attentive = [_with_new_knobs(architecture, None) for architecture in architectures]
    assert ids(attentive) == before
    assert not set(ids([_with_new_knobs(architecture, "se") for architecture in architectures])) & set(before)


def _give_a_new_knob(monkeypatch: Any, family: str, name: str) -> None:
    """Register the part anew, with `attention: str | None = None` beside its own knobs."""
    old = FAMILIES[family][name]

    def program(*features: Any, attention: str | None = None, **knobs: Any) -> Features:
        return old.program(*features, **knobs)

    part = Part(family, name, program, old.resolvers)
    part.__dict__["defaults"] = old.defaults | {"attention": None}
    monkeypatch.setitem(FAMILIES[family]._parts, name, part)


def _with_new_knobs(architecture: Architecture, attention: str | None) -> Architecture:
    def given(choice: PartChoice) -> PartChoice:
        takes = choice.type in ("resnet", "fpn", "p6p7")
        return PartChoice(choice.type, {**choice.knobs, "attention": attention}) if takes else choice

    return Architecture(*(given(getattr(architecture, family)) for family in FAMILIES))


def test_a_part_that_is_registered_moves_no_id(monkeypatch):
    before = known()

    def other(features: Features, pyramid: Features, *, channels: int = 3) -> Features:
        """For a test."""
        return {}

    monkeypatch.setitem(FAMILIES["top_block"]._parts, "other", Part("top_block", "other", other))
    assert preset("R-50-FPN", {"top_block.type": "other"}).id != preset("R-50-FPN", {"top_block.type": "none"}).id
    assert known() == before


SIZE = {"input.height": 64, "input.width": 64}
DEPTHS = {name: (block, list(depths)) for name, (block, depths) in NAMED_DEPTHS.items()}


@st.composite
def spelled_twice(draw: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """One network in two spellings: shorthands written out or not, defaults given or not, knobs that say nothing changed."""
    depth = draw(st.sampled_from(list(DEPTHS)))
    block, depths = DEPTHS[depth]
    other = draw(st.sampled_from(list(DEPTHS)))
    one: dict[str, Any] = {"backbone.depth": depth}
    two: dict[str, Any] = {"backbone.depth": other, "backbone.block": block, "backbone.depths": depths}
    width = draw(st.sampled_from([0.125, 0.25, 0.5, 0.75, 1.0, 1.5]))
    near = width * (1 + draw(st.floats(-0.004, 0.004)))
    same = all(widen_channels(planes, near) == widen_channels(planes, width) for planes in (64, 128, 256, 512))
    one["backbone.width"], two["backbone.width"] = width, near if same else width
    if block == "basic":
        two["backbone.stride_in_1x1"] = draw(st.booleans())
    if draw(st.booleans()):
        one |= {"backbone.norm": "none", "backbone.norm_eps": 0.25}
        two |= {"backbone.norm": "none"}
    else:
        one["backbone.norm_eps"], two["backbone.norm_eps"] = 0.0, -0.0
    if draw(st.booleans()):
        level = draw(st.integers(2, 4))
        ends = {"neck.levels": [level], "top_block.type": "none"}
        if draw(st.booleans()):
            ends["neck.type"] = "none"
        else:
            two["neck.fuse"] = "average"  # of one level, so there is nothing to fuse
        if level == 2:
            two["backbone.stride_in_1x1"] = draw(st.booleans())  # of res2, which has no stride
        if (level, block, two["backbone.width"]) == (2, "bottleneck", 0.125):
            two["backbone.width_per_group"] = draw(st.integers(64, 71))  # of 8 planes: 8 channels, rounded down
        one |= ends
        two |= ends | {
            "backbone.depths": depths[: level - 1]
            + draw(st.lists(st.integers(1, 9), min_size=5 - level, max_size=5 - level))
        }
    else:
        two |= draw(
            st.sampled_from(
                [{}, {"neck.fuse": "sum"}, {"neck.relu": False, "neck.norm": "none"}, {"head.type": "none"}]
            )
        )
    return one, two


@settings(max_examples=150, deadline=None)
@given(spelled_twice())
def test_two_spellings_of_one_network_have_one_id_and_one_price(spellings):
    one, two = (preset("R-50-FPN", SIZE | spelling) for spelling in spellings)
    assert one.id == two.id
    assert price(one) == price(two)


@settings(max_examples=100, deadline=None)
@given(st.lists(spelled_twice(), min_size=1, max_size=3))
def test_a_sweep_counts_every_second_spelling_as_a_duplicate(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("spellings") / "sweep.yaml"
    included = [spelling for pair in pairs for spelling in pair]
    path.write_text(
        f"archbench: 1\nbase: R-50-FPN\ninput: {{height: 64, width: 64}}\ninclude: {included}\n".replace(
            "False", "false"
        ).replace("True", "true")
    )
    spec = read_spec(path)
    networks = {preset("R-50-FPN", SIZE | spelling).id for spelling in included} | {preset("R-50-FPN", SIZE).id}
    assert DesignSpace(spec).counts.variants == len(networks)
    assert DesignSpace(spec).counts.duplicates == expand(spec).duplicates == 1 + len(included) - len(networks)


@pytest.mark.parametrize(("field", "value"), [("engine", "eager"), ("mode", "infer"), ("threads", None), ("batch", 1)])
def test_a_workload_field_at_its_default_is_as_if_it_were_not_there(field, value):
    section = "input" if field == "batch" else "measure"
    assert preset("R-50-FPN", {f"{section}.{field}": value}).id == preset("R-50-FPN").id


def _drawn(draw: random.Random) -> dict[str, Any]:
    """A small network, of few values a knob, so that many are the same one."""
    paths: dict[str, Any] = {
        "backbone.depth": draw.choice([18, 34, 50]),
        "backbone.block": draw.choice([None, "basic", "bottleneck"]),
        "backbone.depths": draw.choice([None, [1, 1, 2, 1], [1, 2, 1, 1], [2, 2, 2, 2]]),
        "backbone.width": draw.choice([0.125, 0.25, 1.0]),
        "backbone.width_per_group": draw.choice([64, 64, 65, 70]),
        "backbone.groups": draw.choice([1, 1, 2]),
        "backbone.stem_channels": draw.choice([8, 9]),
        "backbone.stride_in_1x1": draw.random() < 0.5,
        "backbone.norm": draw.choice(["frozen", "none"]),
        "backbone.norm_eps": draw.choice([0.0, -0.0, 1e-5]),
        "neck.levels": draw.choice([[2], [3], [5], [2, 3], [4, 5]]),
        "neck.type": draw.choice(["fpn", "none"]),
        "top_block.type": draw.choice(["none", "maxpool"]),
        "head.type": draw.choice(["none", "classifier"]),
    }
    return paths | ({"neck.fuse": draw.choice(["sum", "average"])} if paths["neck.type"] == "fpn" else {})


@pytest.mark.slow
def test_networks_that_record_the_same_have_one_id_and_those_of_one_id_record_the_same():
    """The graph knows nothing of knobs: what it shows of a network is all that can tell it from another."""
    ids_of, graphs_of, draw = defaultdict(set), defaultdict(set), random.Random(0)
    for _ in range(4000):
        with suppress(SpecError):
            variant = preset("R-50-FPN", SIZE | _drawn(draw))
            graph = repr(variant.graph).replace("=-0.0", "=0.0")
            ids_of[graph].add(variant.id)
            graphs_of[variant.id].add(graph)
    assert len(ids_of) > 300
    assert {len(found) for found in ids_of.values()} == {len(found) for found in graphs_of.values()} == {1}
