r"""The table as LaTeX, for a paper: a tabular with rules of booktabs, its caption as comments to write one from."""

from __future__ import annotations

import re
from collections.abc import Iterable

from archbench.tables.table import MAIN, MARKS, Column, Table, has_content
from archbench.text import visible

LONGEST = 10_000
SPECIAL = {
    "\\": r"\textbackslash{}",
    **{character: rf"\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",  # two of them are a quote of another shape
    '"': r"\symbol{34}",  # babel makes it a command in some languages
    "[": "{[}",  # after the end of a row it would be read as a length
    "]": "{]}",
    "*": "{*}",  # after the end of a row it would forbid a page to end there
    "-": "{-}",  # two of them are a dash
    "±": r"$\pm$",
}
ANY = re.compile("|".join(map(re.escape, SPECIAL)))


def render_latex(table: Table, **extra: object) -> str:
    """The columns that decide and have anything to say. Needs `booktabs` and `textcomp`, which LaTeX has built in."""
    columns = [c for c in table.columns if _is_on_paper(c) and has_content(c, table.rows)]
    lines = [
        *(f"% {visible(said, LONGEST)}" for said in (table.title, *table.caption) if said),
        r"\begin{tabular}{" + "".join("r" if column.numeric else "l" for column in columns) + "}",
        r"\toprule",
        _format_latex_row(escape_latex(column.label) for column in columns),
        r"\midrule",
        *(_format_latex_row(escape_latex(column.format_cell(row)) for column in columns) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def escape_latex(text: str) -> str:
    """Untrusted text as itself: no command, no comment, no end of a cell or a row."""
    return ANY.sub(lambda found: SPECIAL[found[0]], visible(text, LONGEST))


def _is_on_paper(column: Column) -> bool:
    return column.priority <= MAIN or column.name in (*MARKS, "reason")


def _format_latex_row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"
