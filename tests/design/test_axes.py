"""The forms an axis can be written in, and the settings of a sweep: what they mean, and what they refuse."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yardstick import at_most

from archbench.design.spec.schema import Sample, Select, json_schema
from archbench.design.spec.spec import Spec, read_spec
from archbench.design.variants import expand
from archbench.errors import SpecError
from archbench.space.samplers import sample_lists

HEAD = "archbench: 1\nbase: R-18-FPN\ninput: {height: 64, width: 64}\n"


@pytest.fixture
def read(tmp_path):
    def from_text(text: str, *sets: str) -> Spec:
        (tmp_path / "sweep.yaml").write_text(HEAD + text + "\n")
        return read_spec(tmp_path / "sweep.yaml", sets)

    return from_text


def values(spec: Spec) -> list[Any]:
    (axis,) = spec.axes
    return [level[0] for level in axis.values]


def names(spec: Spec) -> list[str]:
    return [variant.name for variant in expand(spec).variants]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("[64, 128]", [64, 128]),
        ("{values: [64, 128]}", [64, 128]),
        ("{range: [64, 256, 64]}", [64, 128, 192, 256]),
        ("{range: [1, 10, 4]}", [1, 5, 9]),
        ("{range: [3, 3, 1]}", [3]),
        ("{range: [0.5, 0.9, 0.1]}", [0.5, 0.6, 0.7, 0.8, 0.9]),
        ("{range: [0.5, 2, 0.5]}", [0.5, 1.0, 1.5, 2.0]),
        ("{range: [-1, 1, 1]}", [-1, 0, 1]),
        ("{log2: [64, 512]}", [64, 128, 256, 512]),
        ("{log2: [1, 1]}", [1]),
        ("{log2: [0.25, 2]}", [0.25, 0.5, 1.0, 2.0]),
        ("{product: [[1, 2], [3], [4, 5]]}", [[1, 3, 4], [1, 3, 5], [2, 3, 4], [2, 3, 5]]),
    ],
)
def test_a_form_is_the_values_it_says(form, expected, read):
    assert values(read(f"axes: {{neck.channels: {form}}}")) == expected
    assert list(map(type, values(read(f"axes: {{neck.channels: {form}}}")))) == list(map(type, expected))


@given(st.integers(-500, 500), st.integers(1, 40), st.integers(0, 60), st.integers(0, 3))
@settings(max_examples=100)
def test_a_range_is_exact_in_decimals_and_ends_where_a_step_meets_the_end(tmp_path_factory, low, step, count, digits):
    """The truth is integer arithmetic: every number in units of the last digit."""
    unit = Decimal(1).scaleb(-digits)
    path = tmp_path_factory.mktemp("range") / "sweep.yaml"
    last = low + count * step
    path.write_text(HEAD + f"axes: {{neck.channels: {{range: [{low * unit}, {last * unit}, {step * unit}]}}}}\n")
    found = values(read_spec(path))
    assert [Decimal(str(value)) for value in found] == [(low + i * step) * unit for i in range(count + 1)]


def test_the_grid_counts_every_level_of_every_form(read):
    spec = read("axes: {neck.channels: {log2: [32, 64]}, backbone.depths: {product: [[1], [1, 2], [1], [1, 2]]}}")
    assert names(spec)[1:5] == [  # after the reference
        "channels=32,depths=1-1-1-1",
        "channels=32,depths=1-1-1-2",
        "channels=32,depths=1-2-1-1",
        "channels=32,depths=1-2-1-2",
    ]
    assert len(names(spec)) == 1 + 2 * 4


def test_zipped_paths_move_together_and_a_name_speaks_for_them(read):
    form = "{zip: {input.height: [64, 96], input.width: [96, 128]}%s}"
    plain = read("axes: {size: " + form % "" + "}\nreference: {input.height: 64, input.width: 96}")
    assert names(plain) == ["height=64,width=96", "height=96,width=128"]
    named = read("axes: {size: " + form % ", name: image" + "}\nreference: {input.height: 64, input.width: 96}")
    assert names(named) == ["image=64/96", "image=96/128"]
    assert dict(expand(named).variants[1].axes) == {"input.height": 96, "input.width": 128}


def test_an_axis_that_does_not_apply_is_unset_and_its_point_there_once(read):
    spec = read(
        "axes:\n  top_block.type: [maxpool, p6p7]\n  top_block.source: {values: [c5, p5], when: top_block.type == 'p6p7'}"
    )
    assert names(spec) == ["top_block=maxpool", "top_block=p6p7,source=c5", "top_block=p6p7,source=p5"]
    assert expand(spec).raw == 3


def test_a_condition_can_read_a_later_axis_and_stand_on_any_form(read):
    spec = read(
        "axes:\n  neck.channels: {log2: [64, 128], when: top_block.type != 'none'}\n"
        "  size: {zip: {input.height: [64, 96], input.width: [64, 96]}, when: top_block.type == 'none'}\n"
        "  backbone.depths: {product: [[1], [1, 2], [1], [1]], when: neck.channels == 64 or neck.channels == null}\n"
        "  top_block.type: [none, maxpool]"
    )
    # none: 2 sizes x 2 depths; maxpool: 64 with 2 depths, 128
    assert expand(spec).raw == 2 * 2 + 2 + 1


def test_exclude_takes_expressions_beside_partial_matches(read):
    spec = read(
        "axes: {neck.channels: [64, 128, 256], input.batch: [1, 2, 4]}\n"
        "exclude: [neck.channels * input.batch > 256, {input.batch: 1, neck.channels: 64}]"
    )
    assert names(spec) == [
        "channels=64,batch=2",
        "channels=64,batch=4",
        "channels=128,batch=1",
        "channels=128,batch=2",
        "channels=256,batch=1",
    ]
    assert expand(spec).excluded == 4


def test_draws_that_fall_together_are_counted(read):
    space = expand(read("axes: {neck.channels: [64, 128]}\nsample: {method: random, n: 50}"), sample_lists)
    assert (space.raw, space.collapsed, space.duplicates) == (50, 48, 0)


def test_settings_are_read_with_their_defaults_and_can_be_set(read):
    spec = read("sample: {n: 9}\nselect: {minimize: [macs, latency_ms], maximize: [score], limit: 12}", "sample.seed=4")
    assert spec.sample == Sample("random", 9, 4)
    assert spec.select == Select(("macs", "latency_ms"), ("score",), 12)
    assert read("select: {limit: 3}").select == Select((), (), 3)
    assert (read("").sample, read("").select) == (None, None)
    assert spec.as_json()["sample"] == {"method": "random", "n": 9, "seed": 4}
    assert "sample" not in read("").as_json()


def test_a_resolved_spec_keeps_axes_and_exclusions_as_they_were_written(read):
    text = "axes: {neck.channels: {range: [64, 128, 32]}}\nexclude: [neck.channels > 100]"
    kept = read(text).as_json()
    assert kept["axes"] == {"neck.channels": {"range": [64, 128, 32]}}
    assert kept["exclude"] == ["neck.channels > 100"]


def test_a_base_files_keys_lie_under_the_specs_part_by_part(read, tmp_path):
    (tmp_path / "house.yaml").write_text(
        "archbench: 1\nbase: R-18-FPN\nneck: {channels: 64, relu: true}\nbackbone: {norm: batch}\n"
        "input: {height: 96}\nsample: {n: 3}\nselect: {limit: 3}\n"
    )
    (tmp_path / "sweep.yaml").write_text("archbench: 1\nbase: house.yaml\nneck: {channels: 32}\ninput: {width: 64}\n")
    spec = read_spec(tmp_path / "sweep.yaml")
    (variant,) = expand(spec).variants
    assert {**variant.architecture.neck.knobs, "levels": 0} == {
        "channels": 32,
        "relu": True,
        "levels": 0,
        "norm": "none",
        "fuse": "sum",
    }
    assert (variant.architecture.backbone.knobs["norm"], variant.architecture.backbone.knobs["depth"]) == ("batch", 18)
    assert (variant.workload.height, variant.workload.width) == (96, 64)
    assert (spec.sample, spec.select) == (None, None)  # of a sweep, and the house is a network


REFUSED = {
    "axes: {neck.channels: {range: [1, 2]}}": "4:8: axes.neck.channels: [1, 2] is not 3 numbers; write {range: [64, 256, 32]}",
    "axes: {neck.channels: {range: [2, 1, 1]}}": "axes.neck.channels: [2, 1, 1] goes nowhere",
    "axes: {neck.channels: {range: [1, 2, 0]}}": "goes nowhere; write the smaller first and a step over 0",
    "axes: {neck.channels: {range: [1, 2, true]}}": "is not 3 numbers",
    "axes: {neck.channels: {range: [0, 1000000000000, 1]}}": "1,000,000,000,001 values are more than the 100,000 of one axis",
    "axes: {neck.channels: {range: [0, 1e300, 1e-300]}}": "values are more than the 100,000 of one axis; widen the step",
    "axes: {neck.channels: {log2: [48, 96]}}": "axes.neck.channels: 48 is not a power of two",
    "axes: {neck.channels: {log2: [0, 4]}}": "0 is not a power of two",
    "axes: {neck.channels: {log2: [1152921504606846977, 2305843009213693952]}}": "1152921504606846977 is not a power of two",
    "axes: {neck.channels: {log2: [64, 32]}}": "goes nowhere",
    "axes: {backbone.depths: {product: [1, 2]}}": "[1, 2] is not a list of lists",
    "axes: {backbone.depths: {product: [[1], []]}}": "[] is not a list of at least one value",
    "axes: {backbone.depths: {product: [[1, 1]]}}": "1 is there twice",
    "axes: {neck.channels: {rnage: [1, 2, 1]}}": "axes.neck.channels.rnage: unknown key; an axis is a list, {range: [lo, hi, step]}, {log2: [lo, hi]}",
    "axes: {neck.channels: {when: 1 > 0}}": "is not one form; an axis is a list",
    "axes: {neck.channels: {values: [1], log2: [1, 2]}}": "values and log2 together is not one form",
    "axes: {neck.channels: {values: [[1], 2]}}": "lists and numbers are mixed",
    "axes: {size: {zip: {input.height: [64, 96], input.width: [64]}}}": "axes.size: lists of a zip are equally long; input.height has 2, input.width has 1",
    "axes: {size: {zip: {input.height: [64, 64]}}}": "axes.size: (64,) is there twice",
    "axes: {size: {zip: [64]}}": "axes.size: [64] is not a mapping",
    "axes: {size: {zip: {heigth: [64]}}}": "heigth: not a path of a spec",
    "axes: {size: {zip: {input.height: [64]}, nmae: x}}": "axes.size.nmae: unknown key; beside zip there are name and when. Did you mean name?",
    "axes: {size: {zip: {input.height: [64]}, name: 3}}": "axes.size.name: 3 is not a name",
    "axes: {input.height: [64], size: {zip: {input.height: [64]}}}": "axes.size: input.height is set by the axis input.height too",
    "axes: {neck.channels: {values: [64], when: neck.chanels > 3}}": "neck.chanels is not an axis; there are neck.channels. Did you mean neck.channels?",
    "axes: {neck.channels: {values: [64], when: neck.channels > 3}}": "axes.neck.channels applies by itself in the end; break the ring",
    "axes: {neck.channels: {values: [64], when: input.batch > 3}, input.batch: {values: [4], when: neck.channels > 3}}": "break the ring",
    "axes: {neck.channels: {values: [64], when: 3}}": "3: not an expression",
    "axes: {neck.channels: {values: [64, 65], when: input.batch}, input.batch: [1, 2]}": "input.batch: it is 1, neither true nor false",
    "axes: {neck.channels: [64]}\nexclude: [neck.chanels > 3]": "exclude: neck.chanels > 3: neck.chanels is not an axis; there are neck.channels. Did you mean neck.channels?",
    "axes: {neck.channels: [64]}\nexclude: [neck.channels]": "5:11: neck.channels: it is 64, neither true nor false",
    "axes: {neck.channels: [64]}\nexclude: [neck.channels > 'a']": "5:11: neck.channels > 'a': > compares two numbers or two texts",
    "axes: {neck.channels: [64]}\nexclude: [3]": "exclude: 3 is not {path: value}",
    "exclude: 3": "exclude: 3 is not a list of {path: value} or expressions",
    "sample: 3": "4:1: sample: 3 is not a mapping; write sample: {method: sobol, n: 1000}",
    "sample: {method: sobl, n: 3}": "4:10: sample.method: 'sobl' is not accepted; it takes grid, random, lhs or sobol",
    "sample: {n: 0}": "sample.n: 0 is not accepted; it takes a whole number from 1 to 4000000",
    "sample: {method: lhs}": "sample.n: missing; say how many points are drawn",
    "sample: {n: 3, sede: 1}": "sample.sede: unknown key; sample takes method, n, seed. Did you mean seed?",
    "select: [macs]": "select: ['macs'] is not a mapping; write select: {minimize: [peak_bytes], maximize: [macs], limit: 12}",
    "select: {minimize: macs}": "select.minimize: 'macs' is not accepted; it takes a list of words",
    "select: {minimize: [mac]}": "select.minimize: there is no metric 'mac'; there are params",
    "select: {minimize: [gmacs]}": "select.minimize: gmacs is macs on another scale; write macs",
    "select: {minimize: [macs], maximize: [macs]}": "select: macs is there twice",
    "select: {limit: 0}": "select.limit: 0 is not accepted",
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_axis_exclusion_sample_or_selection_is_refused_at_its_place(text, read):
    with pytest.raises(SpecError) as refused:
        expand(read(text))
    message = str(refused.value)
    assert REFUSED[text] in message
    assert "\n" not in message
    assert refused.value.place.split("sweep.yaml:")[1]


@pytest.mark.parametrize("key", ["when", "exclude"])
@pytest.mark.parametrize(
    "attack",
    [
        "().__class__",
        "open('x')",
        "9**9**9 > 1",
        "-" * 2**19 + "1 > 0",
        "neck.channels.__class__ == 1",
        "[x for x in y]",
    ],
    ids=["attribute", "call", "power", "minus signs", "dunder", "comprehension"],
)
def test_conditions_and_exclusions_take_no_attack(key, attack, read):
    texts = {
        "when": f'axes:\n  neck.channels:\n    values: [64]\n    when: "{attack}"\n  input.batch: [1]',
        "exclude": f'axes: {{neck.channels: [64]}}\nexclude:\n  - "{attack}"',
    }
    line = {"when": "7", "exclude": "6"}[key]
    with pytest.raises(SpecError) as refused:
        read(texts[key])
    assert f"sweep.yaml:{line}:" in refused.value.place
    assert len(str(refused.value)) < 1000


def test_a_file_full_of_values_is_looked_through_once(read):
    """Every pair would be 800 million comparisons."""
    with at_most(5), pytest.raises(SpecError, match=r"axes\.neck\.channels: 7 is there twice"):
        read(f"axes: {{neck.channels: [{', '.join(str(n) for n in range(40_000))}, 7]}}")


def test_the_schema_for_editors_knows_every_form(read):
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json_schema())
    good = read(
        "axes:\n  backbone.depths: {product: [[1], [1, 2]], when: neck.channels > 3}\n  neck.channels: {log2: [1, 4]}\n"
        "  backbone.width: {range: [0.5, 1, 0.5]}\n  size: {zip: {input.height: [64], input.width: [64]}, name: size}\n"
        "  input.batch: {values: [1, 2]}\nexclude: [neck.channels > 3, {neck.channels: 2}]\n"
        "sample: {method: lhs, n: 3}\nselect: {minimize: [macs], limit: 3}"
    )
    assert list(validator.iter_errors(good.document.data)) == []
    for wrong in (
        {"axes": {"a.b": {"range": [1, 2]}}},
        {"axes": {"a.b": {"log2": [1, 2], "values": [1]}}},
        {"axes": {"a.b": {"product": [1, 2]}}},
        {"axes": {"a.b": {"range": [1, 2, 1], "name": "x"}}},
        {"axes": {"a.b": {"when": "x > 1"}}},
        {"exclude": [3]},
        {"sample": {"method": "sobl"}},
        {"select": {"minimise": ["macs"]}},
    ):
        assert list(validator.iter_errors({"archbench": 1, **wrong})) != [], wrong
