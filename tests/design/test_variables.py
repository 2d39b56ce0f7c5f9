"""What constraints and questions may name: every name is looked at as a spec is read, whether or not it is ever asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from archbench.design.expressions.parse import compile_expression
from archbench.design.spec.spec import Spec, read_spec
from archbench.design.variants import expand
from archbench.errors import SpecError
from archbench.metrics import EXACT
from archbench.space.constraints import keep_variants, nameable_values, price_all
from archbench.space.price_space import SpaceQuery, price_space

HEAD = "archbench: 1\nname: few\nbase: R-50-FPN\ninput: {height: 64, width: 64}\n"
TOPS = """\
axes:
  top_block.type: [none, maxpool, p6p7]
  top_block.source: {values: [c5, p5], when: top_block.type == 'p6p7'}
"""


def written(text: str, folder: Path) -> Spec:
    path = folder / "few.yaml"
    path.write_text(HEAD + text)
    return read_spec(path)


@pytest.mark.parametrize(
    ("constraint", "name"),
    [
        ("gmacs > 0 or __class__ == 1", "__class__"),
        ("gmacs > 0 or open", "open"),
        ("gmacs > 0 or neck.__class__ == 1", "neck.__class__"),
        ("gmacs < 0 and nonsense.name > 3", "nonsense.name"),
        ("gmacs > 0 or latency_ms < 3", "latency_ms"),
        ("gmacs > 0 or base == 'R-50-FPN'", "base"),  # which is no axis here
    ],
)
def test_a_name_that_no_evaluation_comes_to_is_refused_as_the_spec_is_read(
    constraint: str, name: str, tmp_path: Path
) -> None:
    with pytest.raises(SpecError) as caught:
        written(f'axes: {{neck.channels: [64, 128]}}\nconstraints: ["{constraint}"]\n', tmp_path)
    assert caught.value.message.startswith(f"{constraint}: there is no {name} here")
    assert caught.value.place == f"{tmp_path / 'few.yaml'}:6:15"


def test_a_constraint_behind_one_that_refuses_all_is_looked_at_too(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"there is no neck\.chanels here.*Did you mean neck\.channels\?"):
        written('constraints: ["gmacs < 0", "neck.chanels > 3"]\n', tmp_path)


@pytest.mark.parametrize("option", ["where", "by"])
def test_a_question_with_an_unknown_name_is_refused_though_no_row_comes_to_it(option: str, tmp_path: Path) -> None:
    spec = written("axes: {neck.channels: [64, 128]}\n", tmp_path)
    asked = SpaceQuery(**{option: compile_expression("gmacs > 0 or open", f"--{option}")})
    with pytest.raises(SpecError, match=rf"--{option}: gmacs > 0 or open: there is no open here"):
        price_space(spec, asked)


def test_what_a_variant_lacks_is_null_and_check_and_price_agree(tmp_path: Path) -> None:
    """Of none, maxpool, p6p7 from c5 and from p5, the last is refused; the reference, maxpool, has no source."""
    constraint = "top_block.source == null or top_block.source == 'c5'"
    spec = written(f'{TOPS}constraints: ["{constraint}"]\n', tmp_path)
    funnel = price_space(spec).funnel
    by_hand = keep_variants(price_all(expand(spec).variants), spec.constraints)
    assert funnel.refused == by_hand.refused == {constraint: 1}
    assert funnel.kept == len(by_hand.priced) == 3


def test_an_axis_over_the_base_or_the_workload_may_be_named(tmp_path: Path) -> None:
    text = "axes: {base: [R-50-FPN, R-101-FPN], measure.precision: [fp32, amp_fp16]}\nconstraints: [%s]\n"
    constraints = ("base == 'R-50-FPN' or measure.precision == 'fp32'", "base != null")
    spec = written(text % ", ".join(f'"{one}"' for one in constraints), tmp_path)
    by_hand = keep_variants(price_all(expand(spec).variants), spec.constraints)
    assert price_space(spec).funnel.refused == by_hand.refused == {constraints[0]: 1, constraints[1]: 0}


def test_one_variant_has_every_name_that_its_columns_have(tmp_path: Path) -> None:
    spec = written(TOPS, tmp_path)
    seen = []

    class Look:
        def add(self, chunk) -> None:  # type: ignore[no-untyped-def]
            seen.append(set(chunk.columns))

    price_space(spec, sink=Look().add)
    (item, *_) = price_all(expand(spec).variants)
    assert seen
    assert all(
        chunk == set(nameable_values(item)) >= {*EXACT, "gmacs", "head.classes", "input.threads"} for chunk in seen
    )


@pytest.mark.parametrize("text", ["sum(backbone.depths) > 5", "backbone.depths[0] > 1", "len(backbone.depths) > 1"])
def test_a_list_that_the_base_leaves_null_is_said_to_be_null(text: str, tmp_path: Path) -> None:
    spec = written("axes: {backbone.depths: [[1, 1, 1, 1], [2, 2, 2, 2]]}\n", tmp_path)
    with pytest.raises(SpecError, match=r"backbone\.depths is null; test it first"):
        price_space(spec, SpaceQuery(where=compile_expression(text, "--where")))
