"""How a variant, a metric and an amount are said in a sentence. Nothing here is escaped but for what cannot be seen."""

from __future__ import annotations

from collections.abc import Sequence

from archbench import units
from archbench.metrics import METRICS
from archbench.reporting.page.charts import format_metric
from archbench.tables.table import Row
from archbench.text import visible

NAMED = 4  # variants a cell spells out before it counts the rest
LONGEST = 1000

Facts = tuple[tuple[str, str], ...]  # what is told, by what it is called


def full_name(row: Row) -> str:
    """A variant's name, and which replica it is."""
    replica = f" (replica {row['replica']})" if row.get("replica") else ""
    return visible(row["name"], LONGEST) + replica


def describe_latency(row: Row) -> str:
    """A latency with its interval, where it has one."""
    return f"{format_metric(row['latency_ms'], 'latency_ms')} {format_row_half_width(row)}".removesuffix(
        f" {units.MISSING}"
    )


def format_row_half_width(row: Row) -> str:
    return units.MISSING if row["half_width"] is None else units.format_half_width(row["half_width"])


def format_value(row: Row, metric: str) -> str:
    return units.MISSING if row[metric] is None else METRICS[metric].format(row[metric])


def format_amount(row: Row, metric: str) -> str:
    return format_metric(row[metric], metric)


def metric_phrase(metric: str, *, capital: bool = False) -> str:
    """A metric in a sentence: its label without the unit."""
    word = METRICS[metric].title.partition(" (")[0]
    word = "peak memory" if metric == "peak_bytes" else word
    return word[0].upper() + word[1:] if capital else word


def name_some(rows: Sequence[Row], most: int = NAMED) -> str:
    """The first names, which have commas of their own, and how many there are beside."""
    more = f" and {len(rows) - most:,} more" if len(rows) > most else ""
    return "; ".join(full_name(row) for row in rows[:most]) + more


def join_words(words: Sequence[str]) -> str:
    said = [visible(word) for word in words]
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(words) > 1 else said)
