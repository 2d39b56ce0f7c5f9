"""Lists in a base, along an axis and in a constraint: by columns they are what they are one by one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_space import one_by_one, written

from archbench.design.variants import expand
from archbench.errors import SpecError
from archbench.space.constraints import Funnel, keep_variants, make_funnel
from archbench.space.price_space import count_funnel, price_space
from archbench.space.samplers import sample_lists

HEAD = "archbench: 1\ninput: {height: 64, width: 64}\n"
STEPS = ("raw", "excluded", "duplicates", "refused", "kept", "spared", "variants")


def assert_counted_as_one_by_one(text: str, folder: Path) -> Funnel:
    spec = written(HEAD + text, folder)
    by_hand = make_funnel(expand(spec, sample_lists), keep_variants(one_by_one(spec), spec.constraints))
    found = price_space(spec).funnel
    assert {step: getattr(found, step) for step in STEPS} == {step: getattr(by_hand, step) for step in STEPS}
    return found


def test_an_axis_over_a_list_that_the_base_gives_has_the_reference_among_its_rows(tmp_path: Path) -> None:
    for text in (
        "base: R-50-FPN\naxes: {neck.levels: [[2, 3, 4, 5], [3, 4, 5]]}\n",
        "base: R-50-FPN\nbackbone: {depths: [2, 2, 2, 2]}\naxes: {backbone.depths: [[2, 2, 2, 2], [1, 2, 3, 4], [1, 1, 1, 1]]}\n",
    ):
        assert_counted_as_one_by_one(text, tmp_path)
        space = price_space(written(HEAD + text, tmp_path))
        assert space.reference_at == 0


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("base: R-50-FPN\nbackbone: {depths: [2, 2, 2, 2]}\naxes: {neck.channels: [64, 128, 192, 256]}\n"
         "constraints: ['backbone.depths == [2, 2, 2, 2]']\n", 4),
        ("base: R-50-C4\naxes: {backbone.width: [0.5, 1.0]}\nconstraints: ['neck.levels == [4]']\n", 2),
        ("base: R-50-C4\naxes: {backbone.width: [0.5, 1.0]}\nconstraints: ['len(neck.levels) == 1']\n", 2),
        ("base: R-50-FPN\naxes: {backbone.width: [0.5, 1.0]}\nconstraints: ['neck.levels[3] == 4']\n", 0),
    ],
)  # fmt: skip
def test_a_constraint_reads_the_list_that_every_variant_has(tmp_path: Path, text: str, kept: int) -> None:
    assert assert_counted_as_one_by_one(text, tmp_path).kept == kept


OWN = ["", "backbone: {depths: [1, 1, 1, 1]}\n", "neck: {levels: [3, 4]}\n",
       "backbone: {depths: [2, 1, 1, 1], block: basic}\n"]  # fmt: skip
AXES = {
    "backbone.depths": ["[[1, 1, 1, 1], [2, 1, 1, 1]]", "{product: [[1, 2], [1], [1], [1, 2]]}"],
    "neck.levels": ["[[2, 3, 4, 5], [3, 4]]", "[[3, 4]]", "{product: [[2, 3], [4]]}"],
    "backbone.width": ["[1.0, 1.001, 0.5]"],
    "neck.channels": ["[64, 256]"],
    "both": ["{zip: {backbone.depths: [[1, 1, 1, 1], [1, 1, 1, 2]], neck.levels: [[3, 4], [2, 3, 4, 5]]}}"],
}
CONSTRAINTS = [
    "backbone.depths == [1, 1, 1, 1]", "neck.levels != [3, 4]", "len(neck.levels) > 2", "neck.levels[0] == 3",
    "sum(neck.levels) > 7", "backbone.depths == null or backbone.depths[0] < 2", "max(neck.levels) in [4, 5]",
]  # fmt: skip
INCLUDES = ["", "include: [{neck.levels: [4]}, {backbone.depths: [1, 1, 1, 3], neck.channels: 32}]\n",
            "include: [{neck.levels: [3, 4]}]\nreference: {neck.levels: [3, 4]}\n"]  # fmt: skip


@st.composite
def sweeps(draw: Any) -> str:
    paths = draw(st.lists(st.sampled_from(list(AXES)), max_size=3, unique=True))
    if "both" in paths:
        paths = [path for path in paths if path not in ("backbone.depths", "neck.levels")]
    axes = "".join(f"  {path}: {draw(st.sampled_from(AXES[path]))}\n" for path in paths)
    constraints = draw(st.lists(st.sampled_from(CONSTRAINTS), max_size=2, unique=True))
    base = draw(st.sampled_from(["R-18-FPN", "R-50-FPN", "R-50-C4"]))
    own, include = draw(st.sampled_from(OWN)), draw(st.sampled_from(INCLUDES))
    listed = f"axes:\n{axes}" if axes else ""
    return f"base: {base}\n{own}{listed}{include}constraints: [{', '.join(map(repr, constraints))}]\n"


@settings(max_examples=40, deadline=None)
@given(sweeps())
def test_any_sweep_over_lists_is_counted_as_one_by_one(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("lists")
    spec = written(HEAD + text, folder)
    try:
        expand(spec, sample_lists)
    except SpecError as refused:
        with pytest.raises(SpecError, match=re.escape(str(refused))):
            count_funnel(spec)
    else:
        assert_counted_as_one_by_one(text, folder)
