"""Points as columns: what they are in all is what `expand` makes of them one by one."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yardstick import at_most

from archbench.design.spec.spec import Spec, read_spec
from archbench.design.variants import expand, make_variant
from archbench.errors import SpecError
from archbench.models.resnet import widen_channels
from archbench.space.constraints import NamedColumns
from archbench.space.grid import DesignSpace
from archbench.space.identity import Frame
from archbench.space.points import Points
from archbench.space.samplers import sample_lists

HEAD = "archbench: 1\nbase: R-18-FPN\ninput: {height: 64, width: 64}\n"
LISTS = ", ".join(str(n) for n in range(1, 11))
TRILLION = f"axes:\n  backbone.depths: {{product: [{', '.join([f'[{LISTS}]'] * 4)}]}}\n  neck.channels: {{range: [1, 1000, 1]}}\n"
TRILLION += "  input.height: {range: [100, 1099, 1]}\n  input.width: {range: [100, 199, 1]}\n"


@pytest.fixture
def read(tmp_path):
    def from_text(text: str, *sets: str) -> Spec:
        (tmp_path / "sweep.yaml").write_text(HEAD + text)
        return read_spec(tmp_path / "sweep.yaml", sets)

    return from_text


def wanted(points: Points) -> list[int]:
    return np.flatnonzero(np.broadcast_to(points.kept, points.shape)).tolist()


def made(spec: Spec, rows: int) -> set[tuple[str, str]]:
    """Id and axes of every wanted point, each once."""
    found = [
        (variant.id, str(variant.axes))
        for points in DesignSpace(spec).chunks(rows)
        for row in wanted(points)
        for variant in [make_variant(spec, points.assignment(row))]
    ]
    assert len(set(found)) == len(found)
    return set(found)


def assert_points_are_the_variants(spec: Spec, rows: int = 7) -> None:
    space, counts = expand(spec, sample_lists), DesignSpace(spec).counts
    assert (counts.raw, counts.excluded, counts.duplicates, counts.collapsed_draws, counts.variants) == (
        space.raw,
        space.excluded,
        space.duplicates,
        space.collapsed,
        len(space.variants),
    )
    assert made(spec, rows) == {(v.id, str(v.axes)) for v in space.variants}


CASES = {
    "nothing": "",
    "one axis": "axes: {neck.channels: [64, 128, 256]}",
    "spellings": "axes: {backbone.width: [1.0, 1.001, 0.5], backbone.depth: [18, 34], backbone.norm_eps: [0.0, 0.1], backbone.norm: [none, frozen]}",
    "a type and its keys": "axes:\n  top_block.type: [none, maxpool, p6p7]\n  top_block.source: {values: [c5, p5], when: top_block.type == 'p6p7'}",
    "a neck that reads less": "axes: {neck.levels: [[2, 3, 4, 5], [2, 3]], backbone.depths: {product: [[1, 2], [1], [1, 2], [1, 2]]}}",
    "bases": "axes: {base: [R-18-FPN, R-50-FPN, R-50-C4], input.batch: [1, 2], measure.precision: [fp32, amp_bf16]}",
    "exclusions beside spellings": "axes: {backbone.width: [1.0, 1.001, 0.5], neck.channels: [64, 128, 256], input.batch: [1, 2]}\nexclude:\n"
    "  - {backbone.width: 1.0, neck.channels: 64}\n  - backbone.width < 0.7 and input.batch == 2\n  - {neck.channels: 128, input.batch: 1}",
    "all excluded": "axes: {neck.channels: [64, 128]}\nexclude: [neck.channels > 1]",
    "zip": "axes: {size: {zip: {input.height: [64, 64, 96], input.width: [64, 96, 64]}, name: size}, neck.channels: [64, 128]}\n"
    "exclude: [{input.height: 64, neck.channels: 64}]",
    "included and the reference": "axes: {neck.channels: [64, 128]}\ninclude: [{neck.channels: 64}, {neck.channels: 320}, {neck.channels: 320, neck.relu: false}, "
    "{neck.channels: 256}]\nreference: {neck.channels: 320}",
    "a chain of conditions": "axes:\n  neck.relu: {values: [true, false], when: top_block.source == 'c5'}\n"
    "  top_block.source: {values: [p5, c5], when: top_block.type == 'p6p7'}\n  top_block.type: [none, p6p7]\n  input.batch: [1, 2]",
    "hand-written": "axes: {module: [null, nets.small:net, nets.big:net], neck.channels: [64, 128]}",
    "a middle grid": "axes: {neck.channels: {range: [16, 256, 16]}, input.batch: {range: [1, 9, 1]}}\nsample: {method: grid, n: 10}",
    "random": "axes: {neck.channels: {range: [16, 256, 16]}, backbone.width: [1.0, 1.001, 0.5]}\nsample: {method: random, n: 40}\nexclude: [neck.channels > 200]",
    "lists drawn and written": "axes:\n  backbone.depths: {product: [[1, 2], [1, 2], [1], [1, 2]], when: backbone.depth == 18}\n  backbone.depth: [18, 34]\n"
    "  neck.levels: {product: [[2, 3], [4]]}\ninclude: [{backbone.depths: [2, 1, 1, 1], neck.levels: [2, 4]}, {neck.levels: [2]},\n"
    "  {backbone.depths: [2, 1, 1, 2], neck.levels: [2, 4]}, {neck.levels: [2, 3, 4, 5]}]\nsample: {method: random, n: 30}",
    "levels of one item": "axes: {neck.levels: {product: [[2, 3, 4, 5]]}, backbone.depths: {product: [[1], [1], [1, 2], [1, 2]]}}",
    "lhs": "axes: {neck.channels: {range: [16, 256, 16]}, input.batch: [1, 2, 3]}\nsample: {method: lhs, n: 24, seed: 3}",
    "sobol": "axes:\n  neck.channels: {log2: [16, 256], when: top_block.type != 'none'}\n  top_block.type: [none, maxpool]\nsample: {method: sobol, n: 30}",
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_points_are_the_variants_of_the_same_spec(case, read):
    assert_points_are_the_variants(read(CASES[case] + "\n"))


AXES: dict[str, Any] = {
    "neck.channels": ["[32, 64, 128]", "{range: [32, 96, 32]}", "{log2: [32, 64], when: input.batch > 1}"],
    "backbone.width": ["[1.0, 1.001, 0.5]", "{values: [0.5, 0.501], when: backbone.depth == 18}"],
    "backbone.depth": ["[18, 34]"],
    "backbone.depths": ["{product: [[1, 2], [1], [1, 2], [1]]}", "[[2, 2, 2, 2], [3, 4, 6, 3]]"],
    "input.batch": ["[1, 2]", "{values: [2, 3], when: backbone.depth == 34}"],
    "neck.levels": ["[[2, 3, 4, 5], [3, 4, 5]]"],
    "top_block.type": ["[maxpool, none]"],
}
EXCLUDES = ["{backbone.depth: 18}", "{neck.channels: 64, input.batch: 2}", "backbone.width != null and backbone.width > 0.9",
            "neck.channels == 32 or input.batch == 2", "{top_block.type: none, backbone.width: 0.5}"]  # fmt: skip
SAMPLES = [
    "",
    "",
    "sample: {method: random, n: 12}\n",
    "sample: {method: lhs, n: 9}\n",
    "sample: {method: grid, n: 9}\n",
]


@st.composite
def sweeps(draw: Any) -> str:
    """A spec of up to four axes in any form, with what it excludes and includes."""
    paths = draw(st.lists(st.sampled_from(list(AXES)), min_size=1, max_size=4, unique=True))

    def fitting(texts: list[str]) -> list[str]:
        return [text for text in texts if set(re.findall(r"[a-z_]+\.[a-z]+", text)) <= set(paths)]

    axes = {path: draw(st.sampled_from(fitting(AXES[path]))) for path in paths}
    excludes = draw(st.lists(st.sampled_from(fitting(EXCLUDES)), max_size=2)) if fitting(EXCLUDES) else []
    includes = draw(
        st.sampled_from(["", "include: [{neck.channels: 64}, {backbone.width: 0.501}, {neck.relu: true}]\n"])
    )
    body = "".join(f"  {path}: {form}\n" for path, form in axes.items())
    quoted = ", ".join(item if item.startswith("{") else repr(item) for item in excludes)
    return f"axes:\n{body}exclude: [{quoted}]\n{includes}{draw(st.sampled_from(SAMPLES))}"


@settings(max_examples=60, deadline=None)
@given(sweeps())
def test_points_are_the_variants_of_any_sweep(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "sweep.yaml"
    path.write_text(HEAD + text)
    try:
        spec = read_spec(path)
    except SpecError:  # a partial match of a value that the form drawn does not take, or a ring of conditions
        return
    try:
        expand(spec, sample_lists)
    except SpecError as refused:  # an expression that orders what is unset
        with pytest.raises(SpecError, match=re.escape(str(refused))):
            DesignSpace(spec)
    else:
        assert_points_are_the_variants(spec)


def test_a_bad_point_is_told_as_its_variant_is(read):
    for text in (
        "axes: {input.batch: [1, 2], neck.channels: [64, 0]}\n",
        "axes: {neck.type: [fpn, none], neck.channels: [64, 128]}\n",
        "axes: {neck.chanels: [64]}\n",
        "neck: {relu: 3}\naxes: {input.batch: [1, 2]}\n",
        "axes: {size: {zip: {input.height: [64, 99999], input.width: [64, 64]}}}\n",
        "axes: {backbone.depths: {product: [[1, 2], [1], [1], [1, 0]]}, neck.levels: [[2, 3], [2, 3, 4, 5]]}\n",
        "axes: {neck.channels: [64, 0], input.batch: [1, 0]}\n",
        "axes: {neck.channels: [64, 0], input.batch: [0, 1]}\n",
    ):
        spec = read(text)
        with pytest.raises(SpecError) as one_by_one:
            expand(spec, sample_lists)
        with pytest.raises(SpecError) as in_all:
            DesignSpace(spec)
        assert str(in_all.value) == str(one_by_one.value)


def test_a_bad_point_that_is_excluded_is_none(read):
    spec = read(
        "axes: {neck.type: [fpn, none], neck.channels: [64, 128]}\ntop_block: {type: none}\nexclude: [{neck.type: none}]\n"
    )
    assert (
        DesignSpace(spec).counts.variants == expand(spec, sample_lists).raw - 2 + 1
    )  # and the reference, of 256 channels


def test_a_grid_comes_in_sub_grids_whose_columns_are_as_broad_as_their_axes(read):
    spec = read(
        "axes: {input.batch: [1, 2, 3], input.height: {range: [64, 163, 1]}, input.width: {range: [64, 263, 1]}}\n"
    )
    parts = list(DesignSpace(spec).chunks(5_000))
    grid = [part for part in parts if len(part.shape) == 3]
    assert all(part.size <= 5_000 for part in parts)
    assert sum(part.size for part in grid) == 3 * 100 * 200
    assert {part.shape for part in grid} == {(1, 25, 200)}
    assert {column.codes.shape for part in grid for column in part.columns} == {(1, 1, 1), (1, 25, 1), (1, 1, 200)}
    assert all(part.kept.shape == () and part.kept.all() for part in grid)


def test_a_trillion_points_are_refused_at_once_and_sampled_in_seconds(read):
    said = r"1,000,000,000,000 variants are more than the 20,000,000 of one spec; sample them, `sample:"
    with at_most(1), pytest.raises(SpecError, match=said) as refused:
        DesignSpace(read(TRILLION))
    assert refused.value.place.endswith("sweep.yaml:4:1")
    with at_most(9):
        counts = DesignSpace(read(TRILLION + "sample: {method: sobol, n: 2000}\n")).counts
    assert counts.raw == 2000
    assert counts.variants == 2000 - counts.collapsed_draws - counts.duplicates + 1


def test_an_upper_bound_is_said_to_be_one_where_axes_have_conditions(read):
    text = TRILLION.replace("{range: [1, 1000, 1]}", "{range: [1, 1000, 1], when: input.height > 200}")
    with pytest.raises(SpecError, match="axes: up to 1,000,000,000,000 variants"):
        DesignSpace(read(text))


def test_three_million_points_are_counted_without_being_made(read, monkeypatch):
    resolved = []
    texts = Frame.trait_texts
    monkeypatch.setattr(Frame, "trait_texts", lambda *given, **how: resolved.extend(given[-1]) or texts(*given, **how))
    spec = read(
        "axes:\n  backbone.depths: {product: [[2, 3], [3, 4], [4, 6, 9, 12], [2, 3]]}\n  backbone.width: {range: [0.5, 1.5, 0.125]}\n"
        "  neck.channels: {range: [64, 256, 16]}\n  top_block.type: [none, maxpool, p6p7]\n"
        "  input.height: {range: [64, 800, 32]}\n  input.width: {range: [64, 864, 64]}\n"
    )
    assert DesignSpace(spec).counts.raw == 32 * 9 * 13 * 3 * 24 * 13 == 3_504_384
    assert 9 + 13 + 24 + 13 < len(resolved) < 3 * 9 + 13 + 24 + 13 + 100  # what is fixed is seen once a frame


def test_knobs_that_meet_in_no_outcome_are_not_combined(read, monkeypatch):
    resolved = []
    texts = Frame.trait_texts
    monkeypatch.setattr(Frame, "trait_texts", lambda *given, **how: resolved.extend(given[-1]) or texts(*given, **how))
    ten = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
    spec = read(
        f"axes:\n  backbone.width: {{range: [0.5, 0.59, 0.01]}}\n  backbone.stem_channels: {{range: [1, 100, 1]}}\n"
        f"  backbone.depths: {{product: [{ten}, {ten}, {ten}, [3]]}}\n"
    )
    counts = DesignSpace(spec).counts
    assert len(resolved) < 10 * 100 + 1000 + 100  # stems of every width, planes, lists; not 1,000,000 of them together
    widths = [round(0.5 + step / 100, 2) for step in range(10)]
    alike = {
        (*(widen_channels(p, w) for p in (64, 128, 256, 512)), widen_channels(n, w))
        for w in widths
        for n in range(1, 101)
    }
    assert counts.raw == 10 * 100 * 1000
    assert counts.variants == len(alike) * 1000 + 1  # and the reference, of width 1
    assert counts.duplicates == counts.raw - len(alike) * 1000


def test_drawn_lists_are_told_apart_by_their_items(read, monkeypatch):
    resolved = []
    texts = Frame.trait_texts
    monkeypatch.setattr(Frame, "trait_texts", lambda *given, **how: resolved.extend(given[-1]) or texts(*given, **how))
    items = f"[{', '.join(map(str, range(1, 65)))}]"
    draw = f"axes: {{backbone.depths: {{product: [{', '.join([items] * 4)}]}}, neck.levels: [[2, 3], [2, 3, 4, 5]]}}\n"
    span = DesignSpace(read(draw + "sample: {method: random, n: 20000, seed: 1}\n"))
    assert len(resolved) < 20_000 + 100  # every list once
    rows = {
        (tuple(point["backbone.depths"][: max(point["neck.levels"]) - 1]), tuple(point["neck.levels"]))
        for points in DesignSpace(span.spec).chunks(4096)
        for point in (points.assignment(row) for row in range(points.size))
        if point
    }
    assert span.counts.variants == len(rows) + 1
    assert span.counts.duplicates > 100  # of two levels, two stages are not built


def test_a_chunk_of_draws_has_no_more_values_than_points(read):
    items = f"[{', '.join(map(str, range(1, 65)))}]"
    draw = f"axes: {{backbone.depths: {{product: [{', '.join([items] * 4)}]}}, input.batch: [1, 2]}}\n"
    spec = read(draw + "sample: {method: random, n: 5000}\n")
    columns = [column for points in DesignSpace(spec).chunks(1000) for column in points.columns]
    assert max(len(column.values) for column in columns) == 1000


def test_fields_are_what_each_variant_has(read):
    spec = read(
        "axes:\n  top_block.type: [none, p6p7]\n  top_block.source: {values: [p5], when: top_block.type == 'p6p7'}\n"
        "  backbone.width: [1, 0.5]\n  measure.precision: [fp32, amp_bf16]\ninclude: [{neck.channels: 96}]\n"
    )
    names = ("top_block.source", "backbone.width", "neck.channels", "neck.relu", "input.precision", "backbone.depths")
    span = DesignSpace(spec)
    for points in span.chunks():
        columns = NamedColumns(spec, span.sections, points, {})
        fields = {name: np.broadcast_to(columns[name], points.shape).ravel() for name in names}
        for row in wanted(points):
            variant = make_variant(spec, points.assignment(row))
            parts = {**variant.architecture.as_json(), "input": variant.as_json()["workload"]}
            expected = [parts[name.split(".")[0]].get(name.split(".")[1]) for name in names]
            assert [fields[name][row] for name in names] == expected
            assert list(map(str, [fields["backbone.width"][row]])) == [str(expected[1])]


@pytest.mark.parametrize("method", ["random", "lhs", "sobol"])
def test_draws_are_the_same_for_the_same_seed_alone(method, read):
    text = "axes: {neck.channels: {range: [1, 1000, 1]}, input.width: {range: [64, 1063, 1]}}\nsample: {method: %s, n: 64}\n"
    first, again, other = (made_rows(read(text % method, f"sample.seed={seed}")) for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == 64


def made_rows(spec: Spec) -> list[dict[str, Any]]:
    (points, *_) = DesignSpace(spec).chunks()
    return [dict(points.assignment(row)) for row in range(points.size)]


def test_each_stratum_of_every_axis_has_one_of_a_latin_hypercube(read):
    rows = made_rows(
        read(
            "axes: {neck.channels: {range: [1, 100, 1]}, input.width: {range: [64, 163, 1]}}\nsample: {method: lhs, n: 10}\n"
        )
    )
    assert sorted((row["neck.channels"] - 1) // 10 for row in rows) == list(range(10))
    assert sorted((row["input.width"] - 64) // 10 for row in rows) == list(range(10))


def test_factors_of_a_product_are_spread_each_by_itself(read):
    lists = "[1, 2, 3, 4, 5, 6, 7, 8]"
    rows = made_rows(
        read(
            f"axes: {{backbone.depths: {{product: [{lists}, {lists}, {lists}, {lists}]}}}}\nsample: {{method: sobol, n: 8}}\n"
        )
    )
    for stage in range(4):
        assert sorted(row["backbone.depths"][stage] for row in rows) == list(range(1, 9))


def test_a_middle_grid_takes_the_middles_of_even_strata(read):
    spec = read("axes: {neck.channels: {range: [1, 9, 1]}, input.batch: [1, 2]}\nsample: {method: grid, n: 7}\n")
    assert [(row["neck.channels"], row["input.batch"]) for row in made_rows(spec)] == [
        (channels, batch) for channels in (2, 5, 8) for batch in (1, 2)
    ]


def test_a_middle_grid_takes_the_middles_of_every_factor_of_a_product(read):
    items = f"[{', '.join(map(str, range(1, 513)))}]"
    product = f"axes: {{backbone.depths: {{product: [[1, 2, 3, 4, 5, 6, 7, 8, 9], {items}, [7], {items}]}}}}\n"
    rows = made_rows(read(product + "sample: {method: grid, n: 9}\n"))
    assert [row["backbone.depths"] for row in rows] == [
        [stage_2, stage_3, 7, stage_5] for stage_2 in (3, 7) for stage_3 in (129, 385) for stage_5 in (129, 385)
    ]
    assert (
        DesignSpace(read(product + "sample: {method: grid, n: 200000}\n")).counts.raw == 9 * 149 * 149
    )  # over 100,000 of one axis


def test_more_lists_than_are_walked_are_refused_at_once_and_not_where_they_are_sampled(read):
    items = f"[{', '.join(map(str, range(1, 51)))}]"
    product = f"axes: {{backbone.depths: {{product: [{', '.join([items] * 4)}]}}}}\n"
    with pytest.raises(
        SpecError, match=r"axes\.backbone\.depths: 6,250,000 lists are more than the 4,000,000 of one product"
    ):
        DesignSpace(read(product))
    assert DesignSpace(read(product + "sample: {method: grid, n: 1000}\n")).counts.raw <= 1000


def test_points_that_would_not_fit_into_memory_are_refused_at_once(read):
    """Two million lists beside ten channels: 20,000,000 points are few enough, their lists are not."""
    items = f"[{', '.join(map(str, range(1, 101)))}]"
    text = f"axes: {{backbone.depths: {{product: [{items}, {items}, {items}, [1, 2]]}}, neck.channels: {{range: [1, 10, 1]}}}}\n"
    said = "axes: 20,000,000 variants of 2,000,000 lists take 2.0 GiB of memory, more than the 2 GiB of one spec; sample fewer"
    with at_most(1), pytest.raises(SpecError, match=said) as refused:
        DesignSpace(read(text))
    assert refused.value.place.endswith("sweep.yaml:4:1")


def test_knobs_that_one_outcome_reads_in_too_many_combinations_are_refused_at_once(read):
    text = "axes:\n  backbone.width: {range: [0.5, 2.5, 0.001]}\n  backbone.stem_channels: {range: [1, 3000, 1]}\n"
    said = "backbone.stem_channels, backbone.width are read together, and their 6,003,000 combinations are more than the 4,194,304"
    with at_most(2), pytest.raises(SpecError, match=said):
        DesignSpace(read(text))
