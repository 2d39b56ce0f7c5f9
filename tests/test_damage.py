"""Stored runs with one field gone or of another kind: said in a line with the file, or read as it stands; never a traceback."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cases import quick_first
from made_runs import ENVIRONMENT, priced, stored, write_spec

from archbench.api import Run
from archbench.cli import exit_code_of

SPEC = """
archbench: 1
name: sweep
base: R-18-FPN
input: {height: 64, width: 64}
constraints: [gmacs <= 100]
budgets: {latency_ms: 30}
"""
SPACE = {
    **{"raw": 5, "excluded": 1, "duplicates": 1, "refused": {"gmacs <= 100": 1}, "kept": 2, "spared": 0},
    **{"collapsed_draws": 1, "elsewhere": 1, "front": 2, "chosen": 1, "aims": "most MACs for least memory"},
}
SHOWN_AS_TEXT = ("architecture", "workload")  # of a variant; what is in them is whatever its parts take
GONE = object()
CHANGES: dict[str, Any] = {
    "gone": GONE,
    "text": "zz",
    "null": None,
    "list": [1, [2]],
    "mapping": {"a": {"b": 1}},
    "negative": -7,
    "fraction": 1.5,
    "true": True,
    "beyond 64 bits": 10**30,
    "beyond a double": 10**400,
}
Place = tuple[str | int, ...]


def made(folder: Path) -> Run:
    folder.mkdir(exist_ok=True)
    spec = write_spec(folder, SPEC)
    records = priced(spec)
    given = {"environment": ENVIRONMENT | {"flags": {"OMP_NUM_THREADS": "2"}}, "space": SPACE, "budget_s": 60.0}
    milliseconds = {each.id: 5.0 for each in records}
    return stored(folder / "results", spec, records, milliseconds, scores={"R-18-FPN": 0.5}, **given)


def places(node: Any, at: Place = ()) -> Iterator[Place]:
    """Every key of every mapping, also of the first in each list."""
    if isinstance(node, list) and node:
        yield from places(node[0], (*at, 0))
    for key in node if isinstance(node, dict) else ():
        yield (*at, key)
        if key not in SHOWN_AS_TEXT:
            yield from places(node[key], (*at, key))


def changed(document: Any, place: Place, value: object) -> Any:
    whole = copy.deepcopy(document)
    inner = whole
    for key in place[:-1]:
        inner = inner[key]
    if value is GONE:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return whole


@pytest.mark.parametrize("change", quick_first([*CHANGES], 1))
@pytest.mark.parametrize("name", ["run.json", "records.jsonl", "samples.jsonl"])
def test_a_field_that_is_gone_or_of_another_kind_is_no_bug_of_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, change: str
) -> None:
    """Whatever is not refused is a field that nothing is computed of, and the run is reported and compared."""
    good, run = made(tmp_path / "good"), made(tmp_path)
    path = run.path / name
    first, *rest = path.read_text().splitlines(keepends=True)
    document = json.loads(first)
    for place in places(document):
        path.write_text(json.dumps(changed(document, place, CHANGES[change])) + "\n" + "".join(rest))
        codes = [
            exit_code_of(["report", str(run.path), "--format", "markdown"]),
            exit_code_of(["compare", str(run.path), str(good.path)]),
        ]
        said = capsys.readouterr().err
        assert set(codes) <= {0, 1, 2, 3, 4}, (place, codes, said)
        if codes[0] == 2:
            assert str(run.path) in said, (place, said)
            assert name in said, (place, said)
