"""The reader of spec files: what it makes of good YAML, and one line with a place for everything else."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from yardstick import at_most

from archbench.design.spec.document import MAX_DEPTH, Document, FilePosition
from archbench.design.spec.yaml_file import (
    MAX_BYTES,
    MAX_EVENTS,
    parse_document,
    read_document,
)
from archbench.errors import SpecError
from archbench.text import visible


def refusal(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        parse_document(text, "s.yaml")
    message = str(caught.value)
    assert "\n" not in message
    return message


def value(plain: str) -> Any:
    return parse_document(f"key: {plain}", "s.yaml").data["key"]


def refused_file(path: str | Path) -> str:
    with pytest.raises(SpecError) as caught:
        read_document(path)
    return str(caught.value)


def test_a_spec_becomes_plain_data() -> None:
    text = "name: sweep\ninput: {batch: 1}\naxes:\n  neck.channels: [64, 128]\n  top_block.type:\n  - none\n  - p6p7\n"
    assert parse_document(text, "s.yaml").data == {
        "name": "sweep",
        "input": {"batch": 1},
        "axes": {"neck.channels": [64, 128], "top_block.type": ["none", "p6p7"]},
    }


def test_places_are_those_of_keys_and_of_list_items() -> None:
    document = parse_document("# sweep\nname: x\naxes:\n  neck.channels: [64,\n    128]\n", "s.yaml")
    assert document.positions == {
        (): FilePosition(2, 1),
        ("name",): FilePosition(2, 1),
        ("axes",): FilePosition(3, 1),
        ("axes", "neck.channels"): FilePosition(4, 3),
        ("axes", "neck.channels", 0): FilePosition(4, 19),
        ("axes", "neck.channels", 1): FilePosition(5, 5),
    }


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ((), "s.yaml:1:1"),
        (("neck", "channels"), "s.yaml:2:3"),
        (("neck", "chanels"), "s.yaml:1:1"),
        (("neck", "channels", 3, "deeper"), "s.yaml:2:3"),
        (("head",), "s.yaml:1:1"),
    ],
)
def test_a_place_is_that_of_the_longest_known_prefix(keys: tuple[str | int, ...], place: str) -> None:
    assert parse_document("neck:\n  channels: 3\n", "s.yaml").place(keys) == place


def test_a_dotted_key_is_one_key() -> None:
    document = parse_document("a: 1\nneck.channels: 2", "s.yaml")
    assert document.place(("neck.channels",)) == "s.yaml:2:1"
    assert document.place(("neck", "channels")) == "s.yaml:1:1"


@pytest.mark.parametrize(
    "word", ["none", "off", "no", "yes", "on", "y", "None", "nan", "inf", "3m", "4m30s", "1.5.2", "="]
)
def test_words_are_words(word: str) -> None:
    assert value(word) == word


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        ("true", True), ("True", True), ("FALSE", False), ("null", None), ("NULL", None), ("~", None), ("", None),
        ("0", 0), ("-7", -7), ("+3", 3), ("800", 800), ("9" * 30, 10**30 - 1),
        ("1e3", 1000.0), ("1.5", 1.5), ("-1e-3", -0.001), (".5", 0.5), ("5.", 5.0), ("0.0", 0.0), ("1E+2", 100.0),
    ],
)  # fmt: skip
def test_plain_scalars_follow_the_core_schema(plain: str, expected: object) -> None:
    assert value(plain) == expected
    assert type(value(plain)) is type(expected)


@pytest.mark.parametrize("text", ["50", "true", "null", "", "1:30", "010", "<<", "2024-01-01"])
@pytest.mark.parametrize("quote", ["'", '"'])
def test_what_is_quoted_is_text(text: str, quote: str) -> None:
    assert value(f"{quote}{text}{quote}") == text


def test_a_block_scalar_is_text() -> None:
    assert value("|\n  010\n") == "010\n"


@pytest.mark.parametrize(
    ("plain", "way_out"),
    [
        ("010", "write 10, or quote it"),
        ("-007", "write -7, or quote it"),
        ("01.5", "write 1.5, or quote it"),
        ("0x10", "write 16, or quote it"),
        ("0o10", "write 8, or quote it"),
        ("0b11", "write 3, or quote it"),
        ("1_000", "write 1000, or quote it"),
        ("1:30", '; quote it: "1:30"'),
        ("12:30:45", "quote it"),
        ("2024-01-01", "quote it"),
        ("2024-01-01 10:00:00", "quote it"),
        (".inf", "write a finite number, or quote it"),
        ("-.Inf", "write a finite number, or quote it"),
        (".nan", "write a finite number, or quote it"),
    ],
)
def test_what_versions_of_yaml_read_differently_is_refused(plain: str, way_out: str) -> None:
    message = refusal(f"key: {plain}")
    assert message.startswith(f"s.yaml:1:6: {plain}: versions of YAML read it differently")
    assert way_out in message


def test_a_number_of_over_30_digits_is_refused() -> None:
    assert "a number of over 30 digits" in refusal(f"key: {'9' * 31}")
    assert "a number of over 30 digits" in refusal(f"key: {'9' * 5000}")


def test_a_float_that_would_be_infinite_is_refused() -> None:
    assert refusal("key: 1e999").startswith("s.yaml:1:6: 1e999: a number too large")


@pytest.mark.parametrize(
    ("text", "place", "what", "way_out"),
    [
        ("a: &x 1", "1:4", "the anchor &x is refused", "write the value out"),
        ("&x a: 1", "1:1", "the anchor &x is refused", "write the value out"),
        ("a: &x [*x]", "1:4", "the anchor &x is refused", "write the value out"),
        ("a: *x", "1:4", "the alias *x is refused", "write the value out"),
        (
            "a: !!python/object/apply:os.system [ls]",
            "1:4",
            "the tag !!python/object/apply:os.system is refused",
            "remove it",
        ),
        ("a: ! 1", "1:4", "the tag ! is refused", "remove it"),
        ("!x {a: 1}", "1:1", "the tag !x is refused", "remove it"),
        ("%YAML 1.1\n---\na: 1", "1:1", "directives are refused", "remove the line"),
        ("# x\n\n%TAG ! tag:x,2000:\n---\na: 1", "3:1", "directives are refused", "remove the line"),
        ("%UNKNOWN\n---\na: 1", "1:1", "directives are refused", "remove the line"),
        ("a: 1\n---\nb: 2", "2:1", "a second document begins", "remove the `---`"),
        ("<<: {a: 1}", "1:1", "the merge key << is refused", "base:"),
        ("? [a]\n: 1", "1:3", "a key must be a word", "write `word: value`"),
        ("{{a: 1}: 2}", "1:2", "a key must be a word", "write `word: value`"),
        ("50: a", "1:1", "50: a key must be a word", "quote it"),
        ("true: a", "1:1", "true: a key must be a word", "quote it"),
        ("a: {1.5: b}", "1:5", "1.5: a key must be a word", "quote it"),
        ("{a: 1, ? : 2}", "1:9", "an empty key", "a key must be a word"),
        ("'': 1", "1:1", "an empty key", "a key must be a word"),
        ("a: 1\nb: 2\na: 3", "3:1", "a: a duplicate key, on lines 1 and 3", "keep one"),
        ("a: {b: 1,\n  'b': 2}", "2:3", "b: a duplicate key, on lines 1 and 2", "keep one"),
        ("- 1", "1:1", "the top level is a list", "key: value"),
        ("word", "1:1", "the top level is a single value", "key: value"),
        ("a: b\x07", "1:5", r"the character \u0007", "remove it"),
        ("a: \0", "1:4", r"the character \u0000", "remove it"),
        ("a: 1\r\nb: \x85", "2:4", r"the character \u0085", "remove it"),
        ("a: 1\nb\ufeff: 2", "2:2", "a byte order mark in the middle", "remove it"),
        (r'a: "\0"', "1:4", r"the character \u0000", "write the text without it"),
        (r'a: "\ud800"', "1:4", r"the character \ud800", "write the text without it"),
    ],
)
def test_what_a_spec_has_no_use_for_is_refused(text: str, place: str, what: str, way_out: str) -> None:
    message = refusal(text)
    assert message.startswith(f"s.yaml:{place}: ")
    assert what in message
    assert way_out in message


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "\ufeff"])
def test_an_empty_file_says_how_to_begin(text: str) -> None:
    assert "the file is empty; write a first spec with `archbench init`" in refusal(text)


@pytest.mark.parametrize(
    ("text", "place", "way_out"),
    [
        ("a:\n\tb: 1", "2:1", "indent with spaces, not tabs"),
        ("a: b: c", "1:5", "quote a text that contains ': '"),
        ("a: [1, 2\nb: 3", "2:2", "close the bracket"),
        ("a: [[", "1:6", "close the bracket"),
        ('a: "x', "1:6", "close the quote"),
        ("a: @x", "1:4", "quote the text"),
        ("a: 1\n]", "2:1", "check the indentation"),
        (": 1", "1:1", "write a key before the colon"),
        ("{: 1}", "1:2", "write a key before the colon"),
        (r'a: "\q"', "1:6", "single quotes"),
    ],
)
def test_a_slip_of_syntax_is_one_line_with_its_place(text: str, place: str, way_out: str) -> None:
    message = refusal(text)
    assert message.startswith(f"s.yaml:{place}: not YAML: ")
    assert way_out in message


def test_an_escape_beyond_unicode_is_refused() -> None:
    assert "names no character" in refusal(r'a: "\UFFFFFFFF"')


def test_nesting_is_read_to_a_depth_of_32_and_no_deeper() -> None:
    inside = MAX_DEPTH - 1  # the top level is one
    assert parse_document(f"a: {'[' * inside}{']' * inside}", "s.yaml").data["a"]
    assert refusal(f"a: {'[' * 32}{']' * 32}").startswith("s.yaml:1:35: nested deeper than 32")


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 50_000,
        "a: " + "[" * MAX_BYTES,
        "a:\n" + "- 1\n" * (MAX_BYTES // 4),
        "a:\n" + "- " * (MAX_BYTES // 2 - 2),
        "a: " + "9" * (MAX_BYTES - 3),
    ],
    ids=["50,000 brackets", "a file of brackets", "a file of items", "a file of dashes", "a file of digits"],
)
def test_hostile_input_is_refused_within_five_seconds(text: str) -> None:
    with at_most(5):
        refusal(text[:MAX_BYTES])


def test_more_keys_and_values_than_a_spec_can_have_are_refused() -> None:
    assert f"over {MAX_EVENTS:,} keys and values" in refusal("a: [" + "1," * MAX_EVENTS + "]")


def test_a_long_key_is_cut_in_a_message() -> None:
    assert len(refusal(f"? {'k' * 5000}\n: 1\n? {'k' * 5000}\n: 2\n")) < 200


def test_invisible_characters_in_keys_are_shown() -> None:
    assert r"ch\u200bannels: a duplicate key" in refusal("ch\u200bannels: 1\nch\u200bannels: 2")
    assert r"channels\u0020: a duplicate key" in refusal("'channels ': 1\n'channels ': 2")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("neck.channels", "neck.channels"),
        ("größe 模型", "größe 模型"),
        ("two words", "two words"),
        (" both ", r"\u0020both\u0020"),
        ("  ", r"\u0020\u0020"),
        ("a\nb\tc", r"a\u000ab\u0009c"),
        ("\x1b[31mred", r"\u001b[31mred"),
        ("a\u00a0b\u2003c", r"a\u00a0b\u2003c"),
        ("\u202eevil\u2066", r"\u202eevil\u2066"),
        ("\ufeffa\u200d\u3164\ufe0f", r"\ufeffa\u200d\u3164\ufe0f"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
    ],
)
def test_visible_escapes_what_cannot_be_seen(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_visible_cuts_a_long_text() -> None:
    assert visible("x" * 80) == "x" * 80
    assert visible("x" * 81) == "x" * 77 + "..."
    assert visible("abcdef", limit=5) == "ab..."


def test_a_file_is_read_with_its_path_as_place(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: caf\xc3\xa9\r\nneck: {type: fpn}\r\n")
    document = read_document(path)
    assert document.data == {"name": "café", "neck": {"type": "fpn"}}
    assert document.place(("neck", "type")) == f"{path}:2:8"


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    message = refused_file(tmp_path / "r50.yaml")
    assert message == f"{tmp_path}/r50.yaml: no such file; check the path, or write a first spec with `archbench init`"


@pytest.mark.parametrize("path", ["", "https://example.org/s.yaml", "nothing/s.yaml"])
def test_what_is_no_path_of_a_file_is_no_such_file(path: str) -> None:
    assert "no such file" in refused_file(path)


@pytest.mark.parametrize("path", ["a\0b", "\udcff\0", "x" * 5000])
def test_what_cannot_be_a_path_is_refused(path: str) -> None:
    assert "give the path of a YAML file" in refused_file(path)


def test_only_a_regular_file_is_opened(tmp_path: Path) -> None:
    fifo, loop = tmp_path / "fifo", tmp_path / "loop"
    os.mkfifo(fifo)
    loop.symlink_to(loop)
    for path in (tmp_path, fifo, loop, Path("/dev/zero")):
        assert refused_file(path).startswith(f"{path}: not a regular file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_said_to_be_so(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.touch(mode=0)
    assert "cannot be read (Permission denied)" in refused_file(path)


def test_a_file_over_1_mib_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"#" * MAX_BYTES + b"\n")
    assert refused_file(path).startswith(f"{path}: larger than 1 MiB")
    with path.open("r+b") as sparse:
        sparse.truncate(2**33)
    assert refused_file(path).startswith(f"{path}: larger than 1 MiB")


def test_what_is_not_utf_8_is_refused_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")
    assert refused_file(path) == f"{path}:2: not UTF-8 text (byte 0xff); save the file as UTF-8"
    path.write_bytes("a: 1".encode("utf-16"))
    assert "save the file as UTF-8" in refused_file(path)


def test_a_path_with_control_characters_is_shown_escaped() -> None:
    with pytest.raises(SpecError) as caught:
        parse_document("- 1", "a\nb\x1b.yaml")
    assert caught.value.place == r"a\u000ab\u001b.yaml:1:1"


finite = st.floats(allow_nan=False, allow_infinity=False)
raw_only_escaped = "\ufeff\u2028\u2029\ufffe\uffff"
words = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=raw_only_escaped))
plain_data = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30) + 1, 10**30 - 1) | finite | words,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(words.filter(bool), children, max_size=4),
    max_leaves=12,
)


def same(ours: Any, expected: Any) -> bool:
    """Equal, and of the same types all the way down: 1, 1.0 and True differ."""
    if isinstance(expected, list):
        return type(ours) is list and len(ours) == len(expected) and all(map(same, ours, expected))
    if isinstance(expected, dict):
        return (
            type(ours) is dict and list(ours) == list(expected) and all(same(ours[key], expected[key]) for key in ours)
        )
    return type(ours) is type(expected) and bool(ours == expected)


@given(st.dictionaries(words.filter(bool), plain_data, max_size=4))
def test_json_text_is_read_as_json_reads_it(data: dict[str, Any]) -> None:
    text = json.dumps(data, ensure_ascii=False)
    assert same(parse_document(text, "s.yaml").data, data)


@settings(max_examples=60)
@given(st.dictionaries(words.filter(bool), plain_data, max_size=4), st.sampled_from([True, False, None]))
def test_data_round_trips_through_quoted_yaml(data: dict[str, Any], flow: bool | None) -> None:
    text = yaml.dump(data, Dumper=Quoting, default_flow_style=flow, sort_keys=False, allow_unicode=True)
    assert same(parse_document(text, "s.yaml").data, data)


class Quoting(yaml.SafeDumper):
    """PyYAML's writer with every text quoted, as it quotes by YAML 1.1, and without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))

FRAGMENTS = [
    "a", "b: ", "- ", "? ", ": ", "[", "]", "{", "}", ",", "\n", "\n  ", "\t", " ", "#", "&x ", "*x", "!t ", "!!int ",
    "%YAML 1.1\n", "---\n", "...\n", "|\n", ">-\n", "'", '"', "\\", "\\x", "\\U00110000", "<<", "1", "0x", ".inf",
    "1_0", "\ufeff", "\0", "\x85", "é",
]  # fmt: skip


def read_or_refuse(content: bytes, path: Path) -> Document | SpecError:
    path.write_bytes(content)
    try:
        return read_document(path)
    except SpecError as refused:
        return refused


def assert_a_document_or_a_spec_error(content: bytes, path: Path) -> None:
    outcome = read_or_refuse(content, path)
    if isinstance(outcome, Document):
        assert all_finite(outcome.data)
    else:
        assert outcome.place.startswith(str(path))
        assert "\n" not in str(outcome)


def all_finite(data: Any) -> bool:
    children = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return all(map(all_finite, children)) and not (isinstance(data, float) and not math.isfinite(data))


@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_document_or_a_spec_error(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert_a_document_or_a_spec_error(content, tmp_path_factory.getbasetemp() / "bytes.yaml")


@settings(max_examples=400)
@given(parts=st.lists(st.sampled_from(FRAGMENTS), max_size=25))
def test_any_heap_of_yaml_is_a_document_or_a_spec_error(
    parts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert_a_document_or_a_spec_error("".join(parts).encode(), tmp_path_factory.getbasetemp() / "heap.yaml")
