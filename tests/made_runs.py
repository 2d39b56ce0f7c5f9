"""Make-believe runs of real networks: priced by archbench, timed by arithmetic, stored as a run stores them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from runs_on_disk import whole_round

from archbench.api import Run
from archbench.comparison.of_run import judge_run
from archbench.design.spec.spec import Spec, read_spec
from archbench.design.variants import expand
from archbench.runs.records import Block, Record, line_as_json
from archbench.runs.run import read_folder
from archbench.runs.store import SAMPLES, RunFolder
from archbench.space.constraints import keep_variants, price_all
from archbench.tables.prices import priced_record

TWO_HUNDRED = """
archbench: 1
name: two_hundred
base: R-50-FPN
input: {batch: 1, height: 256, width: 320}
axes:
  backbone.depth: [18, 34, 50, 101, 152]
  backbone.width: [0.5, 0.75, 1.0, 1.25]
  neck.channels: [64, 128, 192, 256, 320]
  top_block.type: [maxpool, p6p7]
constraints: [gmacs <= 100]
"""
THREE = """
archbench: 1
name: sweep
base: R-18-FPN
input: {height: 64, width: 64}
axes: {neck.channels: [64, 128, 256]}
"""
ENVIRONMENT = {
    "device": "cuda:0",
    "gpus": [{"name": "NVIDIA H100 80GB HBM3", "uuid": "GPU-0"}],
    "gpu": {"name": "NVIDIA H100 80GB HBM3", "uuid": "GPU-0"},
    "driver": "575.57.08",
    "cpu": "AMD EPYC 9654",
    "cores": 16,
    "memory_bytes": 128 << 30,
    "os": "Linux-6.1.0-x86_64",
    "python": "3.11.9",
    "versions": {"archbench": "0.1.0", "torch": "2.14.1"},
    "flags": {},
    "commit": None,
}


def write_spec(folder: Path, text: str) -> Spec:
    path = folder / "spec.yaml"
    path.write_text(text)
    return read_spec(path)


def priced(spec: Spec) -> list[Record]:
    """The spec's variants as rows that were not measured yet."""
    kept = keep_variants(price_all(expand(spec).variants), spec.constraints)
    return [replace(priced_record(item), status="not reached") for item in kept.priced]


def stored(
    results: Path,
    of: Spec,
    records: list[Record],
    milliseconds: dict[str, float],
    *,
    failure: str = "out of memory: 81 GiB were asked for, 79 are there",
    **given: Any,
) -> Run:
    """A finished run: a record and three generations of two turns for each id that took so many milliseconds.

    The others failed for the reason given; `given` is what run.json says beside.
    """
    folder = begun(results, of, records, **given)
    for each in records:
        status = "measured" if each.id in milliseconds else "failed"
        reason = None if each.id in milliseconds else failure
        memory = int(1.2 * each.exact["peak_bytes"]) if each.exact and status == "measured" else None
        kind = "measured" if memory else None
        folder.append_record(
            replace(each, status=status, reason=reason, memory_bytes=memory, memory_kind=kind)  # type: ignore[arg-type]
        )
    append_blocks(folder, milliseconds)
    return Run(judge_run(read_folder(folder)))


def begun(results: Path, of: Spec, records: list[Record], *, name: str | None = None, **given: Any) -> RunFolder:
    """A run's folder as it is before anything is measured."""
    header = {
        "spec": of.as_json(),
        "against": None,
        "plan": {"quantity": "request", "generations": 3, "seed": 0},
        "budget_s": None,
        "environment": ENVIRONMENT,
        "space": {"raw": len(records), "excluded": 0, "duplicates": 0, "refused": {}},
        "scores": None,
        "planned": [line_as_json(each) for each in records],
    }
    return RunFolder.create(results, name or of.name, header | given)


def append_blocks(folder: RunFolder, milliseconds: dict[str, float], *, noise: float = 0.01, seed: int = 0) -> None:
    """Three generations of a round and its mirror, every process off by its own little. Written at once: no fsync a block."""
    draw = random.Random(seed)
    blocks: list[Block] = []
    for generation in (1, 2, 3):
        biased = {key: ms * draw.gauss(1, noise) for key, ms in milliseconds.items()}
        order = [*biased, *reversed(biased)]
        blocks += whole_round(order, biased, generation=generation)
    lines = "".join(json.dumps(line_as_json(each)) + "\n" for each in blocks)
    (folder.path / SAMPLES).write_text(lines)


def two_hundred(results: Path, folder: Path, **given: Any) -> Run:
    """200 variants, two of which failed; the time grows with MACs and with kernels."""
    spec = write_spec(folder, TWO_HUNDRED)
    records = priced(spec)
    timed = records[:40] + records[41:77] + records[78:]
    milliseconds = {each.id: each.exact["macs"] / 40e9 + each.exact["kernels"] * 0.006 for each in timed if each.exact}
    return stored(results, spec, records, milliseconds, **given)


def evil(results: Path, names: list[str]) -> Run:
    """A run whose every text is by somebody who means no good: variants, axes and their values, warnings, the code of a
    variant, why the last failed, the spec, its base and constraints, the machine, its versions and flags."""
    results.mkdir(exist_ok=True)
    written = write_spec(results, "archbench: 1\nname: evil\nbase: R-18-FPN\ninput: {height: 64, width: 64}\n")
    real = priced(written)[0]
    records = [
        replace(
            real,
            id=f"{place:016}",
            name=name,
            axes={"module": name, f"neck.{name}": place},
            architecture={"factory": f"{name}:{name}"},
            warnings=(name,),
            reference=place == 0,
        )
        for place, name in enumerate(names)
    ]
    milliseconds = {each.id: 5.0 + place for place, each in enumerate(records[:-1])}
    every = "".join(names)
    machine = {"gpu": {"name": every}, "flags": {every: every}, "versions": {"torch": every, every: "1"}}
    words = dict.fromkeys(("host", "cpu", "driver", "os", "python", "commit"), every)
    return stored(
        results,
        written,
        records,
        milliseconds,
        failure=every,
        name=every,
        environment=ENVIRONMENT | words | machine,
        spec={"name": every, "base": every, "constraints": [every], "budgets": {"latency_ms": 5.0}},
    )


def compared(results: Path, folder: Path, new_ms: Sequence[float] = (10.0, 10.0, 10.0), **given: Any) -> Run:
    """A comparison of three networks; each takes twice as long as its base."""
    spec = write_spec(folder, THREE)
    new = [replace(each, side="new", pair=each.name) for each in priced(spec)]
    base = [
        replace(each, id=f"base{place}", name=f"{each.name} (base)", side="base", reference=False)
        for place, each in enumerate(new)
    ]
    milliseconds = {each.id: ms for each, ms in zip(new, new_ms, strict=True)}
    milliseconds |= {each.id: ms / 2 for each, ms in zip(base, new_ms, strict=True)}
    return stored(results, spec, [*new, *base], milliseconds, against=spec.as_json(), **given)


def unmeasured(results: Path, folder: Path) -> Run:
    """Three networks that were only priced."""
    spec = write_spec(folder, THREE)
    records = [replace(each, status="priced") for each in priced(spec)]
    run = begun(results, spec, records, environment=ENVIRONMENT | {"device": "none"})
    for each in records:
        run.append_record(each)
    return Run(judge_run(read_folder(run)))
