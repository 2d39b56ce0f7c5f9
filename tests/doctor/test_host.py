"""The state of a machine read from a fake /proc and /sys."""

import os

import pytest

from archbench.doctor import host
from archbench.doctor.host import BusyProcesses, Host
from archbench.measure.machine.linux import LostTime

CPU = "sys/devices/system/cpu"


@pytest.fixture
def machine(tmp_path):
    """Writes files below a root: `machine({"proc/loadavg": "..."})`."""

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def seen(root):
    return host.describe_host(root, pause=lambda seconds: None)


def test_a_machine_that_hides_everything_is_all_null(machine):
    assert seen(machine({})) == Host()
    assert host.count_throttles(machine({})) is None
    assert LostTime(machine({}) / "proc").since_last() == {"lost": None, "steal": None}


def test_cores_are_counted_by_their_siblings_and_the_affinity(machine):
    files = {f"{CPU}/cpu{n}/topology/thread_siblings_list": f"{n % 2},{n % 2 + 2}\n" for n in range(4)}
    files |= {f"{CPU}/smt/active": "1\n", "proc/self/status": "Name:\tx\nCpus_allowed_list:\t0-1,3\n"}
    found = seen(machine(files))
    assert (found.physical_cores, found.logical_cores, found.allowed_cores, found.smt) == (2, 4, 3, True)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "150000 100000\n"}, 1.5),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, None),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/a/cpu.max": "200000 100000\n",
            },
            2.0,
        ),
        ({"proc/self/cgroup": "0::/../../x\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 0.5),
        (
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/d\n3:memory:/e\n0::/\n",
                "sys/fs/cgroup/cpu,cpuacct/d/cpu.cfs_quota_us": "300000\n",
                "sys/fs/cgroup/cpu,cpuacct/d/cpu.cfs_period_us": "100000\n",
            },
            3.0,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu:/d\n",
                "sys/fs/cgroup/cpu/d/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/d/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
    ],
    ids=["parent", "no limit", "tightest", "container's root", "version 1", "version 1 without"],
)
def test_a_quota_is_the_tightest_of_the_cgroup_and_those_above(machine, files, cores):
    assert seen(machine(files)).quota_cores == cores


def test_clocks_are_of_all_cores(machine):
    files = {f"{CPU}/cpu{n}/cpufreq/scaling_cur_freq": f"{khz}\n" for n, khz in enumerate((1_200_000, 3_600_000))}
    files |= {f"{CPU}/cpu{n}/cpufreq/scaling_governor": f"{name}\n" for n, name in enumerate(("schedutil",) * 2)}
    files |= {f"{CPU}/cpu0/cpufreq/cpuinfo_max_freq": "3900000\n", f"{CPU}/cpufreq/boost": "0\n"}
    found = seen(machine(files))
    assert (found.governor, found.mhz, found.max_mhz, found.turbo) == ("schedutil", 2400.0, 3900.0, False)
    files = {f"{CPU}/intel_pstate/no_turbo": "0\n", f"{CPU}/cpu1/cpufreq/scaling_governor": "performance\n"}
    found = seen(machine(files))
    assert (found.governor, found.turbo) == ("performance, schedutil", True)


def test_a_virtual_machine_tells_its_clock_and_itself_in_cpuinfo(machine):
    cpuinfo = (
        "processor : 0\nmodel name : Chip\x1b[31m\ncpu MHz : 2000.0\nflags : fpu hypervisor lm\n\ncpu MHz : 3000.0\n"
    )
    found = seen(machine({"proc/cpuinfo": cpuinfo, "proc/loadavg": "1.50 0.7 0.5 1/90 7\n", "run/.containerenv": ""}))
    assert (found.cpu, found.mhz, found.virtual) == ("Chip\\u001b[31m", 2500.0, True)
    assert (found.load, found.container) == (1.5, True)


def test_memory_is_in_bytes(machine):
    text = "MemTotal: 64 kB\nMemFree: 1 kB\nMemAvailable: 32 kB\nSwapTotal: 16 kB\nSwapFree: 12 kB\n"
    found = seen(machine({"proc/meminfo": text}))
    assert (found.memory_bytes, found.available_bytes) == (65_536, 32_768)
    assert (found.swap_bytes, found.swap_used_bytes) == (16_384, 4_096)


def stat(pid, name, user, system, started=7):
    return {f"proc/{pid}/stat": f"{pid} ({name}) R 1 1 1 0 -1 4 0 0 0 0 {user} {system} 0 0 20 0 1 0 {started} 0 0\n"}


def test_who_keeps_cores_busy_is_named_by_what_it_used_in_the_watch(machine):
    """A clock of 100 ticks a second and two seconds: 200 ticks are one core."""
    tick = os.sysconf("SC_CLK_TCK") / 100
    quiet = stat(1, "init", 9000, 9000) | stat(20, "web (old)", 50, 50) | stat(21, "web (old)", 0, 0)
    quiet |= stat(os.getpid(), "archbench", 0, 0) | stat(40, "a", 5, 5) | {"proc/uptime": "100.00 3\n"}
    root = machine(quiet)

    def pass_time(seconds):
        assert seconds == host.WATCH_SECONDS
        later = stat(1, "init", 9000, 9000) | stat(20, "web (old)", 50 + int(100 * tick), 50 + int(100 * tick))
        later |= stat(21, "web (old)", int(100 * tick), 0) | stat(os.getpid(), "archbench", 999, 0)
        later |= stat(30, "new\x1b[2J", 999, 0) | stat(40, "a", 5 + int(9 * tick), 5)  # 0.045 cores: too little
        machine(later | {"proc/uptime": "102.00 3\n"})

    assert host.watch_processes(root, pass_time) == (BusyProcesses("web (old)", 2, 1.5),)


def test_a_process_that_took_a_dead_ones_number_is_not_taken_for_it(machine):
    root = machine(stat(20, "old", 0, 0, started=7) | {"proc/uptime": "100.00 3\n"})
    found = host.watch_processes(
        root, lambda s: machine(stat(20, "new", 900, 0, started=8) | {"proc/uptime": "101.00 3\n"})
    )
    assert found == ()


def test_names_of_processes_cannot_steer_a_terminal(machine):
    root = machine(stat(20, "\x1b[2Jx", 0, 0) | {"proc/uptime": "100.00 3\n"})
    (found,) = host.watch_processes(
        root, lambda s: machine(stat(20, "\x1b[2Jx", 900, 0) | {"proc/uptime": "101.00 3\n"})
    )
    assert found.name == "\\u001b[2Jx"


def test_stolen_time_is_what_was_counted_between_and_throttling_is_counted(machine):
    count = f"{CPU}/cpu0/thermal_throttle/core_throttle_count"
    root = machine({"proc/stat": "cpu  100 0 50 800 0 0 0 50 0 0\ncpu0 1\n", count: "7\n"})
    lost = LostTime(root / "proc")
    assert host.count_throttles(root) == 7
    machine({"proc/stat": "cpu  140 0 60 840 0 0 0 60 0 0\n", count: "9\n"})
    assert lost.since_last()["steal"] == 10 / 100
    assert host.count_throttles(root) == 9
    assert lost.since_last()["steal"] is None
