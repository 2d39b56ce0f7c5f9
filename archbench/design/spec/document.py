"""The data of one YAML file, each value with its place. Anchors, tags, aliases and doubled keys are refused.

The constructors of PyYAML would follow YAML 1.1, tags and aliases; here scalars follow the YAML 1.2 core schema.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from archbench.errors import SpecError
from archbench.text import escape_character, visible

MAX_DEPTH = 32
MAX_DIGITS = 30
Keys = tuple[str | int, ...]

CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
NUMBER = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
LOOSE_DECIMAL = re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|[-+]?\.[0-9][0-9_]*([eE][-+]?[0-9]+)?")
OTHER_BASE = re.compile(r"[-+]?(0x_*[0-9a-fA-F][0-9a-fA-F_]*|0o_*[0-7][0-7_]*|0b_*[01][01_]*)")
BASE_SIXTY = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?")
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

UNWRITABLE = re.compile(r"[\x00\ud800-\udfff]")  # escapes can spell them; no file name or UTF-8 file can hold them


@dataclass(frozen=True, slots=True)
class FilePosition:
    """A position in a file, both from 1, as editors count."""

    line: int
    column: int


@dataclass(frozen=True)
class Document:
    """Plain data, with the position of each key and list item. The keys `()` are the start of the data."""

    path: str
    data: Any
    positions: Mapping[Keys, FilePosition]

    def place(self, keys: Keys = ()) -> str:
        """`path:line:column` of the longest prefix of `keys` that the file has. A dotted key is one key."""
        known = (keys[:count] for count in range(len(keys), 0, -1) if keys[:count] in self.positions)
        return format_place(self.path, self.positions[next(known, ())])


def format_place(path: str, mark: FilePosition | None = None) -> str:
    shown = visible(path, 1000) or "''"  # an editor jumps there: only absurd paths are cut
    return f"{shown}:{mark.line}:{mark.column}" if mark else shown


@dataclass
class _Open:
    """A mapping or list whose end has not come yet; `key` waits for its value."""

    node: dict[str, Any] | list[Any]
    keys: Keys
    key: str | None = None

    @property
    def wants_key(self) -> bool:
        return isinstance(self.node, dict) and self.key is None


@dataclass
class DocumentBuilder:
    """The builder makes data and positions of events. Its stack is a list, so that input cannot exhaust Python's."""

    path: str
    root: Any = None
    positions: dict[Keys, FilePosition] = field(default_factory=dict)
    stack: list[_Open] = field(default_factory=list)

    def take_event(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent() if self.positions:
                raise self.refusal_of(event, "a second document begins; a spec is one, remove the `---`")
            case yaml.AliasEvent():
                raise self.refusal_of(event, f"the alias *{visible(str(event.anchor))} is refused; write the value out")
            case yaml.NodeEvent():
                self._check_plain_node(event)
                self._take_node(event)
            case yaml.CollectionEndEvent():
                self.stack.pop()

    def refusal_of(self, event: yaml.Event, message: str) -> SpecError:
        return SpecError(message, format_place(self.path, _position_of(event)))

    def _check_plain_node(self, event: Any) -> None:
        if event.anchor is not None:
            raise self.refusal_of(event, f"the anchor &{visible(event.anchor)} is refused; write the value out twice")
        if event.tag is not None:
            tag = visible(event.tag.replace("tag:yaml.org,2002:", "!!"))
            raise self.refusal_of(event, f"the tag {tag} is refused; remove it, or quote a text that begins with !")

    def _take_node(self, event: yaml.NodeEvent) -> None:
        if not self.stack:
            self._begin_document(event)
        elif self.stack[-1].wants_key:
            self._take_key(self.stack[-1], event)
        elif isinstance(event, yaml.ScalarEvent):
            self._add_value(event, self._parse_scalar(event))
        else:
            self._open_collection(event)

    def _begin_document(self, event: yaml.NodeEvent) -> None:
        self.positions[()] = _position_of(event)
        if isinstance(event, yaml.MappingStartEvent):
            self.root = {}
            self.stack.append(_Open(self.root, ()))
            return
        if isinstance(event, yaml.ScalarEvent) and not event.value:
            raise self.refusal_of(event, "the file is empty; write a first spec with `archbench init`")
        kind = "a list" if isinstance(event, yaml.SequenceStartEvent) else "a single value"
        raise self.refusal_of(event, f"the top level is {kind}, not a mapping; write lines of `key: value`")

    def _take_key(self, parent: _Open, event: yaml.NodeEvent) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            raise self.refusal_of(event, "a key must be a word, not a list or mapping; write `word: value`")
        key = "" if event.value == "" else self._parse_scalar(event)
        if key == "":
            raise self.refusal_of(event, "an empty key; a key must be a word")
        if event.value == "<<" and event.style is None:
            raise self.refusal_of(event, "the merge key << is refused; write the keys out, or use base:")
        if not isinstance(key, str):
            raise self.refusal_of(event, f"{visible(event.value)}: a key must be a word; quote it if it is one")
        self._check_new(parent, key, event)
        parent.key = key
        self.positions[(*parent.keys, key)] = _position_of(event)

    def _check_new(self, parent: _Open, key: str, event: yaml.Event) -> None:
        if key in parent.node:
            first = self.positions[(*parent.keys, key)].line
            lines = f"on lines {first} and {_position_of(event).line}"
            raise self.refusal_of(event, f"{visible(key)}: a duplicate key, {lines}; keep one")

    def _open_collection(self, event: yaml.NodeEvent) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise self.refusal_of(event, f"nested deeper than {MAX_DEPTH}; a spec needs 4, close a bracket")
        node: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self.stack.append(_Open(node, self._add_value(event, node)))

    def _add_value(self, event: yaml.Event, value: Any) -> Keys:
        """Put a value where it belongs, and return its keys."""
        parent = self.stack[-1]
        if isinstance(parent.node, dict):
            assert parent.key is not None
            keys: Keys = (*parent.keys, parent.key)
            parent.node[parent.key], parent.key = value, None
        else:
            keys = (*parent.keys, len(parent.node))
            self.positions[keys] = _position_of(event)
            parent.node.append(value)
        return keys

    def _parse_scalar(self, event: yaml.ScalarEvent) -> Any:
        unwritable = UNWRITABLE.search(event.value)
        if unwritable:
            raise self.refusal_of(
                event, f"the character {escape_character(unwritable[0])} is refused; write the text without it"
            )
        if event.style is not None:  # quoted, or a block: always text
            return event.value
        try:
            return _parse_plain(event.value)
        except SpecError as error:
            raise self.refusal_of(event, error.message) from None


def _position_of(event: yaml.Event) -> FilePosition:
    assert event.start_mark is not None
    return FilePosition(event.start_mark.line + 1, event.start_mark.column + 1)


def _parse_plain(text: str) -> Any:
    """An unquoted scalar by YAML 1.2's core schema; SpecError, without a place, where 1.1 and 1.2 disagree."""
    if text in CONSTANTS:
        return CONSTANTS[text]
    if text[0] not in "+-.0123456789":  # most are words
        return text
    if NUMBER.fullmatch(text):
        return _parse_number(text)
    for pattern, way_out in AMBIGUOUS.items():
        if pattern.fullmatch(text):
            shown = visible(text)
            raise SpecError(f'{shown}: versions of YAML read it differently; {way_out(text)}quote it: "{shown}"')
    return text


def _parse_number(text: str) -> int | float:
    if sum(map(str.isdigit, text)) > MAX_DIGITS:
        raise SpecError(f"{visible(text)}: a number of over {MAX_DIGITS} digits; shorten it, or quote it")
    if INTEGER.fullmatch(text):
        return int(text)
    number = float(text)
    if not math.isfinite(number):
        raise SpecError(f"{visible(text)}: a number too large for a float; the largest is 1.7e308")
    return number


def _advise_decimal(text: str) -> str:
    """The advice `write 1000, or ` for `1_000` and `01000`."""
    bare = text.replace("_", "").lstrip("+-").lstrip("0")
    sign = "-" if text.startswith("-") else ""
    digits = bare if bare[:1].isdigit() else f"0{bare}"
    return f"write {visible(sign + digits)}, or "


def _advise_base_ten(text: str) -> str:
    """The advice `write 16, or ` for `0x10`."""
    return "" if len(text) > MAX_DIGITS else f"write {int(text.replace('_', ''), 0)}, or "


# Plain scalars that YAML 1.1 and 1.2 read differently, and the plain form to write instead, where there is one.
AMBIGUOUS: dict[re.Pattern[str], Callable[[str], str]] = {
    LOOSE_DECIMAL: _advise_decimal,
    OTHER_BASE: _advise_base_ten,
    BASE_SIXTY: lambda text: "",
    DATE: lambda text: "",
    NOT_FINITE: lambda text: "write a finite number, or ",
}
