"""The Parquet file of a space, read back with DuckDB, against its variants priced one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from small_space import SMALL, one_by_one, written

from archbench.design.spec.spec import Spec
from archbench.errors import CannotMeasure
from archbench.metrics import EXACT
from archbench.reporting.formats import space_parquet
from archbench.reporting.formats.space_parquet import ParquetFile, write_space
from archbench.space.constraints import NamedColumns, PricedChunk, PricedVariant, first_broken
from archbench.space.points import CodedColumn, Points
from archbench.space.price_space import SpaceQuery

SPEC = (
    SMALL
    + """\
  top_block.type: [none, maxpool, p6p7]
  top_block.source: {values: [c5, p5], when: top_block.type == 'p6p7'}
  neck.relu: [true, false]
include: [{neck.channels: 320, backbone.norm: "group"}]
reference: {backbone.depths: [2, 2, 2, 2], neck.relu: false, backbone.width: 1.0}
constraints: [gmacs < 0.5]
"""
)
AXES = ("backbone.depths", "backbone.width", "neck.channels", "top_block.type", "neck.relu", "backbone.norm")


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Spec:
    return written(SPEC, tmp_path_factory.mktemp("specs"))


@pytest.fixture(scope="module")
def priced(spec: Spec) -> list[PricedVariant]:
    return one_by_one(spec)


@pytest.fixture(scope="module")
def file(spec: Spec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("out") / "it's a space.parquet"
    write_space(path, spec, SpaceQuery(), lambda rows: None)
    return path


@pytest.mark.parametrize("where", [None, "neck.channels == 64"])
def test_the_reference_is_a_row_whoever_spells_it_and_named_as_the_row_is(where: str | None, tmp_path: Path) -> None:
    """The base is a depth of 50; the grid has the same network as depths of its own, and no other row is it."""
    axes = "axes: {backbone.depths: [[3, 4, 6, 3], [2, 2, 2, 2]], neck.channels: [64, 256]}\n"
    head = "archbench: 1\nbase: R-50-FPN\ninput: {height: 64, width: 64}\n"
    constraints = "select: {minimize: [macs], limit: 1}\nconstraints: ['sum(backbone.depths) > 4']\n"
    spec, path = written(head + axes + constraints, tmp_path), tmp_path / "space.parquet"
    (reference,) = (item.variant for item in one_by_one(spec) if item.variant.reference)
    asked = SpaceQuery.parse(where, None, None)
    space, rows = write_space(path, spec, asked, lambda rows: None)
    assert [row.priced.variant.name for row in rows if row.priced.variant.reference] == [reference.name]
    assert reference.name == "depths=3-4-6-3,channels=256"
    marked = [(row["name"], row["id"], row["neck.channels"]) for row in read(path) if row["reference"]]
    assert marked == ([] if where else [(reference.name, reference.id, 256)])
    assert (space.reference_at is None) == (where is not None)


def test_the_last_of_many_constraints_is_named_where_it_refused(tmp_path: Path) -> None:
    text = SMALL.replace("[0.5, 0.75, 1.0]", "[0.5]") + "constraints:\n"
    many = text + "".join(f"  - macs > {least}\n" for least in range(130)) + "  - neck.channels != 64\n"
    path = tmp_path / "many.parquet"
    write_space(path, written(many, tmp_path), SpaceQuery(), lambda rows: None)
    rows = read(path)
    assert {row["refused"] for row in rows if row["neck.channels"] == 64} == {"neck.channels != 64"}
    assert {row["refused"] for row in rows if row["neck.channels"] != 64} == {None}


def read(path: Path, text: str = "SELECT * FROM file") -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        file = connection.read_parquet(str(path))
        found = connection.query(text) if file else None
        assert found is not None
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def test_it_has_every_variant_once_with_its_axes_and_exact_metrics_as_integers(
    priced: list[PricedVariant], file: Path
) -> None:
    columns = [*AXES, "top_block.source", *EXACT]
    wanted = []
    for item in priced:
        parts = item.variant.architecture.as_json()
        knobs = {f"{section}.{key}": value for section, part in parts.items() for key, value in part.items()}
        assert item.cost is not None
        wanted.append(str([*(knobs.get(axis) for axis in columns[:7]), *item.cost.as_json().values()]))
    assert sorted(str([row[name] for name in columns]) for row in read(file)) == sorted(wanted)


def test_a_refused_row_names_its_constraint_and_only_kept_ones_are_on_the_front(
    spec: Spec, priced: list[PricedVariant], file: Path
) -> None:
    by_cost = {}
    for item in priced:
        assert item.cost is not None
        broken = first_broken(item, spec.constraints)
        by_cost[item.cost.macs, item.cost.peak_bytes] = broken and broken.text
    rows = read(file)
    assert all(row["refused"] == by_cost[row["macs"], row["peak_bytes"]] for row in rows)
    assert {row["refused"] for row in rows} == {None, "gmacs < 0.5"}
    assert any(row["front"] for row in rows)
    assert not any(row["front"] and row["refused"] for row in rows)


def test_names_and_ids_stand_where_rows_are_shown_and_belong_to_their_networks(
    priced: list[PricedVariant], file: Path
) -> None:
    by_id = {item.variant.id: item for item in priced}
    named = [row for row in read(file) if row["id"] is not None]
    assert len(named) in (6, 7)
    assert [row["reference"] for row in named].count(True) == 1
    for row in named:
        item = by_id[row["id"]]
        assert item.cost is not None
        assert {metric: row[metric] for metric in EXACT} == item.cost.as_json()
        assert row["reference"] or row["front"]


def test_values_keep_their_kinds(file: Path) -> None:
    types = {row["column_name"]: row["column_type"] for row in read(file, "DESCRIBE SELECT * FROM file")}
    assert {name: types[name] for name in AXES} == {
        "backbone.depths": "INTEGER[]",
        "backbone.width": "DOUBLE",
        "neck.channels": "INTEGER",
        "top_block.type": "VARCHAR",
        "neck.relu": "BOOLEAN",
        "backbone.norm": "VARCHAR",
    }
    assert {types[metric] for metric in EXACT} == {"BIGINT"}
    assert (types["front"], types["refused"], types["name"]) == ("BOOLEAN", "VARCHAR", "VARCHAR")


def test_rows_are_in_the_order_of_the_space_the_last_axis_fastest(file: Path) -> None:
    relu = [row["neck.relu"] for row in read(file)]
    assert relu[:6] == [True, False] * 3


def test_what_outgrows_its_memory_is_kept_on_disk(spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three million rows of 68 bytes, in half of the memory they would take."""
    monkeypatch.setattr(space_parquet, "MEMORY", "100MB")
    width = CodedColumn("neck.channels", (64, 128), np.arange(1 << 18, dtype=np.int32) % 2)
    points = Points((1 << 18,), (width,))
    costs = {metric: np.arange(1 << 18) * 1_000_003 + place for place, metric in enumerate(EXACT)}
    nobody = np.full(1 << 18, -1, dtype=np.int8)
    everyone = np.ones(1 << 18, dtype=bool)
    chunk = PricedChunk(NamedColumns(spec, {}, points, costs), everyone, np.arange(1 << 18), nobody, everyone)
    with ParquetFile(tmp_path / "out.parquet", ["neck.channels"], []) as out:
        for _ in range(12):
            out.add(chunk)
        out.write(np.array([5, 3_000_000]), [])
    (found,) = read(tmp_path / "out.parquet", "SELECT count(*) AS rows, sum(macs)::HUGEINT AS macs FROM file")
    assert found == {"rows": 12 << 18, "macs": 12 * int(costs["macs"].sum())}
    marked = read(
        tmp_path / "out.parquet", 'SELECT "neck.channels" AS channels, params FROM file WHERE front ORDER BY 2'
    )
    assert marked == [
        {"channels": 128, "params": 5 * 1_000_003},
        {"channels": 64, "params": 3_000_000 % (1 << 18) * 1_000_003},
    ]


def test_nothing_is_left_beside_it_and_a_file_that_was_there_is_replaced(spec: Spec, tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    path.write_text("old")
    write_space(path, spec, SpaceQuery(), lambda rows: None)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.parquet"]
    assert len(read(path)) > 100


@pytest.mark.parametrize("name", ["folder", "nowhere/out.parquet"])
def test_a_place_that_cannot_be_written_is_refused_before_anything_is_priced(
    spec: Spec, tmp_path: Path, name: str
) -> None:
    (tmp_path / "folder").mkdir()
    said: list[int] = []
    with pytest.raises(CannotMeasure, match=r"--parquet .*; name"):
        write_space(tmp_path / name, spec, SpaceQuery(), said.append)
    assert said == []
