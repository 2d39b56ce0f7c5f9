"""A run that is asked to end, or that nobody listens to: in time, with its exit code, and the same command ends the work."""

import re
import shlex
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from commands import PROMPT_S, announced, assert_ended_well, records, start, time_limit, workers_of, write_plugin

from archbench.measure.interruption import Interrupted, Stop

NAME = "stopped"
SPEC = """\
archbench: 1
name: stopped
base: R-18-FPN
input: {height: 64, width: 64}
axes: {neck.channels: [32, 256]}
measure: {device: cpu, generations: 1, threads: 1}
"""
STARTING, WARMING, MEASURING = (
    f"generation 1{doing}" for doing in (": starting", ": warming up", ", round 1: measuring")
)


def until(process, beginning):
    """Wait for the line of stderr that begins so."""
    for line in process.stderr:
        if line.startswith(beginning):
            return
    pytest.fail(f"the run ended before {beginning!r}")


def one_interrupt(folder, moment):
    process = start(folder, "run", "spec.yaml", "--new", "-o", "my results")
    until(process, moment)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PROMPT_S)
    assert process.returncode == 130
    assert "stopping after what is under way; once more stops at once" in err
    said = f"{sys.executable} -m archbench run spec.yaml -o 'my results'"
    assert err.splitlines()[-1] == f"archbench: interrupted; what was finished is kept, go on with: {said}"
    table = next(folder.glob("my results/stopped/*/table.csv")).read_text()
    assert "channels=32" in table
    assert announced(out) == set()
    assert_ended_well(folder, NAME, shlex.split(said)[3:], {"channels=32", "channels=256"}, results="my results")


def a_second_interrupt(folder):
    """The network hangs while it is warmed up: nothing but the second signal ends the wait for it."""
    write_plugin(folder)
    Path(folder, "spec.yaml").write_text(SPEC.replace("axes: {neck.channels: [32, 256]}", "module: 'nets:hangs'"))
    process = start(folder, "run", "spec.yaml", "--plugin", "nets.py")
    until(process, WARMING)
    (worker,) = workers_of(process)
    process.send_signal(signal.SIGINT)
    until(process, "archbench: stopping")
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=PROMPT_S)[1]
    assert process.returncode == 130
    assert psutil.wait_procs([worker], timeout=PROMPT_S)[1] == []
    assert "go on with: " in err
    assert "Traceback" not in err


def a_machines_signal(folder, number):
    process = start(folder, "run", "spec.yaml")
    until(process, MEASURING)
    process.send_signal(number)
    err = process.communicate(timeout=PROMPT_S)[1]
    assert process.returncode == 130
    assert "in 10 s at the latest" in err
    assert_ended_well(folder, NAME, ["run", "spec.yaml"], {"channels=32", "channels=256"})


def output_that_nobody_reads(folder):
    process = start(folder, "run", "spec.yaml")
    process.stdout.close()
    until(process, STARTING)
    process.stderr.close()
    assert process.wait(5 * PROMPT_S) == 0
    assert {record["status"] for record in records(folder, NAME)} == {"measured"}
    assert_ended_well(folder, NAME, ["run", "spec.yaml"], {"channels=32", "channels=256"})


def no_streams(folder):
    command = shlex.join([sys.executable, "-m", "archbench", "run", "spec.yaml", "--json"])
    assert (
        subprocess.run(f"{command} <&- >&- 2>&-", shell=True, cwd=folder, check=False, timeout=5 * PROMPT_S).returncode
        == 0
    )
    assert_ended_well(folder, NAME, ["run", "spec.yaml"], {"channels=32", "channels=256"})


def workers_ended_from_outside(folder):
    """Of six, four are ended or stopped while the rounds go on. A stopped one is given up when its time is over."""
    limit = time_limit()
    Path(folder, "spec.yaml").write_text(SPEC.replace("[32, 256]", "[32, 64, 96, 128, 160, 256]"))
    command = ["run", "spec.yaml", "--timeout", str(limit)]
    process = start(folder, *command)
    until(process, MEASURING)
    signals = [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGSTOP]
    for worker, number in zip(workers_of(process), signals, strict=False):
        worker.send_signal(number)
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
    assert int(said[1]) == limit >= int(said[2]) >= limit - 5
    assert len(announced(out)) == 6
    assert sum(record["status"] == "measured" for record in records(folder, NAME)) == 2
    names = {f"channels={width}" for width in (32, 64, 96, 128, 160, 256)}
    assert_ended_well(folder, NAME, command, names, code=1)


MOMENTS = (STARTING, WARMING, MEASURING)
MACHINES_SAY = (signal.SIGTERM, signal.SIGHUP)
RUNS = [
    (workers_ended_from_outside,),
    *((one_interrupt, moment) for moment in MOMENTS),
    *((a_machines_signal, number) for number in MACHINES_SAY),
    (output_that_nobody_reads,),
    (no_streams,),
    (a_second_interrupt,),
]


@pytest.fixture(scope="module")
def seen(request, tmp_path_factory):
    """Goes through one of the runs above; where all are asked for, two at a time: each leaves a processor idle half the time."""

    def go_through(run, *given):
        folder = tmp_path_factory.mktemp(run.__name__)
        (folder / "spec.yaml").write_text(SPEC)
        run(folder, *given)

    with ThreadPoolExecutor(2) as pool:
        asked_for = [
            item for item in request.session.items if item.path == request.path and "seen" in item.fixturenames
        ]
        every = len(asked_for) == len(RUNS)
        begun = {each: pool.submit(go_through, *each) for each in RUNS if every}
        yield lambda *each: begun[each].result() if every else go_through(*each)


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_one_interrupt_finishes_what_is_under_way_and_says_how_to_go_on(seen, moment):
    seen(one_interrupt, moment)


@pytest.mark.slow
def test_a_second_interrupt_ends_the_workers_wherever_they_stand(seen):
    seen(a_second_interrupt)


@pytest.mark.slow
@pytest.mark.parametrize("number", MACHINES_SAY)
def test_a_machines_signal_is_an_interrupt(seen, number):
    seen(a_machines_signal, number)


@pytest.mark.slow
def test_a_run_whose_output_nobody_reads_is_measured_to_its_end(seen):
    seen(output_that_nobody_reads)


@pytest.mark.slow
def test_a_run_begun_without_any_streams_keeps_its_files_to_itself(seen):
    seen(no_streams)


@pytest.mark.slow
def test_workers_ended_from_outside_cost_their_own_rows(seen):
    seen(workers_ended_from_outside)


@pytest.mark.usefixtures("heard")
def test_the_first_signal_asks_and_the_second_raises_after_the_workers_are_ended():
    ended, said = [], []
    with Stop(said.append) as stop:
        stop.ends(lambda: ended.append(stop()))
        assert not stop()
        signal.raise_signal(signal.SIGINT)
        assert (stop(), ended) == (True, [])
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGTERM)
        assert ended == [True]
        signal.raise_signal(signal.SIGINT)  # the table is being written
        assert ended == [True]
    assert len(said) == 1


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_machines_signal_counts_twice_when_its_time_is_over(number):
    with Stop() as stop:
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
        with Stop() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop()
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)] == found
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
