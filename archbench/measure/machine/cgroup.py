"""What a control group still lets its processes take of memory: a container's limit, which the host's figures do not know.

Version 2 keeps one tree, version 1 one for each controller; a limit holds for all below it, so every folder from the
process's own up to the root counts. Page cache that nobody used lately (`inactive_file`) is given back before anything is
killed, so it is no use of memory here. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class _Files:
    """Where a version keeps its tree, below the root of the file system, and how it names what is read here."""

    tree: str
    limit: str
    usage: str
    cache: str  # of memory.stat, the group's with all below it


VERSION_1 = _Files("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
VERSION_2 = _Files("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file")


def memory_left(root: Path = Path("/")) -> int | None:
    """Bytes until the nearest limit that holds for this process; null where none does. `root`: of the file system."""
    left = [
        bytes_left
        for files, path in _groups(root)
        for folder in _upwards(root / files.tree, path)
        if (bytes_left := _left(folder, files)) is not None
    ]
    return min(left) if left else None


def _groups(root: Path) -> Iterator[tuple[_Files, str]]:
    """The process's own path in each tree that limits memory. A line is `number:controllers:path`, 2's is `0::path`."""
    for line in (_read(root / "proc/self/cgroup") or "").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            yield VERSION_2, path
        elif "memory" in controllers.split(","):
            yield VERSION_1, path


def _upwards(tree: Path, path: str) -> Iterator[Path]:
    """The folders from the path's up to the tree's own. A container may see only its own part, mounted as the tree."""
    inside = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
    for depth in range(len(inside), -1, -1):
        yield tree.joinpath(*inside[:depth])


def _left(folder: Path, files: _Files) -> int | None:
    """Null where the folder is not there or sets no limit: version 2 says `max`, version 1 more than any machine has."""
    limit, usage = _number(_read(folder / files.limit)), _number(_read(folder / files.usage))
    if limit is None or usage is None:
        return None
    stat = dict(line.split(" ", 1) for line in (_read(folder / "memory.stat") or "").splitlines() if " " in line)
    return max(0, limit - (usage - (_number(stat.get(files.cache)) or 0)))


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdecimal() else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None
