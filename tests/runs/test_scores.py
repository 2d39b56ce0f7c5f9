"""A file of scores is read, or refused in one line that says where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from archbench.errors import SpecError
from archbench.runs.scores import read_scores


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "map.csv"


def test_scores_are_read_by_name_or_id_in_the_file_s_order(path: Path) -> None:
    path.write_text('name,mAP\n"channels=64,top_block=none", 37.4\r\n\nchannels=128,-1e-2\n')
    assert read_scores(path) == {"channels=64,top_block=none": 37.4, "channels=128": -0.01}


def test_a_byte_order_mark_from_a_spreadsheet_is_no_part_of_the_header(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbfid,score\nabc,1\n")
    assert read_scores(str(path)) == {"abc": 1.0}


WRONG = {
    "name,score\na,1\nb,2\na,3\n": (4, "on line 2 already"),
    "name,score\na,nan\n": (2, "finite number"),
    "name,score\na,inf\n": (2, "finite number"),
    "name,score\na,1e999\n": (2, "finite number"),
    "name,score\na,\n": (2, "missing"),
    "name,score\na,\uff11\uff12\n": (2, "finite number"),
    "name,score\na,1_0\n": (2, "finite number"),
    "name,score\na\n": (2, "1 columns"),
    "name,score\na,1,2\n": (2, "3 columns"),
    "name\na\n": (1, "name,score"),
    "model,score\na,1\n": (1, "the header is model,score"),
    "": (1, "empty"),
    'name,score\n"a,1\n': (2, "not a CSV"),
    "name,score\n\x1b[31m,x\n": (2, "finite number"),
}


@pytest.mark.parametrize(("text", "place_and_words"), WRONG.items())
def test_a_wrong_line_is_named(path: Path, text: str, place_and_words: tuple[int, str]) -> None:
    line, words = place_and_words
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=words) as caught:
        read_scores(path)
    assert caught.value.place == f"{path}:{line}"
    assert str(caught.value).isprintable()


def test_a_file_that_is_not_utf8_is_named_with_the_line(path: Path) -> None:
    path.write_bytes(b"name,score\na,1\n\xff,2\n")
    with pytest.raises(SpecError, match=r"map\.csv:3: not UTF-8"):
        read_scores(path)


def test_a_file_larger_than_16_mib_is_refused(path: Path) -> None:
    path.write_bytes(b"name,score\n" + b"#" * (16 << 20))
    with pytest.raises(SpecError, match="larger than 16 MiB"):
        read_scores(path)


def test_what_is_no_regular_file_is_refused_at_once(path: Path) -> None:
    os.mkfifo(path)
    for wrong, words in (
        (path, "regular file"),
        (path.parent, "regular file"),
        (path.parent / "none.csv", "cannot be read"),
    ):
        with pytest.raises(SpecError, match=words):
            read_scores(wrong)
