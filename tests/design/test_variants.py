"""From a spec to its variants: the grid, what leaves it, names, ids, the reference."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archbench.design.spec.schema import json_schema
from archbench.design.spec.spec import read_spec
from archbench.design.variants import MAX_VARIANTS, count_raw, expand, preset
from archbench.errors import SpecError
from archbench.models.presets import PRESETS
from archbench.models.variant import variant_from_json
from archbench.pricing.price import price

SPECS = Path(__file__).parent.parent.parent / "specs"
SMALL = "archbench: 1\nbase: R-50-FPN\ninput: {height: 64, width: 64}\n"


@pytest.fixture
def read(tmp_path):
    def from_text(text, *sets, name="sweep.yaml"):
        (tmp_path / name).write_text(text)
        return read_spec(tmp_path / name, sets)

    return from_text


def names(spec):
    return [variant.name for variant in expand(spec).variants]


def test_the_grid_is_every_combination_the_first_axis_slowest(read):
    spec = read(SMALL + "axes: {neck.channels: [64, 256], top_block.type: [none, maxpool]}\n")
    assert names(spec) == [
        "channels=64,top_block=none",
        "channels=64,top_block=maxpool",
        "channels=256,top_block=none",
        "channels=256,top_block=maxpool",
    ]


def test_exclude_is_a_partial_match_and_include_one_whole_extra_variant(read):
    spec = read(
        SMALL + "axes: {neck.channels: [64, 128, 256], top_block.type: [none, maxpool]}\n"
        "exclude: [{neck.channels: 64, top_block.type: none}, {neck.channels: 128}]\ninclude: [{neck.channels: 320}]\n"
    )
    space = expand(spec)
    assert [v.name for v in space.variants] == [
        "channels=64,top_block=maxpool",
        "channels=256,top_block=none",
        "channels=256,top_block=maxpool",
        "channels=320,top_block=maxpool",
    ]
    assert (space.raw, space.excluded, space.duplicates) == (7, 3, 0)


def test_the_unmodified_base_is_the_reference_and_is_added_if_no_axis_gives_it(read):
    with_it = expand(read(SMALL + "axes: {neck.channels: [64, 256]}\n"))
    assert [v.name for v in with_it.variants if v.reference] == ["channels=256"]
    without = expand(read(SMALL + "axes: {neck.channels: [64, 128]}\n"))
    assert [(v.name, v.reference) for v in without.variants] == [
        ("channels=256", True),
        ("channels=64", False),
        ("channels=128", False),
    ]


def test_a_reference_can_be_named_by_its_values(read):
    space = expand(read(SMALL + "axes: {neck.channels: [64, 128]}\nreference: {neck.channels: 64}\n"))
    assert [(v.name, v.reference) for v in space.variants] == [("channels=64", True), ("channels=128", False)]


def test_two_spellings_of_one_network_are_one_variant(read):
    space = expand(
        read(
            SMALL + "axes: {backbone.width: [1.0, 1.001]}\ninclude:\n"
            "  - {backbone.depths: [3, 4, 6, 3]}\n  - {backbone.block: bottleneck}\n  - {top_block.type: maxpool}\n"
        )
    )
    assert (len(space.variants), space.duplicates) == (1, 4)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            {"backbone.depth": 50},
            {"backbone.depth": 18, "backbone.block": "bottleneck", "backbone.depths": [3, 4, 6, 3]},
        ),
        (
            {"backbone.depth": 18, "backbone.stride_in_1x1": True},
            {"backbone.depth": 18, "backbone.stride_in_1x1": False},
        ),
        ({"backbone.norm": "none", "backbone.norm_eps": 0.0}, {"backbone.norm": "none", "backbone.norm_eps": 0.1}),
        (
            {"neck.type": "none", "neck.levels": [4], "top_block.type": "none", "backbone.depths": [3, 4, 6, 3]},
            {"neck.type": "none", "neck.levels": [4], "top_block.type": "none", "backbone.depths": [3, 4, 6, 9]},
        ),
        ({"backbone.stem_channels": 32, "backbone.width": 1.0}, {"backbone.stem_channels": 32}),
    ],
)
def test_one_network_has_one_id_and_one_price_however_it_is_spelled(one, other):
    assert preset("R-50-FPN", one).id == preset("R-50-FPN", other).id
    assert price(preset("R-50-FPN", one)) == price(preset("R-50-FPN", other))


def test_what_changes_the_network_or_the_workload_changes_the_id():
    changes = [
        {},
        {"backbone.depth": 101},
        {"backbone.depths": [3, 4, 6, 4]},
        {"backbone.width": 0.5},
        {"backbone.norm": "batch"},
        {"backbone.norm_eps": 1e-5},
        {"backbone.stride_in_1x1": False},
        {"backbone.stem_channels": 32},
        {"neck.channels": 128},
        {"neck.levels": [3, 4, 5]},
        {"neck.norm": "batch"},
        {"neck.relu": True},
        {"neck.fuse": "average"},
        {"top_block.type": "none"},
        {"top_block.type": "p6p7"},
        {"top_block.type": "p6p7", "top_block.source": "p5"},
        {"input.batch": 2},
        {"input.height": 801},
        {"input.width": 1344},
        {"measure.precision": "amp_bf16"},
        {"measure.memory_format": "channels_last"},
        {"measure.threads": 1},
    ]
    assert len({preset("R-50-FPN", change).id for change in changes}) == len(changes)


def test_ids_do_not_move():
    """Stored results are matched by id for years: these may never change."""
    assert preset("R-50-FPN").id == "eaf4e37fb0b36015"
    assert len({preset(name).id for name in PRESETS}) == len(PRESETS)


def test_a_new_knob_with_a_default_moves_no_id(monkeypatch):
    before = {name: preset(name).id for name in PRESETS}
    from archbench.models.variant import FAMILIES, PartChoice

    variant = preset("R-50-FPN")
    part = FAMILIES["neck"]["fpn"]
    monkeypatch.setitem(part.__dict__, "defaults", part.defaults | {"attention": None})
    widened = PartChoice("fpn", {**variant.architecture.neck.knobs, "attention": None})
    architecture = type(variant.architecture)(**{**variant.architecture.__dict__, "neck": widened})
    assert type(variant)("", architecture, variant.workload).id == before["R-50-FPN"]


def test_a_changed_type_drops_the_old_types_keys(read):
    retina = read("archbench: 1\nbase: R-50-FPN-RETINANET\ntop_block: {type: maxpool}\n")
    assert expand(retina).variants[0].architecture.top_block.as_json() == {"type": "maxpool"}


def test_an_axis_over_bases_starts_each_variant_from_its_own(read):
    space = expand(read(SMALL + "axes: {base: [R-18-FPN, R-50-FPN, R-50-C4]}\n"))
    assert [v.name for v in space.variants] == ["R-18-FPN", "R-50-FPN", "R-50-C4"]
    assert [v.architecture.neck.type for v in space.variants] == ["fpn", "fpn", "none"]
    assert {v.workload.height for v in space.variants} == {64}


def test_a_base_can_be_a_file_in_the_specs_folder(read):
    read(
        "archbench: 1\nbase: R-18-FPN\nneck: {channels: 64}\nmeasure: {precision: amp_bf16}\naxes: {input.batch: [1, 2]}\n",
        name="house.yaml",
    )
    (variant,) = expand(read("archbench: 1\nbase: house.yaml\nneck: {relu: true}\n")).variants
    assert (variant.architecture.neck.knobs["channels"], variant.architecture.neck.knobs["relu"]) == (64, True)
    assert variant.architecture.backbone.knobs["depth"] == 18
    assert variant.workload.precision == "amp_bf16"


def test_set_writes_over_the_file_and_base_too(read):
    spec = read(SMALL, "neck.channels=96", "base=R-18-FPN", "measure.budget=90s", "input.batch=2")
    (variant,) = expand(spec).variants
    assert (variant.architecture.neck.knobs["channels"], variant.architecture.backbone.knobs["depth"]) == (96, 18)
    assert (spec.measure.budget, variant.workload.batch) == ("90s", 2)


def test_names_use_whole_paths_where_the_last_word_is_not_enough(read):
    spec = read(
        SMALL + "axes: {backbone.norm: [batch], neck.norm: [batch], backbone.depths: [[1, 1, 1, 1]]}\nreference: "
        "{backbone.norm: batch, neck.norm: batch, backbone.depths: [1, 1, 1, 1]}\n"
    )
    assert names(spec) == ["backbone.norm=batch,neck.norm=batch,depths=1-1-1-1"]


def test_a_variant_survives_the_trip_to_a_worker():
    for name in PRESETS:
        variant = preset(name, {"input.batch": 3, "measure.threads": 2})
        there = variant_from_json(json.loads(json.dumps(variant.as_json())))
        assert (there.id, there.workload, price(there)) == (variant.id, variant.workload, price(variant))


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_spec_of_the_repository_expands_has_a_reference_and_asks_a_question(path):
    spec = read_spec(path)
    if count_raw(spec) <= MAX_VARIANTS:
        assert sum(v.reference for v in expand(spec).variants) == 1
    assert spec.name == path.stem
    first = path.read_text().splitlines()[0]
    assert first.startswith("# ")
    assert "?" in path.read_text().split("archbench:")[0]


def test_the_presets_spec_has_every_preset():
    assert {v.name for v in expand(read_spec(SPECS / "presets.yaml")).variants} == set(PRESETS)


def test_the_json_schema_takes_every_spec_and_refuses_a_mistyped_key():
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json_schema())
    jsonschema.Draft202012Validator.check_schema(json_schema())
    for path in SPECS.glob("*.yaml"):
        assert list(validator.iter_errors(read_spec(path).document.data)) == []
    for wrong in (
        {"neck": {"chanels": 3}},
        {"axes": {"neck.channels": []}},
        {"nek": {}},
        {"input": {"height": "big"}},
        {"archbench": 2},
    ):
        assert list(validator.iter_errors({"archbench": 1, **wrong})) != []


@given(
    st.lists(st.integers(1, 512), min_size=1, max_size=6, unique=True),
    st.lists(st.sampled_from(["none", "maxpool", "p6p7"]), min_size=1, max_size=3, unique=True),
    st.integers(0, 5),
)
def test_counts_add_up_for_any_grid(tmp_path_factory, channels, tops, drop):
    path = tmp_path_factory.mktemp("grid") / "grid.yaml"
    excluded = channels[drop % len(channels)]
    path.write_text(
        SMALL
        + f"axes: {{neck.channels: {channels}, top_block.type: [{', '.join(tops)}]}}\nexclude: [{{neck.channels: {excluded}}}]\n"
    )
    spec = read_spec(path)
    space = expand(spec)
    assert space.raw == count_raw(spec) == len(channels) * len(tops)
    assert space.excluded == len(tops)
    assert len(space.variants) - (space.raw - space.excluded - space.duplicates) in (
        0,
        1,
    )  # the reference, if it was not there
    assert len({v.id for v in space.variants}) == len({v.name for v in space.variants}) == len(space.variants)


@given(
    st.dictionaries(
        st.sampled_from(
            ["neck.channels", "neck.levels", "backbone.width", "top_block.type", "input.height", "neck.zzz"]
        ),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(),
            st.text(max_size=5),
            st.lists(st.integers(0, 6), max_size=4),
        ),
    )
)
def test_any_override_gives_a_variant_or_one_line(overrides):
    try:
        assert preset("R-18-FPN", {"input.width": 64, "input.height": 64, **overrides}).id
    except SpecError as error:
        message = str(error)
    else:
        message = ""
    assert "\n" not in message
