"""A run that is asked to end, or that nobody listens to: in time, with its exit code, and the same command ends the work."""

import re
import shlex
import signal
import subprocess
import sys

import psutil
import pytest
from cases import quick_first
from commands import (
    REAL,
    SCRIPTED,
    announced,
    assert_ended_well,
    records,
    start,
    time_limit,
    workers_of,
    write_plugin,
)
from cues import PROMPT_S, Cues

from archbench.measure.supervisor.interruption import Interrupted, StopRequest

pytestmark = pytest.mark.process

NAME = "stopped"
SPEC = """\
archbench: 1
name: stopped
base: R-18-FPN
input: {height: 64, width: 64}
axes: {neck.channels: [32, 256]}
measure: {device: cpu, generations: 1, threads: 1}
"""
COMMAND = ["run", "spec.yaml"]
NAMES = {"channels=32", "channels=256"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    return tmp_path


@pytest.fixture
def cues():
    with Cues() as waiting:
        yield waiting


def until(process, beginning):
    """Wait for the line of stderr that begins so."""
    for line in process.stderr:
        if line.startswith(beginning):
            return
    pytest.fail(f"the run ended before {beginning!r}")


def assert_interrupted(process, folder, names, program=SCRIPTED):
    """The run that heard one interrupt ends, and the line that says how to go on does."""
    out, err = process.communicate(timeout=PROMPT_S)
    assert process.returncode == 130
    said = f"{sys.executable} -m archbench run spec.yaml -o 'my results'"
    assert err.splitlines()[-1] == f"archbench: interrupted; what was finished is kept, go on with: {said}"
    table = next(folder.glob("my results/stopped/*/table.csv")).read_text()
    assert all(name in table for name in names)
    assert announced(out) == set()
    assert_ended_well(folder, NAME, shlex.split(said)[3:], names, results="my results", program=program)


@pytest.mark.parametrize("verb", quick_first(["block", "start", "warm"], 1))
def test_one_interrupt_finishes_what_is_under_way_and_says_how_to_go_on(folder, cues, verb):
    process = start(folder, *COMMAND, "--new", "-o", "my results", environment=cues.environment)
    cues.until(verb)
    process.send_signal(signal.SIGINT)
    until(process, "archbench: stopping after what is under way; once more stops at once")
    cues.close()
    assert_interrupted(process, folder, NAMES)


@pytest.mark.slow
def test_one_interrupt_of_a_real_run_finishes_what_is_under_way_and_says_how_to_go_on(folder):
    (folder / "spec.yaml").write_text(SPEC.replace("[32, 256]", "[256]"))
    process = start(folder, *COMMAND, "--new", "-o", "my results", program=REAL)
    until(process, "generation 1, round 1: measuring")
    process.send_signal(signal.SIGINT)
    until(process, "archbench: stopping after what is under way; once more stops at once")
    assert_interrupted(process, folder, {"channels=256"}, program=REAL)


def test_a_second_interrupt_ends_the_workers_wherever_they_stand(folder, cues):
    """The network hangs while it is warmed up: nothing but the second signal ends the wait for it."""
    write_plugin(folder)
    (folder / "spec.yaml").write_text(SPEC.replace("axes: {neck.channels: [32, 256]}", "module: 'nets:hangs'"))
    process = start(folder, *COMMAND, "--plugin", "nets.py", environment=cues.environment)
    cues.until("warm")
    (worker,) = workers_of(process)
    process.send_signal(signal.SIGINT)
    until(process, "archbench: stopping")
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=PROMPT_S)[1]
    assert process.returncode == 130
    assert psutil.wait_procs([worker], timeout=PROMPT_S)[1] == []
    assert "go on with: " in err
    assert "Traceback" not in err


@pytest.mark.parametrize("number", quick_first([signal.SIGTERM, signal.SIGHUP], 1))
def test_a_machines_signal_is_an_interrupt(folder, cues, number):
    process = start(folder, *COMMAND, environment=cues.environment)
    cues.until("block")
    process.send_signal(number)
    until(process, "archbench: stopping after what is under way, in 10 s at the latest")
    cues.close()
    process.communicate(timeout=PROMPT_S)
    assert process.returncode == 130
    assert_ended_well(folder, NAME, COMMAND, NAMES)


@pytest.mark.slow
def test_a_run_whose_output_nobody_reads_is_measured_to_its_end(folder, cues):
    process = start(folder, *COMMAND, environment=cues.environment)
    process.stdout.close()
    cues.until("start")
    process.stderr.close()
    cues.close()
    assert process.wait(5 * PROMPT_S) == 0
    assert {record["status"] for record in records(folder, NAME)} == {"measured"}
    assert_ended_well(folder, NAME, COMMAND, NAMES)


@pytest.mark.slow
def test_a_run_begun_without_any_streams_keeps_its_files_to_itself(folder):
    command = shlex.join([*SCRIPTED, *COMMAND, "--json"])
    done = subprocess.run(f"{command} <&- >&- 2>&-", shell=True, cwd=folder, check=False, timeout=5 * PROMPT_S)
    assert done.returncode == 0
    assert_ended_well(folder, NAME, COMMAND, NAMES)


def test_workers_ended_from_outside_cost_their_own_rows(folder, cues):
    """Of six, four are ended or stopped while the rounds go on. A stopped one is given up when its time is over."""
    limit = time_limit(SCRIPTED)
    widths = [32, 64, 96, 128, 160, 256]
    (folder / "spec.yaml").write_text(SPEC.replace("[32, 256]", str(widths)))
    command = [*COMMAND, "--timeout", str(limit)]
    process = start(folder, *command, environment=cues.environment)
    cues.until("block", 2)
    signals = [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGSTOP]
    for worker, number in zip(workers_of(process), signals, strict=False):
        worker.send_signal(number)
    cues.close()
    out = process.communicate(timeout=5 * PROMPT_S)[0]
    assert process.returncode == 1
    reasons = sorted(record["reason"] for record in records(folder, NAME) if record["status"] == "failed")
    assert [reason.split(";")[0].split(":")[0] for reason in reasons] == [
        "its process died of SIGABRT",
        "its process died of SIGKILL (out of memory?)",
        "its process died of SIGSEGV",
        reasons[-1].split(";")[0],
    ]
    said = re.match(r"no answer in (\d+) s and no sign of life for (\d+) s; ", reasons[-1])
    assert int(said[1]) == limit <= int(said[2])
    assert len(announced(out)) == 6
    assert sum(record["status"] == "measured" for record in records(folder, NAME)) == 2
    assert_ended_well(folder, NAME, command, {f"channels={width}" for width in widths}, code=1)


def test_the_first_signal_asks_and_the_second_raises_after_the_workers_are_ended():
    ended, said = [], []
    with StopRequest(said.append) as stop:
        stop.on_second_signal(lambda: ended.append(stop()))
        assert not stop()
        signal.raise_signal(signal.SIGINT)
        assert (stop(), ended) == (True, [])
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGTERM)
        assert ended == [True]
        signal.raise_signal(signal.SIGINT)  # the table is being written
        assert ended == [True]
    assert len(said) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_machines_signal_counts_twice_when_its_time_is_over(number):
    with StopRequest() as stop:
        signal.raise_signal(number)
        assert stop()
        remaining, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 0 < remaining <= 10
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGALRM)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_signals_are_left_as_they_were_and_an_ignored_one_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        found = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
        with StopRequest() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop()
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)] == found
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
