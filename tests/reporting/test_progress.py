"""What is said of a run's steps: sparse where lines are kept, and said to nobody without harm."""

import io

import pytest
from runs_on_disk import record

from archbench.reporting.progress import Progress
from archbench.reporting.step import Step

VARIANTS = [f"width={index}" for index in range(20)]


def steps(generations, rounds):
    for generation in range(1, generations + 1):
        yield from (Step("starting", name, generation) for name in VARIANTS)
        yield from (Step("warming up", name, generation) for name in VARIANTS)
        for number in range(1, rounds + 1):
            yield from (Step("measuring", name, generation, number) for name in [*VARIANTS, *VARIANTS[::-1]])


def test_off_a_terminal_each_start_is_a_line_and_each_other_kind_of_step_once_a_generation(capsys):
    with Progress(quiet=False, announce_on=io.StringIO()) as progress:
        for step in steps(generations=2, rounds=10):
            progress.step(step)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 * (20 + 1 + 1)  # of 880 steps
    assert said[0] == "generation 1: starting width=0"
    assert said[20:22] == ["generation 1: warming up width=0", "generation 1, round 1: measuring width=0"]


@pytest.mark.parametrize(
    ("precision", "seconds_left", "outlook"),
    [
        (None, None, ""),
        (0.018, None, "  (±1.8% so far)"),
        (None, 95.0, "  (at most 1m35s left)"),
        (0.018, 34.0, "  (±1.8% so far, at most 34s left)"),
    ],
)
def test_a_step_says_the_precision_reached_and_the_time_left_where_they_are_known(
    capsys, precision, seconds_left, outlook
):
    with Progress(quiet=False, announce_on=io.StringIO()) as progress:
        progress.step(Step("measuring", "R-50-FPN", 2, 3, precision, seconds_left))
    assert capsys.readouterr().err == f"generation 2, round 3: measuring R-50-FPN{outlook}\n"


def test_quiet_says_no_step_and_announces_all_the_same(capsys):
    announced = io.StringIO()
    with Progress(quiet=True, announce_on=announced) as progress:
        progress.step(Step("starting", "a", 1))
        progress.done(record("a"))
        progress.done(record("b", status="failed", reason="its process died of SIGSEGV"))
    assert capsys.readouterr().err == ""
    assert announced.getvalue() == "done a a\nfailed b b\n"


def test_nobody_listening_does_not_end_a_run():
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    with Progress(quiet=True, announce_on=Closed()) as progress:
        progress.done(record("a"))


def test_a_names_control_characters_are_said_inert(capsys):
    with Progress(quiet=False, announce_on=io.StringIO()) as progress:
        progress.step(Step("starting", "x\x1b[31m", 1))
    assert capsys.readouterr().err == "generation 1: starting x\\u001b[31m\n"
