"""The scores of a spec: the user's own accuracy figures, one a variant, from a CSV file."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archbench.errors import SpecError
from archbench.runs.records import Record
from archbench.text import visible

if TYPE_CHECKING:  # a reader of specs is no part of what supervises a run
    from archbench.design.spec.spec import Spec

MAX_BYTES = 16 << 20
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", re.ASCII)
FORM = "the header is name,score or id,score, then a line a variant"


def read_scores(path: str | Path) -> dict[str, float]:
    """Scores by variant name or id, as the first column's header says. Raises SpecError at file:line."""
    shown = visible(str(path), 1000)
    lines = csv.reader(io.StringIO(_read_text(Path(path), shown), newline=""), strict=True)
    scores: dict[str, float] = {}
    first_at: dict[str, int] = {}
    header: Sequence[str] | None = None
    try:
        for cells in lines:
            place = f"{shown}:{lines.line_num}"
            if header is None:
                header = _check_heading(cells, place)
            elif cells:
                name, score = _parse_entry(cells, place)
                if first_at.setdefault(name, lines.line_num) != lines.line_num:
                    raise SpecError(f"{visible(name)} has a score on line {first_at[name]} already; keep one", place)
                scores[name] = score
    except csv.Error as error:
        raise SpecError(f"not a CSV file ({error}); {FORM}", f"{shown}:{lines.line_num}") from error
    if header is None:
        raise SpecError(f"empty; {FORM}", f"{shown}:1")
    return scores


def spec_scores(spec: Spec) -> dict[str, float] | None:
    """The scores of a spec's file; null where it names none."""
    return read_scores(spec.scores) if spec.scores else None


def select_scores(
    scores: Mapping[str, float] | None, records: Iterable[Record], strangers: Sequence[str] | None
) -> Mapping[str, float] | None:
    """The scores for a table of a few of a space's variants: of these variants, and those that are of no variant of the space.

    Where nobody looked for the latter (`strangers` null), all scores.
    """
    if scores is None or strangers is None:
        return scores
    known = {*strangers, *(text for record in records for text in (record.id, record.name))}
    return {text: score for text, score in scores.items() if text in known}


def _read_text(path: Path, shown: str) -> str:
    try:
        if path.exists() and not path.is_file():
            raise SpecError("not a regular file; give a CSV file", shown)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise SpecError(f"cannot be read ({getattr(error, 'strerror', error)}); give a CSV file", shown) from error
    if len(data) > MAX_BYTES:
        raise SpecError(f"larger than {MAX_BYTES >> 20} MiB; a file of scores has one short line a variant", shown)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SpecError("not UTF-8; save the file as UTF-8", f"{shown}:{line}") from error


def _check_heading(cells: Sequence[str], place: str) -> Sequence[str]:
    if len(cells) != 2 or cells[0].strip() not in ("name", "id"):
        raise SpecError(f"the header is {visible(','.join(cells)) or 'empty'}; {FORM}", place)
    return cells


def _parse_entry(cells: Sequence[str], place: str) -> tuple[str, float]:
    if len(cells) != 2:
        raise SpecError(f"{len(cells)} columns where there are two; {FORM}", place)
    name, text = cells[0].strip(), cells[1].strip()
    if not NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise SpecError(
            f"the score of {visible(name)} is {visible(text) or 'missing'}; give a finite number like 37.4", place
        )
    return name, float(text)
