"""kill -9 at any moment: what was on disk stays as it was, nothing is measured twice, the same command ends the work."""

import contextlib
import json
import random
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

SPEC = """\
archbench: 1
name: killed
base: R-18-FPN
input: {height: 64, width: 64}
axes: {neck.channels: [32, 256]}
measure: {device: cpu, generations: GENERATIONS, threads: 1}
"""
KILLS = 10
LATEST_S = 8.0  # here one generation fits in this at most, so that with one more than kills every kill hits a run


def write_spec(folder, generations):
    (folder / "spec.yaml").write_text(SPEC.replace("GENERATIONS", str(generations)))


def command(folder):
    return subprocess.Popen(
        [sys.executable, "-m", "archbench", "run", "spec.yaml", "-o", "results"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def whole_lines(folder, name):
    """The lines of a file that end; what a killed write left behind it is not one."""
    found = list(Path(folder).glob(f"results/killed/*/{name}"))
    return found[0].read_bytes().split(b"\n")[:-1] if found else []


def block_key(line):
    block = json.loads(line)
    return tuple(block[name] for name in ("id", "replica", "generation", "group", "round", "order", "attempt", "phase"))


@pytest.mark.slow
def test_ten_kills_at_random_moments_lose_nothing_and_repeat_nothing(tmp_path):
    write_spec(tmp_path, KILLS + 1)
    draw, announced, hits = random.Random(7), set(), 0
    kept = {"samples.jsonl": [], "records.jsonl": []}
    for _ in range(KILLS):
        process = command(tmp_path)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(draw.uniform(1.0, LATEST_S))
            continue  # a machine so fast that the work is done; the last command says whether it is
        hits += 1
        workers = psutil.Process(process.pid).children()
        process.kill()
        assert psutil.wait_procs(workers, timeout=10)[1] == [], "a worker outlived the run"
        announced |= {line.split()[1] for line in process.communicate()[0].splitlines() if line.startswith("done ")}
        for name, before in kept.items():
            after = whole_lines(tmp_path, name)
            assert after[: len(before)] == before, f"{name} changed behind us"
            kept[name] = after
        assert announced <= {json.loads(line)["id"] for line in kept["records.jsonl"]}
    assert hits >= KILLS // 2
    assert kept["samples.jsonl"], "no kill came after a block"
    last = command(tmp_path)
    assert last.wait(300) == 0, "the same command did not end the work"
    blocks, records = whole_lines(tmp_path, "samples.jsonl"), whole_lines(tmp_path, "records.jsonl")
    assert blocks[: len(kept["samples.jsonl"])] == kept["samples.jsonl"]
    assert len({block_key(line) for line in blocks}) == len(blocks), "a block was measured twice"
    assert {json.loads(line)["axes"]["neck.channels"] for line in records} == {32, 256}
    assert {json.loads(line)["status"] for line in records} == {"measured"}
    assert len(records) == 2
    assert len(list(tmp_path.glob("results/killed/*"))) == 1
    table = next(tmp_path.glob("results/killed/*/table.csv")).read_text()
    assert "channels=32" in table
    assert "channels=256" in table


@pytest.mark.slow
def test_a_finished_run_is_not_measured_again(tmp_path):
    write_spec(tmp_path, 2)
    assert command(tmp_path).wait(300) == 0
    before = {path: path.read_bytes() for path in tmp_path.glob("results/killed/*/*")}
    assert command(tmp_path).wait(300) == 0
    assert {path: path.read_bytes() for path in tmp_path.glob("results/killed/*/*")} == before
