"""Time lost to others, from a `/proc` written for the occasion.

Each test is given the module it tests, so that `test_mutations.py` can hand it a broken one.
"""

import tempfile
from pathlib import Path

import pytest

import archbench.measure.machine.linux


@pytest.fixture
def lost():
    return archbench.measure.machine.linux


class Proc:
    """A folder like `/proc`: threads with (ns on a CPU, ns waiting for one), and the machine's ticks."""

    def __init__(self):
        self._kept = tempfile.TemporaryDirectory()
        self.folder = Path(self._kept.name)

    def threads(self, **times):
        for thread, (ran, waited) in times.items():
            task = self.folder / "self" / "task" / thread[1:]
            task.mkdir(parents=True, exist_ok=True)
            (task / "schedstat").write_text(f"{ran} {waited} 17\n")
        return self

    def ends(self, thread):
        (self.folder / "self" / "task" / thread[1:] / "schedstat").unlink()

    def ticks(self, *, user=0, system=0, idle=0, steal=0, guest=0):
        line = f"cpu  {user} 0 {system} {idle} 0 0 0 {steal} {guest} 0\n"
        (self.folder / "stat").write_text(line + "cpu0 1 1 1 1 1 1 1 1 0 0\nctxt 5\n")
        return self


def test_lost_is_the_waiting_of_all_threads_over_their_running_and_waiting(lost):
    """9 s and 3 s on a CPU, 1 s and 3 s waiting for one: 4 of 16."""
    proc = Proc().threads(t1=(0, 0), t2=(0, 0))
    time = lost.LostTime(proc.folder)
    proc.threads(t1=(9, 1), t2=(3, 3))
    assert time.since_last()["lost"] == 4 / 16


def test_lost_is_counted_since_it_was_last_asked(lost):
    proc = Proc().threads(t1=(1000, 5000))
    time = lost.LostTime(proc.folder)
    proc.threads(t1=(1090, 5010))
    assert time.since_last()["lost"] == 0.1
    proc.threads(t1=(1190, 5010))
    assert time.since_last()["lost"] == 0.0


def test_a_thread_that_began_meanwhile_counts_whole_and_one_that_ended_not_at_all(lost):
    proc = Proc().threads(t1=(0, 0), t2=(500, 500))
    time = lost.LostTime(proc.folder)
    proc.threads(t1=(60, 0), t3=(20, 20)).ends("t2")
    assert time.since_last()["lost"] == 20 / 100


def test_steal_is_a_share_of_all_cpus_time(lost):
    """Guest time is within user time, and not counted a second time."""
    proc = Proc().ticks(user=100, idle=100, steal=100)
    time = lost.LostTime(proc.folder)
    proc.ticks(user=130, system=10, idle=150, steal=110, guest=30)
    assert time.since_last()["steal"] == 10 / 100


def test_where_the_kernel_says_nothing_it_is_null(lost):
    time = lost.LostTime(Path("/nowhere"))
    assert time.since_last() == {"lost": None, "steal": None}


def test_where_nothing_moved_it_is_null_and_not_0(lost):
    proc = Proc().threads(t1=(7, 7)).ticks(user=7)
    assert lost.LostTime(proc.folder).since_last() == {"lost": None, "steal": None}
