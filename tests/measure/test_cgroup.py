"""Memory limits of control groups, read from files as Linux lays them out (Documentation/admin-guide/cgroup-v2.rst, v1)."""

import psutil
import pytest

from archbench.measure.machine import environment
from archbench.measure.machine.linux import read_memory_left

GIB = 1 << 30
UNLIMITED = 0x7FFFFFFFFFFFF000  # what version 1 says where nobody set a limit


def lay(root, own, **folders):
    """/proc/self/cgroup, and each folder's files with what they hold. `__` in a name is a slash."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(own)
    for name, files in folders.items():
        folder = root / "sys/fs/cgroup" / name.replace("__", "/").removeprefix("top")
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / file.replace("__", ".")).write_text(f"{text}\n")


def second(limit, current, inactive=0):
    stat = f"anon 5\nfile 9\ninactive_anon 3\ninactive_file {inactive}\nactive_file 4"
    return {"memory__max": limit, "memory__current": current, "memory__stat": stat}


def first(limit, usage, inactive=0):
    stat = f"cache 5\ninactive_file 1\nhierarchical_memory_limit 9\ntotal_inactive_file {inactive}"
    return {"memory__limit_in_bytes": limit, "memory__usage_in_bytes": usage, "memory__stat": stat}


def test_what_is_left_is_the_limit_less_what_is_used_and_not_given_back(tmp_path):
    lay(tmp_path, "0::/app\n", app=second(4 * GIB, 3 * GIB, inactive=2 * GIB))
    assert read_memory_left(tmp_path) == 3 * GIB


def test_the_nearest_limit_counts_however_far_up_it_is_set(tmp_path):
    lay(
        tmp_path,
        "0::/slice/app/job\n",
        slice=second(8 * GIB, 7 * GIB),
        slice__app=second("max", 5 * GIB),
        slice__app__job=second(6 * GIB, 1 * GIB),
        other=second(1, 0),
    )
    assert read_memory_left(tmp_path) == 1 * GIB


@pytest.mark.parametrize("own", ["0::/\n", "0::/docker/4f1c\n", "0::/../../job\n"])
def test_a_container_sees_its_own_group_as_the_root(tmp_path, own):
    """In a namespace of its own the path is /; without one it is the host's, which is not there to be seen."""
    lay(tmp_path, own, top=second(4 * GIB, GIB))
    assert read_memory_left(tmp_path) == 3 * GIB


def test_version_1_has_a_tree_for_memory_and_names_of_its_own(tmp_path):
    own = "12:cpu,cpuacct:/elsewhere\n5:hugetlb,memory:/docker/4f1c\n1:name=systemd:/docker/4f1c\n0::/\n"
    lay(
        tmp_path,
        own,
        memory=first(UNLIMITED, 20 * GIB),
        memory__docker__4f1c=first(4 * GIB, 2 * GIB, inactive=GIB),
        memory__elsewhere=first(1, 0),
    )
    assert read_memory_left(tmp_path) == 3 * GIB


def test_a_group_over_its_limit_has_nothing_left(tmp_path):
    lay(tmp_path, "0::/app\n", app=second(GIB, 2 * GIB))
    assert read_memory_left(tmp_path) == 0


def test_without_limits_or_without_control_groups_nothing_is_said(tmp_path):
    assert read_memory_left(tmp_path) is None
    lay(tmp_path, "0::/app\n", app=second("max", GIB), top={})
    assert read_memory_left(tmp_path) is None


def test_workers_on_the_host_may_take_what_the_least_of_machine_and_container_leaves(tmp_path, monkeypatch):
    free = type("Memory", (), {"available": 64 * GIB})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    assert environment.available_bytes("cpu", tmp_path) == int(0.8 * 64 * GIB)
    lay(tmp_path, "5:memory:/app\n", memory=first(UNLIMITED, 0), memory__app=first(4 * GIB, GIB))
    assert environment.available_bytes("cpu", tmp_path) == int(0.8 * 3 * GIB)
    (tmp_path / "sys/fs/cgroup/memory/app/memory.limit_in_bytes").write_text(f"{UNLIMITED}")
    assert environment.available_bytes("cpu", tmp_path) == int(0.8 * 64 * GIB)
