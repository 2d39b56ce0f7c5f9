"""kill -9 at any moment: what was on disk stays as it was, nothing is measured twice, the same command ends the work."""

import contextlib
import json
import random
import subprocess

import psutil
import pytest
from commands import REAL, SCRIPTED, announced, assert_ended_well, block_key, lines, orphans, start, workers_of
from cues import PROMPT_S, Cues

pytestmark = pytest.mark.process

NAME = "killed"
GENERATIONS = 6  # four kills come after a block and leave at most one more behind each: all ten hit a run
SPEC = f"""\
archbench: 1
name: killed
base: R-18-FPN
input: {{height: 64, width: 64}}
axes: {{neck.channels: [32, 256]}}
measure: {{device: cpu, generations: {GENERATIONS}, threads: 1}}
"""
COMMAND = ("run", "spec.yaml")
STAGES = [  # the request that comes next and how many of it there are: of the first generation, and of the second's start
    ("start", range(1, 3)),
    ("warm", range(1, 3)),
    ("block", range(1, 15)),  # three rounds of two and their mirror, and a round of steps
    ("start", range(3, 5)),
]
LATEST_S = 0.02  # after the answer: keeping it takes about so long
IMPORTS_S = 0.5


def end(process, workers):
    """Kill the run and see that its workers end; what it announced."""
    process.kill()
    assert psutil.wait_procs(workers, timeout=PROMPT_S)[1] == [], "a worker outlived the run"
    return announced(process.communicate()[0])


def kill_early(folder, seconds):
    process = start(folder, *COMMAND)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return end(process, [])


def kill_at(folder, verb, count, seconds):
    """End the run while it waits for that answer or, where there are seconds, so long after it got it."""
    with Cues() as cues:
        process = start(folder, *COMMAND, environment=cues.environment)
        cues.until(verb, count)
        workers = workers_of(process)
        if seconds is not None:
            cues.go_on()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
        return end(process, workers)


def kill_after_a_record(folder):
    """The table may be under way by then, by a process of its own that ends with it."""
    process = start(folder, *COMMAND)
    first = next(line for line in process.stdout if line.startswith("done "))
    said = announced(first) | end(process, workers_of(process))
    assert psutil.wait_procs(orphans(folder), timeout=PROMPT_S)[1] == []
    return said


def moments(draw):
    """Each stage twice, before and after an answer, in a random order; a start that is still importing; the last record."""
    found = [(kill_early, draw.uniform(0.0, IMPORTS_S))]
    for verb, counts in STAGES:
        found += [(kill_at, verb, draw.choice(counts), seconds) for seconds in (None, draw.uniform(0.0, LATEST_S))]
    draw.shuffle(found)
    return [*found, (kill_after_a_record,)]


def test_ten_kills_at_random_moments_lose_nothing_and_repeat_nothing_nor_does_a_finished_run(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    said, kept = set(), {"samples.jsonl": [], "records.jsonl": []}
    for kill, *given in moments(random.Random(0)):
        said |= kill(tmp_path, *given)
        for file, before in kept.items():
            after = lines(tmp_path, NAME, file)
            assert after[: len(before)] == before, f"{file} changed behind us"
            kept[file] = after
        assert said <= {json.loads(line)["id"] for line in kept["records.jsonl"]}
    assert kept["samples.jsonl"], "no kill came after a block"
    assert said, "no kill came after a record"
    assert_whole(tmp_path, kept["samples.jsonl"], [32, 256])


@pytest.mark.slow
def test_a_real_run_that_is_killed_while_it_measures_is_ended_by_the_same_command(tmp_path):
    """Killed as its second generation starts: one of two is measured."""
    smaller = SPEC.replace(f"generations: {GENERATIONS}", "generations: 2").replace("[32, 256]", "[256]")
    (tmp_path / "spec.yaml").write_text(smaller)
    process = start(tmp_path, *COMMAND, program=REAL)
    next(line for line in process.stderr if ": measuring" in line)
    next(line for line in process.stderr if ": starting" in line)
    assert end(process, workers_of(process)) == set()
    assert_whole(tmp_path, lines(tmp_path, NAME, "samples.jsonl"), [256], program=REAL)


def assert_whole(folder, kept, widths, program=SCRIPTED):
    """The same command ends the work behind the samples there are, and once more it changes no file."""
    names = {f"channels={width}" for width in widths}
    assert_ended_well(folder, NAME, COMMAND, names, program=program)
    blocks, records = lines(folder, NAME, "samples.jsonl"), lines(folder, NAME, "records.jsonl")
    assert blocks[: len(kept)] == kept
    assert len({block_key(line) for line in blocks}) == len(blocks), "a block was measured twice"
    assert sorted(json.loads(line)["axes"]["neck.channels"] for line in records) == widths
    assert {json.loads(line)["status"] for line in records} == {"measured"}
    table = next(folder.glob("results/killed/*/table.csv")).read_text()
    assert all(name in table for name in names)
    before = {path: path.read_bytes() for path in folder.glob("results/killed/*/*")}
    assert start(folder, *COMMAND, program=program).wait(5 * PROMPT_S) == 0
    assert {path: path.read_bytes() for path in folder.glob("results/killed/*/*")} == before, "measured again"
