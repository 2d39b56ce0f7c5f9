"""The axes of a table as they were varied: the paths of a zip move together and are one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archbench.reporting.page.charts import cell_text, distinct_words, shorten
from archbench.tables.table import Column, Row

Zips = Mapping[str, Sequence[str]]  # paths by what their zip is called


@dataclass(frozen=True)
class VariedAxis:
    """What was varied as one: a column, or those of a zip; a value of several is written `480/800`."""

    label: str
    columns: tuple[Column, ...]

    @property
    def name(self) -> str:
        """What tells it from every other."""
        return "/".join(column.name for column in self.columns)

    @property
    def title(self) -> str:
        """What it is called, and of a zip what its values are of."""
        paths = "/".join(column.label for column in self.columns)
        return shorten(self.label if paths == self.label else f"{self.label} ({paths})")

    @property
    def numeric(self) -> bool:
        return all(column.numeric for column in self.columns)

    def value_text(self, row: Row) -> str:
        if len(self.columns) == 1:
            return cell_text(self.columns[0], row)
        return shorten("/".join(cell_text(column, row) for column in self.columns))

    def is_unset(self, row: Row) -> bool:
        """Whether the row leaves it as the network has it: that is no amount."""
        return any(row.get(column.name) is None for column in self.columns)

    def value_texts(self, rows: Iterable[Row]) -> list[str]:
        """The distinct values, numbers in their order with what is unset behind, words as they come."""
        found = {self.value_text(row): row for row in rows}
        if not self.numeric:
            return list(found)
        return sorted(found, key=lambda text: [_sort_key(found[text].get(column.name)) for column in self.columns])


def _sort_key(value: Any) -> tuple[bool, Any]:
    return value is None, value or 0


def find_varied_axes(columns: Sequence[Column], rows: Sequence[Row], zips: Zips) -> list[VariedAxis]:
    """What differs among the rows, in the order of the columns."""
    differing = [column for column in columns if column.axis and len(distinct_words(column, rows)) > 1]
    names = {path: name for name, paths in zips.items() for path in paths}
    groups: dict[tuple[bool, str], list[Column]] = {}
    for column in differing:
        groups.setdefault((column.name in names, names.get(column.name, column.name)), []).append(column)
    return [
        VariedAxis(shorten(name if len(own) > 1 else own[0].label), tuple(own)) for (_, name), own in groups.items()
    ]


def find_zips(header: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The paths of each zip of a run's spec, by its name. A file is data, not to be trusted: what is no zip is passed over."""
    axes = (header.get("spec") or {}).get("axes")
    found = {}
    for key, form in axes.items() if isinstance(axes, Mapping) else ():
        paths = form.get("zip") if isinstance(form, Mapping) else None
        if isinstance(paths, Mapping):
            found[str(form.get("name") or key)] = tuple(map(str, paths))
    return found
