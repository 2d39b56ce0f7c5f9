"""The table as GitHub-flavoured markdown, for a pull request or a design review."""

from __future__ import annotations

import re
from collections.abc import Iterable

from archbench.design.document import visible
from archbench.reporting.tables import Table, says_something

SPECIAL = re.compile(r"([\\`*\[\]<>|#~&])")  # `_` inside a word is text, as every name of ours has it
LONGEST = 10_000


def render(table: Table, **extra: object) -> str:
    """A heading, the columns that have anything to say, why rows failed, the caption."""
    columns = [column for column in table.columns if says_something(column, table.rows)]
    lines = [f"## {escape(table.title)}", ""] if table.title else []
    lines += [
        _line(escape(column.label) for column in columns),
        _line("---:" if column.numeric else "---" for column in columns),
    ]
    lines += [_line(escape(column.text(row)) for column in columns) for row in table.rows]
    lines += ["", *(f"- {escape(said)}" for said in table.caption)]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Untrusted text as itself: nothing in it formats, links, ends a cell or a line."""
    return SPECIAL.sub(r"\\\1", visible(text, LONGEST))


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
