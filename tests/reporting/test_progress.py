"""What is said of a run's steps: sparse where lines are kept, and said to nobody without harm."""

import io

import pytest
from rich.console import Console
from runs_on_disk import record

from archbench.reporting.terminal.progress import ProgressPrinter
from archbench.runs.progress import RunProgress

VARIANTS = [f"width={index}" for index in range(20)]


def steps(generations, rounds):
    for generation in range(1, generations + 1):
        yield from (RunProgress("starting", name, generation) for name in VARIANTS)
        yield from (RunProgress("warming up", name, generation) for name in VARIANTS)
        for number in range(1, rounds + 1):
            yield from (RunProgress("measuring", name, generation, number) for name in [*VARIANTS, *VARIANTS[::-1]])


def test_off_a_terminal_each_start_is_a_line_and_each_other_kind_of_step_once_a_generation(capsys):
    with ProgressPrinter(quiet=False, announce_on=io.StringIO()) as progress:
        for step in steps(generations=2, rounds=10):
            progress.report_step(step)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 * (20 + 1 + 1)  # of 880 steps
    assert said[0] == "generation 1: starting width=0"
    assert said[20:22] == ["generation 1: warming up width=0", "generation 1, round 1: measuring width=0"]


@pytest.mark.parametrize(
    ("precision", "seconds_left", "estimated", "outlook"),
    [
        (None, None, False, ""),
        (0.018, None, True, "  (±1.8% so far)"),
        (None, 95.0, False, "  (at most 1m35s left)"),
        (0.018, 34.0, False, "  (±1.8% so far, at most 34s left)"),
        (0.018, 80.0, True, "  (±1.8% so far, about 1m20s left)"),
    ],
)
def test_a_step_says_the_precision_reached_and_the_time_left_where_they_are_known(
    capsys, precision, seconds_left, estimated, outlook
):
    with ProgressPrinter(quiet=False, announce_on=io.StringIO()) as progress:
        progress.report_step(RunProgress("measuring", "R-50-FPN", 2, 3, precision, seconds_left, estimated))
    assert capsys.readouterr().err == f"generation 2, round 3: measuring R-50-FPN{outlook}\n"


def test_quiet_says_no_step_and_announces_all_the_same(capsys):
    announced = io.StringIO()
    with ProgressPrinter(quiet=True, announce_on=announced) as progress:
        progress.report_step(RunProgress("starting", "a", 1))
        progress.announce_record(record("a"))
        progress.announce_record(record("b", status="failed", reason="its process died of SIGSEGV"))
    assert capsys.readouterr().err == ""
    assert announced.getvalue() == "done a a\nfailed b b\n"


def test_nobody_listening_does_not_end_a_run():
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    with ProgressPrinter(quiet=True, announce_on=Closed()) as progress:
        progress.announce_record(record("a"))


def test_a_names_control_characters_are_said_inert(capsys):
    with ProgressPrinter(quiet=False, announce_on=io.StringIO()) as progress:
        progress.report_step(RunProgress("starting", "x\x1b[31m", 1))
    assert capsys.readouterr().err == "generation 1: starting x\\u001b[31m\n"


def test_off_a_terminal_the_precision_is_a_line_as_soon_as_it_is_known(capsys):
    """A run of two generations would end without it: the round that gives the first interval is its last generation's."""
    with ProgressPrinter(quiet=False, announce_on=io.StringIO()) as progress:
        for number, precision in enumerate((None, 0.018, 0.017), 1):
            for name in VARIANTS:
                progress.report_step(RunProgress("measuring", name, 2, number, precision))
    assert capsys.readouterr().err.splitlines() == [
        "generation 2, round 1: measuring width=0",
        "generation 2, round 2: measuring width=0  (±1.8% so far)",
    ]


@pytest.mark.parametrize(
    ("tell", "early", "late", "over"),
    [
        (
            lambda progress: progress.report_step(RunProgress("starting", "a", 1, seconds_left=60.0)),
            "generation 1: starting a  (at most 1m00s left)",
            "generation 1: starting a  (at most 46s left)",
            "generation 1: starting a  (at most 0s left)",
        ),
        (
            lambda progress: progress.report_step(RunProgress("starting", "a", 2, 0, 0.018, 60.0, estimated=True)),
            "generation 2: starting a  (±1.8% so far, about 1m00s left)",
            "generation 2: starting a  (±1.8% so far, about 46s left)",
            "generation 2: starting a  (±1.8% so far, about 0s left)",
        ),
        (
            lambda progress: progress.say("A/A null", 60.0),
            "A/A null  (at most 1m00s left)",
            "A/A null  (at most 46s left)",
            "A/A null  (at most 0s left)",
        ),
        (lambda progress: progress.say("[1/2] self-checks"), *["[1/2] self-checks"] * 3),
    ],
)
def test_on_a_terminal_the_time_left_is_as_of_when_the_line_is_drawn(monkeypatch, tell, early, late, over):
    """A start of 14 s: nothing is said meanwhile."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")  # which rich takes for a terminal
    now, sheet = [100.0], Console(file=io.StringIO(), width=100)

    def drawn():
        with sheet.capture() as capture:
            sheet.print(progress)
        return capture.get().strip().split(" ", 1)[1]  # behind the spinner

    progress = ProgressPrinter(quiet=False, announce_on=io.StringIO(), clock=lambda: now[0])
    tell(progress)
    found = [drawn()]
    for now[0] in (114.0, 500.0):
        found.append(drawn())
    assert found == [early, late, over]
