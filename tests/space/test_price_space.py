"""A space priced by columns against each of its variants expanded, priced and held against the constraints by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import small_space
from small_space import SELECT, SMALL, written

from archbench.design.expressions.parse import compile_expression
from archbench.design.spec.schema import Select
from archbench.design.spec.spec import Spec, read_spec
from archbench.design.variants import expand, is_many
from archbench.errors import SpecError
from archbench.metrics import EXACT
from archbench.space.constraints import Funnel, PricedVariant, keep_variants, make_funnel, nameable_values
from archbench.space.price_space import PricedSpace, SpaceQuery, count_funnel, make_shown_variants, price_space
from archbench.space.samplers import sample_lists
from archbench.space.selection import find_front

SPEC = (
    SMALL
    + """\
  top_block.type: [none, maxpool, p6p7]
  top_block.source: {values: [c5, p5], when: top_block.type == 'p6p7'}
exclude:
  - {neck.channels: 64, top_block.type: none}
include:
  - {neck.channels: 320, backbone.norm: batch}
reference: {backbone.depths: [2, 2, 2, 2], backbone.width: 1.0}
constraints: [gmacs < 0.5, backbone.width < 1 or neck.channels != 192]
"""
)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Spec:
    return written(SPEC, tmp_path_factory.mktemp("specs"))


@pytest.fixture(scope="module")
def one_by_one(spec: Spec) -> list[PricedVariant]:
    return small_space.one_by_one(spec)


@pytest.fixture(scope="module")
def space(spec: Spec) -> PricedSpace:
    return price_space(spec)


def within(priced: list[PricedVariant], spec: Spec) -> list[PricedVariant]:
    return [item for item in priced if all(c.evaluate(nameable_values(item)) for c in spec.constraints)]


def on_front(priced: list[PricedVariant]) -> list[PricedVariant]:
    costs = [item.cost for item in priced]
    points = [(cost.acts, cost.peak_bytes, cost.macs) for cost in costs if cost]
    return [item for item, is_on in zip(priced, find_front(points, ["min", "min", "max"]), strict=True) if is_on]


def test_every_step_counts_what_going_through_the_variants_counts(
    spec: Spec, one_by_one: list[PricedVariant], space: PricedSpace
) -> None:
    whole = expand(spec, sample_lists)
    by_hand = make_funnel(whole, keep_variants(one_by_one, spec.constraints))
    found = space.funnel
    for step in ("raw", "excluded", "duplicates", "refused", "kept", "spared", "variants"):
        assert getattr(found, step) == getattr(by_hand, step), step
    assert found.refused["backbone.width < 1 or neck.channels != 192"] == 8 * 4  # depths, top blocks; all under 0.5 G
    assert min(found.refused.values()) > 0
    assert found.excluded == 8 * 3


def test_the_front_is_that_of_the_variants_within_the_constraints(
    spec: Spec, one_by_one: list[PricedVariant], space: PricedSpace
) -> None:
    expected = on_front(within(one_by_one, spec))
    assert space.funnel.front == len(expected) == len(space.front.at)
    points = [space.front.points.assignment(row) for row in range(len(space.front.at))]
    written = {repr(sorted(point.items())) for point in points}
    assert len(written) == len(points)
    costs = {(i.cost.acts, i.cost.peak_bytes, i.cost.macs) for i in expected if i.cost}
    assert set(zip(*(key.tolist() for key in space.front.keys), strict=True)) == costs


def test_what_is_shown_is_on_the_front_as_many_as_asked_and_the_reference_beside(
    spec: Spec, one_by_one: list[PricedVariant], space: PricedSpace
) -> None:
    rows = make_shown_variants(spec, space)
    front_ids = {item.variant.id for item in on_front(within(one_by_one, spec))}
    references = [row for row in rows if row.priced.variant.reference]
    assert len(references) == 1
    others = [row for row in rows if not row.priced.variant.reference]
    assert {row.priced.variant.id for row in others} < front_ids
    assert space.funnel.chosen == 6
    assert len({row.priced.variant.name for row in rows}) == len(rows)


def test_the_reference_is_shown_even_where_the_constraints_refuse_it(spec: Spec, space: PricedSpace) -> None:
    reference = next(row for row in make_shown_variants(spec, space) if row.priced.variant.reference)
    assert not all(constraint.evaluate(nameable_values(reference.priced)) for constraint in spec.constraints)
    assert space.funnel.spared == 1
    assert reference.priced.variant.axes["backbone.depths"] == [2, 2, 2, 2]
    assert reference.at is not None


def test_where_leaves_out_rows_and_by_orders_them(spec: Spec, one_by_one: list[PricedVariant]) -> None:
    text = "mparams < 6 and top_block.type != 'none' and backbone.stem_channels == 64"
    asked = SpaceQuery(compile_expression(text), compile_expression("-macs"), 5)
    space = price_space(spec, asked)
    inside = [item for item in within(one_by_one, spec) if asked.where and asked.where.evaluate(nameable_values(item))]
    assert space.funnel.kept == len(inside) > 5
    most = sorted((item.cost.macs for item in inside if item.cost), reverse=True)[:5]
    rows = [row for row in make_shown_variants(spec, space) if row.at in set(space.chosen.at.tolist())]
    assert [row.priced.cost.macs for row in rows if row.priced.cost] == most


def test_an_order_by_words_is_refused(spec: Spec) -> None:
    with pytest.raises(SpecError, match=r"--by: top_block\.type: not a number"):
        price_space(spec, SpaceQuery(by=compile_expression("top_block.type", "--by")))


def test_a_front_over_scores_is_of_the_rows_that_have_one(spec: Spec, one_by_one: list[PricedVariant]) -> None:
    """By name and by id, in no order; some of rows that a constraint refuses, one of no variant."""
    kept = within(one_by_one, spec)
    scores = {
        (i.variant.id if n % 6 else i.variant.name): 40 + n * 37 % 101 / 100
        for n, i in enumerate(one_by_one)
        if n % 3 == 0
    }
    by_id = {i.variant.id: scores.get(i.variant.id, scores.get(i.variant.name)) for i in kept}
    known = [item for item in kept if by_id[item.variant.id] is not None and item.cost]
    points = [(i.cost.acts, i.cost.peak_bytes, by_id[i.variant.id]) for i in known if i.cost]
    expected = [i for i, on in zip(known, find_front(points, ["min", "min", "max"]), strict=True) if on]
    wished = replace(spec, select=Select(("acts", "peak_bytes"), ("score",), 1000))
    space = price_space(wished, SpaceQuery(scores=scores | {"nobody": 1.0}))
    rows = [row.priced.variant for row in make_shown_variants(wished, space) if row.at in set(space.front.at.tolist())]
    assert {row.id for row in rows} == {item.variant.id for item in expected}
    assert space.funnel.front == len(expected)
    assert 1 < len(expected) < len(known) < len(kept)
    assert space.funnel.unscored == len(kept) - len(known)
    assert space.funnel.strangers == ("nobody",)
    assert space.funnel.aims == "least acts and peak, most score"


def test_where_no_row_has_a_score_macs_stand_for_it_and_whose_they_are_not_is_told(spec: Spec) -> None:
    wished = replace(spec, select=Select((), ("score",)))
    funnel = price_space(wished, SpaceQuery(scores={"nobody": 1.0})).funnel
    assert (funnel.aims, funnel.unscored, funnel.strangers) == ("most MACs (for score)", None, ("nobody",))


def test_scores_that_no_aim_asks_for_are_not_looked_up(spec: Spec) -> None:
    assert price_space(spec, SpaceQuery(scores={"nobody": 1.0})).funnel.strangers is None


OWN_PATHS = """\
archbench: 1
base: R-50-FPN
input: {height: 64, width: 64}
axes: {neck.channels: [64, 256]}
include: [{input.height: 128, backbone.width: 0.5}, {input.width: 96}]
select: {minimize: [macs], limit: 1}
"""


@pytest.mark.parametrize("few", [1, 2, 3, 4])
def test_a_row_is_called_the_same_among_few_as_among_all(few: int, tmp_path: Path) -> None:
    """An include sets paths of its own; what is shown has, or has not, a row of those."""
    spec = written(OWN_PATHS, tmp_path)
    names = {variant.id: variant.name for variant in expand(spec, sample_lists).variants}
    assert list(names.values()) == [
        "channels=64",
        "channels=256",
        "channels=256,height=128,backbone.width=0.5",
        "channels=256,input.width=96",
    ]
    asked = SpaceQuery(by=compile_expression("-macs"), limit=few)
    rows = [row.priced.variant for row in make_shown_variants(spec, price_space(spec, asked))]
    assert len(rows) >= few
    assert {row.id: row.name for row in rows}.items() <= names.items()


def test_an_order_is_of_the_rows_kept_whatever_others_have(tmp_path: Path) -> None:
    """64 x 64 to 800 x 1333: the squares of the MACs kept, under 3e9, fit in 64 bits, and those of the others do not."""
    axes = "input.height: [64, 800], input.width: [64, 1333], top_block.type: [maxpool, p6p7], neck.channels: [64, 256]"
    spec = written(f"archbench: 1\nbase: R-50-FPN\naxes: {{{axes}}}\n", tmp_path)
    least = sorted(i.cost.macs for i in small_space.one_by_one(spec) if i.cost and i.cost.macs < 3_000_000_000)
    asked = SpaceQuery(compile_expression("macs < 3e9"), compile_expression("macs * macs"), 3)
    rows = [row for row in make_shown_variants(spec, price_space(spec, asked)) if not row.priced.variant.reference]
    assert [row.priced.cost.macs for row in rows if row.priced.cost] == least[:3]
    with pytest.raises(SpecError, match="does not fit in 64 bits"):
        price_space(spec, SpaceQuery(by=compile_expression("macs * macs")))


def test_an_order_by_what_only_the_rows_kept_have_is_one(tmp_path: Path) -> None:
    spec = written("archbench: 1\nbase: R-50-FPN\naxes: {measure.threads: [null, 4, 2]}\n", tmp_path)
    asked = SpaceQuery(compile_expression("input.threads != null"), compile_expression("input.threads"), 1)
    chosen = price_space(spec, asked).chosen.points
    assert [chosen.assignment(row)["measure.threads"] for row in range(chosen.size)] == [2]


def test_as_many_constraints_as_a_spec_may_have_are_told_apart(tmp_path: Path) -> None:
    few = "archbench: 1\nbase: R-50-FPN\ninput: {height: 64, width: 64}\naxes: {neck.channels: [64, 128]}\n"
    text = few + "constraints:\n" + "".join(f"  - macs > {least}\n" for least in range(999)) + "  - macs < 999\n"
    refused = price_space(written(text, tmp_path)).funnel.refused
    assert {constraint: count for constraint, count in refused.items() if count} == {"macs < 999": 3}
    with pytest.raises(SpecError, match=r"constraints: 1,001 are more than the 1,000 of one spec; join some by `and`"):
        written(text + "  - macs < 9999\n", tmp_path)


def test_an_unknown_name_is_refused_where_it_stands(spec: Spec) -> None:
    with pytest.raises(SpecError, match=r"--where: .*there is no gmac here.*gmacs"):
        price_space(spec, SpaceQuery(where=compile_expression("gmac < 60", "--where")))


def test_the_rows_of_every_chunk_have_the_costs_of_their_networks(spec: Spec, one_by_one: list[PricedVariant]) -> None:
    found: list[tuple[int, ...]] = []

    class Collect:
        def add(self, chunk: Any) -> None:
            columns = [chunk.take_rows(chunk.rows, chunk.columns[metric]).tolist() for metric in EXACT]
            found.extend(zip(*columns, strict=True))

    price_space(spec, sink=Collect().add)
    assert sorted(found) == sorted(tuple(item.cost.as_json().values()) for item in one_by_one if item.cost)


def write(folder: Path, changes: Mapping[str, str]) -> Spec:
    text = SPEC
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return written(text, folder)


def test_without_a_limit_a_dozen_of_the_front_are_shown(tmp_path: Path) -> None:
    space = price_space(write(tmp_path, {", limit: 6": "", "constraints: [": "constraints: [gmacs > 0, "}))
    assert space.funnel.front is not None
    assert space.funnel.front > 12 == space.funnel.chosen


def test_nothing_within_the_constraints_is_a_front_of_none(tmp_path: Path) -> None:
    spec = write(tmp_path, {"gmacs < 0.5": "gmacs < 0"})
    space = price_space(spec)
    assert (space.funnel.kept, space.funnel.front, space.funnel.chosen) == (0, 0, 0)
    assert [row.priced.variant.reference for row in make_shown_variants(spec, space)] == [True]


def test_a_module_is_counted_though_it_has_no_price(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("archbench: 1\nname: own\nmodule: nets:small\n")
    assert count_funnel(read_spec(tmp_path / "own.yaml")) == Funnel(1, 0, 0, {}, 1)


def test_a_spec_is_many_when_it_is_large_or_drawn_or_selects(tmp_path: Path, spec: Spec) -> None:
    assert is_many(spec)
    assert not is_many(write(tmp_path, {SELECT: ""}))
    assert is_many(write(tmp_path, {SELECT: "sample: {method: random, n: 5}\n"}))
    large = {
        SELECT: "",
        "[[1, 2], [2, 3], [2], [1, 2]]": f"[{[*range(1, 9)]}, [1, 2, 3], [1, 2, 3], [2, 3]]",
    }
    assert is_many(write(tmp_path, large))
