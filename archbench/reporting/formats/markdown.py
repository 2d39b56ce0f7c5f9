"""The table as GitHub-flavoured markdown, for a pull request or a design review."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from archbench.tables.table import Column, Table, choose_telling, has_content
from archbench.text import visible

# `_` inside a word is text, as every name of ours has it
SPECIAL = re.compile(r"([\\`*\[\]<>|#~&$]|(?<![^\W_])_|_(?![^\W_]))")
BEGINS = re.compile(r"[-+]|\d+(?=[.)])")  # what a line may begin with to become a list, or a rule across the page
# what GitHub makes of plain text: links, people, issues, pictures. It looks for them in what the escapes came to
AUTOMATIC = re.compile(r":(?=//)|www(?=\.)|@(?=\w)|#(?=\d)|:(?=[\w+\\-]+:)", re.IGNORECASE)
APART = "<!-- -->"
LONGEST = 10_000
COMMENT = 65_536  # characters GitHub takes in a comment
BESIDE = 4  # of a comment a table beside the main one takes one part in so many


def render_markdown(table: Table, *, limit: int = COMMENT, **extra: object) -> str:
    """The table under a heading, with the columns that have anything to say and its caption, in at most `limit` characters.

    Rows that do not fit are left out, the front, the reference and what failed last, and a line says how many. A table
    that does not fit without any row is cut; of one that has none there is the caption.
    """
    columns = [column for column in table.columns if has_content(column, table.rows)]
    lines = [_render_row(escape_markdown(column.format_cell(row)) for column in columns) for row in table.rows]
    fits = len(lines)
    while fits and len(_render_document(table, columns, lines, fits)) > limit:
        fits = fits * 7 // 8
    return _cut_text(_render_document(table, columns, lines, fits), limit)


def render_markdown_tables(table: Table, beside: Sequence[Table], *, limit: int = COMMENT) -> str:
    """The table with smaller ones after it, in a comment together: those have a share each, the table what they leave."""
    after = "".join("\n" + render_markdown(each, limit=limit // BESIDE) for each in beside)
    return render_markdown(table, limit=limit - len(after)) + after


def _render_document(table: Table, columns: Sequence[Column], lines: Sequence[str], most: int) -> str:
    """The whole text, with `most` rows or fewer."""
    places = {id(row): place for place, row in enumerate(table.rows)}
    rows = [lines[places[id(row)]] for row in choose_telling(table.rows, most)]
    left_out = len(lines) - len(rows)
    note = [f"- {left_out:,} of {len(lines):,} rows are left out, to fit a comment; csv has all"] if left_out else []
    title = [f"## {escape_markdown(table.title)}", ""] if table.title else []
    grid = [*_render_head(columns), *rows, ""] if lines else []
    return "\n".join([*title, *grid, *note, *map(_render_item, table.caption)]) + "\n"


def _render_head(columns: Sequence[Column]) -> list[str]:
    return [
        _render_row(escape_markdown(column.label) for column in columns),
        _render_row("---:" if column.is_numeric else "---" for column in columns),
    ]


def _cut_text(text: str, limit: int) -> str:
    """The text up to the last line that fits; captions may be so long that nobody reads them."""
    if len(text) <= limit:
        return text
    end = "- the rest is left out, to fit a comment; csv has all\n"
    return text[: text.rfind("\n", 0, limit - len(end)) + 1] + end


def escape_markdown(text: str) -> str:
    """Untrusted text as itself: nothing in it formats, links, ends a cell or a line."""
    return AUTOMATIC.sub(rf"\g<0>{APART}", SPECIAL.sub(r"\\\1", visible(text, LONGEST)))


def _render_item(text: str) -> str:
    """Untrusted text as an item of a list, which holds nothing but a line."""
    said = escape_markdown(text)
    begun = BEGINS.match(said)
    return f"- {said}" if begun is None else f"- {_escape_beginning(begun[0])}{said[begun.end() :]}"


def _escape_beginning(beginning: str) -> str:
    """A beginning made harmless: a backslash before a sign, and after a number, which is before its dot then."""
    return f"{beginning}\\" if beginning.isdecimal() else f"\\{beginning}"


def _render_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
