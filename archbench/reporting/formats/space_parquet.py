"""A priced space as one Parquet file: a row a variant, every axis and every exact metric, written by DuckDB.

Rows go into a table of DuckDB's as their chunks come, on a thread of its own while the next chunk is priced; what outgrows
its memory it keeps on disk. The front is known only at the end, and with it the file is written, whole or not at all.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from archbench import units
from archbench.design.spec.spec import Spec
from archbench.design.variants import varied_paths
from archbench.errors import CannotMeasure
from archbench.metrics import EXACT
from archbench.models.variant import Variant
from archbench.reporting.formats.parquet import quote_name, quote_text
from archbench.runs.store import check_writable
from archbench.space.constraints import PricedChunk
from archbench.space.points import ValueNumbering
from archbench.space.price_space import PricedSpace, ShownVariant, SpaceQuery, make_shown_variants, price_space
from archbench.text import visible

MEMORY = "512MB"  # of DuckDB's; a million rows take 100
# Version 2 writes a count as its difference from the one before: of 3.4 million rows 5 MB, where version 1 takes 53, and a
# third less of the processor. Beside that zstd costs next to nothing and is a third of snappy's size.
FORMAT = "FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd"
NAMED = ("name", "id", "reference")  # of the rows that are shown; null for all others


def write_space(
    path: Path, spec: Spec, asked: SpaceQuery, said: Callable[[int], None]
) -> tuple[PricedSpace, tuple[ShownVariant, ...]]:
    """Price a space and write every row of it to a file. Raises CannotMeasure where it cannot be put there."""
    check_writable("--parquet", path)
    with ParquetFile(path, varied_paths(spec), [constraint.text for constraint in spec.constraints]) as file:
        space = price_space(spec, asked, file.add, said)
        rows = make_shown_variants(spec, space)
        file.write(space.front.at, [(row.at, row.priced.variant) for row in rows if row.at is not None])
    return space, rows


class ParquetFile:
    """A file that takes priced chunks; `write` puts it in its place.

    Columns: the axes (an axis of lists as lists), the exact metrics, `refused` (the constraint that was the first to refuse
    the row, null for a row that is kept), `front`, and `name`, `id` and `reference` of the rows that are shown.
    """

    def __init__(self, path: Path, axes: Sequence[str], constraints: Sequence[str]) -> None:
        self.path, self._axes, self._constraints = path, axes, constraints
        self._numberings = {axis: ValueNumbering() for axis in axes}
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None
        self._spill = tempfile.TemporaryDirectory(prefix="archbench-")
        self._table = duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": self._spill.name})
        columns = [*(f"{quote_name(axis)} INTEGER" for axis in axes), *(f"{metric} BIGINT" for metric in EXACT)]
        self._table.execute(f"CREATE TABLE priced ({', '.join([*columns, 'refused SMALLINT'])})")

    def __enter__(self) -> ParquetFile:
        return self

    def __exit__(self, *ended: object) -> None:
        self._thread.shutdown()
        self._table.close()
        self._spill.cleanup()

    def add(self, chunk: PricedChunk) -> None:
        self._await_insert()
        self._writing = self._thread.submit(self._insert_chunk, chunk)

    def write(self, front_at: NDArray[np.int64], shown: Iterable[tuple[int, Variant]]) -> None:
        """Write the file, with the front marked at its places among all rows; `shown` are the variants at some of them."""
        self._await_insert()
        with _replacing_file(self.path) as unfinished:
            self._insert_marks(front_at, shown)
            self._table.execute(f"COPY ({self._select_query()}) TO {quote_text(str(unfinished))} ({FORMAT})")

    def _await_insert(self) -> None:
        with _reporting_disk_errors(self.path):
            if self._writing is not None:
                self._writing.result()

    def _insert_chunk(self, chunk: PricedChunk) -> None:
        rows, columns = chunk.rows, chunk.columns
        codes = {axis: numbering.number_column(columns.column(axis)) for axis, numbering in self._numberings.items()}
        arrays = codes | {metric: columns[metric] for metric in EXACT} | {"refused": chunk.refused}
        given = {f"c{place}": chunk.take_rows(rows, array) for place, array in enumerate(arrays.values())}
        self._table.register("chunk", given)
        self._table.execute("INSERT INTO priced SELECT * FROM chunk")
        self._table.unregister("chunk")

    def _insert_marks(self, front_at: NDArray[np.int64], shown: Iterable[tuple[int, Variant]]) -> None:
        self._table.register("front_at", {"place": front_at})
        self._table.execute("CREATE TABLE shown (place BIGINT, name VARCHAR, id VARCHAR, reference BOOLEAN)")
        for place, variant in shown:
            values = [getattr(variant, name) for name in NAMED]
            self._table.execute("INSERT INTO shown VALUES (?, ?, ?, ?)", [place, *values])
        for number, axis in enumerate(self._axes):
            self._table.execute(f"SET VARIABLE axis{number} = ?", [_align_kinds(self._numberings[axis].values)])
        self._table.execute("SET VARIABLE constraints = ?", [list(self._constraints)])

    def _select_query(self) -> str:
        """A query for every row with its values in place of their numbers, lists being counted from 1."""
        axes = [
            f"getvariable('axis{number}')[priced.{quote_name(axis)} + 1] AS {quote_name(axis)}"
            for number, axis in enumerate(self._axes)
        ]
        marks = [
            "getvariable('constraints')[nullif(refused, -1) + 1] AS refused",
            "front_at.place IS NOT NULL AS front",
            *(f"shown.{key}" for key in NAMED),
        ]
        return (
            f"SELECT {', '.join([*axes, *EXACT, *marks])} FROM priced "
            "LEFT JOIN front_at ON priced.rowid = front_at.place LEFT JOIN shown ON priced.rowid = shown.place"
        )


@contextmanager
def _replacing_file(path: Path) -> Iterator[Path]:
    """A file beside `path` to write, which is put in its place at the end."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with _reporting_disk_errors(path):
            yield unfinished
            unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _reporting_disk_errors(path: Path) -> Iterator[None]:
    """Say an error of the disk as one sentence about the file."""
    try:
        yield
    except (OSError, duckdb.IOException) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        place = f"--parquet {visible(str(path), 1000)}"
        raise CannotMeasure(f"{place}: cannot be written ({visible(reason)}); name another") from error


def _align_kinds(values: Sequence[Any]) -> list[Any]:
    """An axis' values as a list that DuckDB has a type for: as they are, or as a spec writes them where kinds are mixed."""
    kinds = {type(value) for value in values if value is not None}
    alike = len(kinds) <= 1 or kinds == {int, float}
    return list(values) if alike else [None if value is None else units.format_plain(value) for value in values]
