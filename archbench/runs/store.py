"""A run on disk: `results/<spec name>/<run id>/{run.json,records.jsonl,samples.jsonl}`, append-only.

A line is one write and is on disk when `append_*` returns. What a killed writer leaves is the beginning of a line
without its end: a torn line, ignored by readers, cut off by the next writer. Any other damage is named, never mended.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from archbench.errors import CannotMeasure, ResultsError
from archbench.runs.manifest import check_manifest
from archbench.runs.records import SCHEMA, Block, Record, line_as_json, parse_line
from archbench.text import visible
from archbench.units import NS_PER_S

RUN, RECORDS, SAMPLES = "run.json", "records.jsonl", "samples.jsonl"
TABLE, TEXT, PAGE = "table.csv", "report.md", "report.html"  # derived from these
FILES = (RUN, RECORDS, SAMPLES, TABLE, TEXT, PAGE)
LONGEST_SLUG = 80  # a file system takes 255 bytes; a person reads fewer


class RunInUse(ResultsError):
    """Another process is writing this run."""

    exit_code = 4


@dataclass(frozen=True)
class RunFolder:
    """One run's folder. `manifest` is what its run.json says: the spec's name and whatever the run needs to be rebuilt."""

    path: Path
    manifest: Mapping[str, Any]

    @classmethod
    def create(cls, results: Path, name: str, header: Mapping[str, Any]) -> RunFolder:
        """Begin a run of the spec called `name`. Raises CannotMeasure where the folder cannot be written."""
        now = time.time_ns()
        path = results / folder_name(name) / make_run_id(now)
        full = {"schema": SCHEMA, **header, "name": name, "created_ns": now}
        with _say_unwritable(results):
            path.mkdir(parents=True)
            _replace_file(path / RUN, _render_json(full) + "\n")
            _sync_folder(path.parent)
            _sync_folder(results)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open a stored run. Raises ResultsError where run.json is missing, damaged or of a newer schema."""
        where = path / RUN
        if not (data := _read_bytes(where)):
            raise ResultsError(
                f"{quote_path(path)}: no run is stored here, its {RUN} is missing or empty; "
                f"`archbench list runs` shows what there is"
            )
        try:
            header = _parse_json(data)
        except ValueError as error:
            raise ResultsError(f"{quote_path(where)}: damaged ({error}); it is left as it is") from error
        check_manifest(header, quote_path(where))
        return cls(path, header)

    def planned_records(self) -> tuple[Record, ...]:
        """The variants the run set out to measure, as they stood before. Raises ResultsError like `records`."""
        place = f"{quote_path(self.path / RUN)}: planned"
        read = ((f"{place}[{number}]", lambda data=data: data) for number, data in enumerate(self.manifest["planned"]))
        return tuple(_parse_items(read, Record, lambda record: record.key))

    def records(self) -> tuple[Record, ...]:
        """Every record, in the order written. Raises ResultsError naming the line that is damaged or doubled."""
        return tuple(_read_lines(self.path / RECORDS, Record, lambda record: record.key))

    def blocks(self) -> tuple[Block, ...]:
        """Every block, warm-ups and disturbed ones included. Raises ResultsError like `records`."""
        return tuple(_read_lines(self.path / SAMPLES, Block, lambda block: block.place))

    def refuse_strangers(self, strangers: Iterable[Record]) -> None:
        """Raise ResultsError where a record is of no variant that was planned: it would have no row."""
        for record in strangers:
            raise ResultsError(
                f"{quote_path(self.path / RECORDS)}: damaged: {visible(record.name, 200)} ({visible(record.id)}) "
                f"is not among those that {RUN} planned; the files are left as they are"
            )

    def append_record(self, record: Record) -> None:
        """Add a record; it is on disk when this returns. Raises CannotMeasure where it cannot be."""
        _append_item(self.path / RECORDS, record)

    def append_block(self, block: Block) -> None:
        """Add a block; it is on disk when this returns. Raises CannotMeasure where it cannot be."""
        _append_item(self.path / SAMPLES, block)

    def cut_torn_lines(self) -> None:
        """Cut off torn last lines and remove unfinished files. Only for who holds the lock."""
        with _say_unwritable(self.path):
            for name in (RECORDS, SAMPLES):
                if (start := _find_torn(_read_bytes(self.path / name))) is not None:
                    _truncate_file(self.path / name, start)
            for unfinished in self.path.glob(".*.tmp"):
                unfinished.unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only writer. Raises RunInUse where another process is; a lock dies with its process."""
        with _say_unwritable(self.path):
            folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with _say_unwritable(self.path):
                _take_lock(folder, self.path)
            yield
        finally:
            os.close(folder)

    def amend(self, **changed: Any) -> RunFolder:
        """Change values in run.json, written whole or not at all; the run as it is then. Only for who holds the lock."""
        amended = RunFolder(self.path, {**self.manifest, **changed})
        with _say_unwritable(self.path):
            _replace_file(self.path / RUN, _render_json(amended.manifest) + "\n")
        return amended

    def is_in_use(self) -> bool:
        """Whether somebody is writing this run at the moment."""
        try:
            with self.lock():
                return False
        except RunInUse:
            return True

    def write_file(self, name: str, text: str) -> None:
        """Put a derived file in place, whole or not at all. Raises CannotMeasure where it cannot be written."""
        assert Path(name).name == name, name
        with _say_unwritable(self.path):
            _replace_file(self.path / name, text)


def folder_name(name: str) -> str:
    """A folder's name for a label: letters, digits, `._-`; never empty, hidden or a path. Two labels may share one."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:LONGEST_SLUG].strip("._-") or "unnamed"


def quote_path(path: Path) -> str:
    """A path as an error message shows it."""
    return visible(str(path), 1000)


def make_run_id(now_ns: int) -> str:
    """An id of UTC to the second, and four random digits for runs that begin in the same one: 20260131-142500-9f3a."""
    return f"{datetime.fromtimestamp(now_ns // NS_PER_S, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _read_lines(path: Path, kind: type, key_of: Callable[[Any], object]) -> Iterator[Any]:
    data = _read_bytes(path)
    lines = data[: _find_torn(data)].removesuffix(b"\n").split(b"\n") if data else []
    read = ((f"{quote_path(path)}:{number}", partial(_parse_json, line)) for number, line in enumerate(lines, 1))
    return _parse_items(read, kind, key_of)


def _parse_items(
    read: Iterable[tuple[str, Callable[[], Any]]], kind: type, key_of: Callable[[Any], object]
) -> Iterator[Any]:
    """The Record or Block of each place. Raises ResultsError where one stands twice."""
    seen: dict[object, str] = {}
    for place, parse in read:
        item = _parse_item(parse, kind, place)
        if (first := seen.setdefault(key_of(item), place)) != place:
            raise ResultsError(f"{place}: the same {kind.__name__} is at {first} already; one must go")
        yield item


def _parse_item(parse: Callable[[], Any], kind: type, place: str) -> Any:
    try:
        return parse_line(kind, parse())
    except ValueError as error:
        raise ResultsError(f"{place}: damaged ({error}); the file is left as it is") from error
    except ResultsError as error:
        raise ResultsError(f"{place}: damaged: {error}; the file is left as it is") from error


def _find_torn(data: bytes) -> int | None:
    """The offset of a torn last line, or null. Only the beginning of a line can be torn: NULs or foreign text are damage."""
    start = data.rfind(b"\n") + 1
    tail = data[start:]
    return start if tail.startswith(b"{") and b"\0" not in tail else None


def _read_bytes(path: Path) -> bytes:
    """A file's bytes, none where it is missing. Raises ResultsError for what is no regular file or cannot be read."""
    try:
        if path.exists() and not path.is_file():  # a FIFO would be waited for
            raise ResultsError(f"{quote_path(path)}: not a regular file")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise ResultsError(f"{quote_path(path)}: cannot be read ({error.strerror})") from error


def _parse_json(text: bytes) -> Any:
    """Strict JSON. Raises ValueError for NaN, infinities, numbers beyond a double, doubled keys and deep nesting."""
    try:
        return json.loads(
            text.decode(), parse_constant=_refuse_constant, parse_float=_parse_finite, object_pairs_hook=_refuse_doubles
        )
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _refuse_constant(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def _parse_finite(text: str) -> float:
    return number if math.isfinite(number := float(text)) else _refuse_constant(text)


def _refuse_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _render_json(data: Any) -> str:
    return json.dumps(data, allow_nan=False, separators=(",", ":"))


def _append_item(path: Path, item: Record | Block) -> None:
    """Append a line whole or not at all: one that does not fit the disk is taken back, so that the next starts on its own."""
    line = (_render_json(line_as_json(item)) + "\n").encode()
    with _say_unwritable(path):
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _append_line(file, line, path.parent)
        finally:
            os.close(file)


def _append_line(file: int, line: bytes, folder: Path) -> None:
    before = os.fstat(file).st_size
    try:
        _write_all(file, line)
        os.fsync(file)
    except BaseException:
        os.ftruncate(file, before)
        raise
    if not before:
        _sync_folder(folder)


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _replace_file(path: Path, text: str) -> None:
    """Replace a file atomically and durably: a temporary file, fsync, rename, fsync of the folder."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        _write_all(file, text.encode())
        os.fsync(file)
        os.rename(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)
    _sync_folder(path.parent)


def _truncate_file(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _take_lock(folder: int, path: Path) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RunInUse(
            f"{quote_path(path)}: another archbench is writing this run; wait for it, or begin another with --new"
        ) from error


@contextmanager
def _say_unwritable(path: Path) -> Iterator[None]:
    """Turn an operating system's refusal to write into CannotMeasure, which says what to do."""
    try:
        yield
    except OSError as error:
        raise CannotMeasure(
            f"{quote_path(path)}: cannot be written ({error.strerror}); make room or use -o DIR"
        ) from error


def check_writable(option: str, path: Path) -> None:
    """Refuse a file that could not be written, before minutes are spent. Raises CannotMeasure, which names the option."""
    shown = f"{option} {visible(str(path), 1000)}"
    if path.exists() and not path.is_file():
        raise CannotMeasure(f"{shown}: not a regular file; name another")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise CannotMeasure(f"{shown}: its folder cannot be written; name a file in one that can")
