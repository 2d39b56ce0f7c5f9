"""kill -9 at any moment: what was on disk stays as it was, nothing is measured twice, the same command ends the work."""

import contextlib
import json
import random
import subprocess
from itertools import product

import psutil
import pytest
from commands import PROMPT_S, announced, block_key, lines, start, workers_of

NAME = "killed"
GENERATIONS = (
    6  # each kill but those before any block leaves one more behind it at most: all ten hit a run, in this order
)
SPEC = f"""\
archbench: 1
name: killed
base: R-18-FPN
input: {{height: 64, width: 64}}
axes: {{neck.channels: [32, 256]}}
measure: {{device: cpu, generations: {GENERATIONS}, threads: 1}}
"""
COMMAND = ("run", "spec.yaml")
STAGES = [(), (": starting",), (": warming up",), (": measuring",), (": measuring", ": starting")]  # lines gone by
KILLS = 2 * len(STAGES)
LATEST_S = 1.0  # after the stage began: of a start it is a part, of the blocks of a generation the most


def kill_in(stage, process, seconds):
    """End the run so long after its stage began, and see that its workers end; what it announced, null where it was done."""
    for mark in stage:
        next((line for line in process.stderr if mark in line), None)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
        process.communicate()
        return None  # a machine so fast that the work is done; the last command says whether it is
    workers = workers_of(process)
    process.kill()
    assert psutil.wait_procs(workers, timeout=PROMPT_S)[1] == [], "a worker outlived the run"
    return announced(process.communicate()[0])


@pytest.mark.slow
def test_ten_kills_at_random_moments_lose_nothing_and_repeat_nothing_nor_does_a_finished_run(tmp_path):
    """Two in each stage of a run, in a random order, at a random moment of it."""
    (tmp_path / "spec.yaml").write_text(SPEC)
    draw, said, hits = random.Random(0), set(), 0
    kept = {"samples.jsonl": [], "records.jsonl": []}
    for stage, _ in draw.sample([*product(STAGES, range(2))], KILLS):
        found = kill_in(stage, start(tmp_path, *COMMAND), draw.uniform(0.0, LATEST_S))
        hits += found is not None
        said |= found or set()
        for file, before in kept.items():
            after = lines(tmp_path, NAME, file)
            assert after[: len(before)] == before, f"{file} changed behind us"
            kept[file] = after
        assert said <= {json.loads(line)["id"] for line in kept["records.jsonl"]}
    assert hits >= KILLS - 2
    assert kept["samples.jsonl"], "no kill came after a block"
    assert start(tmp_path, *COMMAND).wait(5 * PROMPT_S) == 0, "the same command did not end the work"
    blocks, records = lines(tmp_path, NAME, "samples.jsonl"), lines(tmp_path, NAME, "records.jsonl")
    assert blocks[: len(kept["samples.jsonl"])] == kept["samples.jsonl"]
    assert len({block_key(line) for line in blocks}) == len(blocks), "a block was measured twice"
    assert {json.loads(line)["axes"]["neck.channels"] for line in records} == {32, 256}
    assert {json.loads(line)["status"] for line in records} == {"measured"}
    assert len(records) == 2
    table = next(tmp_path.glob("results/killed/*/table.csv")).read_text()
    assert "channels=32" in table
    assert "channels=256" in table
    before = {path: path.read_bytes() for path in tmp_path.glob("results/killed/*/*")}
    assert start(tmp_path, *COMMAND).wait(5 * PROMPT_S) == 0
    assert {path: path.read_bytes() for path in tmp_path.glob("results/killed/*/*")} == before, "measured again"
