"""The reading of one YAML file: its bytes, its text, its events. Whatever is not a page of YAML is refused.

PyYAML's event stream is read in pure Python: the C scanner crashes on 50,000 brackets.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import yaml

from archbench.design.spec.document import Document, DocumentBuilder, FilePosition, format_place
from archbench.errors import SpecError
from archbench.text import escape_character, visible

MAX_BYTES = 2**20
MAX_EVENTS = 100_000  # 1 to 2 s of the pure-Python scanner; a full file of `- 1` lines would take 5 and more

# YAML's printable characters, less what 1.1 and 1.2 disagree on (NEL, U+2028 and U+2029 break lines only in 1.1).
UNREADABLE = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
# What to do about PyYAML's own complaints, the first fragment that its words contain.
WAYS_OUT = {
    r"character '\t'": "indent with spaces, not tabs",
    "cannot start any token": "quote the text",
    "mapping values are not allowed": "quote a text that contains ': ', and check the indentation",
    "could not find expected ':'": "write `key: value`",
    "but found ':'": "write a key before the colon",
    "expected ',' or": "close the bracket, with a comma between items",
    "flow node": "close the bracket, with a comma between items",
    "end of stream": "close the quote",
    "escape": "use single quotes where a backslash is meant",
    "expected <block end>": "check the indentation",
}


def read_document(path: str | Path) -> Document:
    """Read one YAML file. Raises SpecError with the place for whatever else the path or the file may be."""
    name = str(path)
    try:
        content = _read_regular(name)
    except FileNotFoundError:
        message = "no such file; check the path, or write a first spec with `archbench init`"
        raise SpecError(message, format_place(name)) from None
    except OSError as error:
        loop = error.errno == errno.ELOOP
        reason = "not a regular file but a loop of links" if loop else f"cannot be read ({error.strerror})"
        raise SpecError(f"{reason}; give the path of a YAML file you may read", format_place(name)) from None
    except ValueError:  # a NUL or a lone surrogate in the path
        raise SpecError("not the name of a file; give the path of a YAML file", format_place(name)) from None
    return parse_document(_decode_bytes(content, name), name)


def _read_regular(name: str) -> bytes:
    """The file's bytes, one more than allowed at most. Never waits: a FIFO or a device is refused unopened."""
    _check_regular(os.stat(name), name)
    # What the path names can change between the two calls, hence O_NONBLOCK and the second look.
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        _check_regular(os.fstat(descriptor), name)
        return file.read(MAX_BYTES + 1)


def _check_regular(status: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
        raise SpecError(f"not a regular file but {kind}; give the path of a YAML file", format_place(name))


def _decode_bytes(content: bytes, name: str) -> str:
    if len(content) > MAX_BYTES:
        raise _too_large_error(name)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        place = f"{format_place(name)}:{line}"
        raise SpecError(f"not UTF-8 text (byte 0x{content[error.start]:02x}); save the file as UTF-8", place) from None


def _too_large_error(name: str) -> SpecError:
    return SpecError("larger than 1 MiB; a spec is a page: let axes span the variants", format_place(name))


def parse_document(text: str, path: str) -> Document:
    """The YAML `text` as data; `path` is only what messages call it. Raises SpecError with the place."""
    if len(text) > MAX_BYTES:
        raise _too_large_error(path)
    text = text.removeprefix("\ufeff")
    _check_characters(text, path)
    _check_directives(text, path)
    builder = DocumentBuilder(path)
    for count, event in enumerate(_parse_events(text, path)):
        if count > MAX_EVENTS:
            raise builder.refusal_of(event, f"over {MAX_EVENTS:,} keys and values; let axes span the variants")
        builder.take_event(event)
    if not builder.positions:
        raise SpecError("the file is empty; write a first spec with `archbench init`", format_place(path))
    return Document(path, builder.root, builder.positions)


def _check_characters(text: str, path: str) -> None:
    found = UNREADABLE.search(text)
    if found:
        what = (
            "a byte order mark in the middle" if found[0] == "\ufeff" else f"the character {escape_character(found[0])}"
        )
        raise SpecError(f"{what} is not text; remove it", format_place(path, _position_at(text, found.start())))


def _position_at(text: str, index: int) -> FilePosition:
    lines = re.split(r"\r\n|\r|\n", text[:index])
    return FilePosition(len(lines), len(lines[-1]) + 1)


def _check_directives(text: str, path: str) -> None:
    """Directives stand before the first content; PyYAML drops those it does not know without an event."""
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        if line.startswith("%"):
            raise SpecError(
                f"{visible(line)}: directives are refused; remove the line",
                format_place(path, FilePosition(number, 1)),
            )
        if line.strip(" \t") and not line.lstrip(" \t").startswith("#"):
            return


def _parse_events(text: str, path: str) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml_error(error, path) from None
    except (ValueError, OverflowError):  # PyYAML hands chr() whatever \U says
        raise SpecError(r"an escape beyond \U0010FFFF names no character; remove it", format_place(path)) from None


def _not_yaml_error(error: yaml.MarkedYAMLError, path: str) -> SpecError:
    """The complaint of PyYAML in one line: its place, its words, the line it began on, the way out."""
    problem, context = error.problem or "", error.context or ""
    mark = error.problem_mark or error.context_mark
    began = error.context_mark
    since = f" (begun on line {began.line + 1})" if began and mark and began.line != mark.line else ""
    words = ", ".join(part for part in (context, problem) if part)
    way_out = next((way for fragment, way in WAYS_OUT.items() if fragment in words), "check the lines up to here")
    return SpecError(
        f"not YAML: {visible(words, 160)}{since}; {way_out}",
        format_place(path, FilePosition(mark.line + 1, mark.column + 1) if mark else None),
    )
