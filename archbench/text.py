"""Untrusted text made visible: a terminal or an editor shows what a user's file says, and never obeys it."""

from __future__ import annotations

import difflib
import re
from typing import Any

from archbench.errors import SpecError

# Printable by Unicode's book, yet nothing is seen: fillers, joiners, variation selectors.
BLANK_LETTERS = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
OUTER_SPACES = re.compile(r"\A +| +\Z")


def visible(text: str, limit: int = 80) -> str:
    """Untrusted text for one line of a message: what cannot be seen is written as its escape, the end is cut.

    Control, format and bidi characters, blanks other than a space, and spaces at either end are escaped.
    """
    cut = text if len(text) <= limit else text[: max(limit - 3, 0)]
    shown = "".join(character if _is_seen(character) else escape_character(character) for character in cut)
    shown = OUTER_SPACES.sub(lambda spaces: escape_character(" ") * len(spaces[0]), shown)
    return shown if cut is text else f"{shown}..."


def _is_seen(character: str) -> bool:
    return character.isprintable() and not BLANK_LETTERS.match(character)


def escape_character(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def quote_key(key: str) -> str:
    """An unknown key as an error repeats it: letters that only look like the right ones are escaped."""
    return visible(key if key.isascii() else key.encode("ascii", "backslashreplace").decode())


def quote_value(value: Any) -> str:
    """A value from a spec as an error repeats it: short, one line, nothing invisible."""
    return visible(repr(value) if isinstance(value, str) else str(value))


def suggest_nearest(word: str, accepted: list[str]) -> str:
    """The question ` Did you mean x?` where one of `accepted` is close to `word`, else nothing."""
    close = difflib.get_close_matches(word, accepted, n=1, cutoff=0.6)
    return f" Did you mean {close[0]}?" if close else ""


def wrong_value(key: str, value: Any, reason: str) -> SpecError:
    """The error for a value that a spec's key does not accept: the reason begins with `is not`."""
    return SpecError(f"{key}: {quote_value(value)} {reason}")
