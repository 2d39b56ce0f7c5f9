"""A run is found by whatever a person calls it, and no other is taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs_on_disk import HEADER

from archbench.errors import ResultsError
from archbench.runs.run import find_newest, find_run, list_stored_runs
from archbench.runs.store import RunFolder


def test_two_names_that_share_a_folder_are_told_apart(tmp_path: Path) -> None:
    one, other = RunFolder.create(tmp_path, "a b", HEADER), RunFolder.create(tmp_path, "a/b", HEADER)
    assert one.path.parent == other.path.parent
    assert find_newest(tmp_path, "a b") == one
    assert find_newest(tmp_path, "a/b") == other


def test_runs_are_found_in_every_way_a_person_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    results = Path("results")
    first, second, other = (RunFolder.create(results, name, HEADER) for name in ("sweep", "sweep", "other"))
    assert [each.run for each in list_stored_runs(results)] == [first, second, other]
    assert find_run(results, "@latest") == other
    assert find_run(results, "sweep/@latest") == find_run(results, "results/sweep/@latest") == second
    assert find_run(results, str(first.path)) == first
    assert find_run(results, str(first.path.resolve())).manifest == first.manifest
    assert find_run(results, first.path.name).path == first.path
    assert find_run(results, f"sweep/{first.path.name}").path == first.path


def test_the_newest_is_found_by_its_folder_too_where_that_is_not_its_name(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "new against base", HEADER)
    assert find_run(tmp_path, "new against base/@latest") == find_run(tmp_path, "new_against_base/@latest") == run


@pytest.mark.parametrize(
    "text", ["nothing", "nothing/@latest", "@latest", "", "../..", "a\0b", "x" * 5000, "\x1b[31m", "*", "["]
)
def test_a_run_that_is_not_there_is_an_error_with_the_way_out(tmp_path: Path, text: str) -> None:
    with pytest.raises(ResultsError, match="archbench list runs") as caught:
        find_run(tmp_path / "results", text)
    assert str(caught.value).isprintable()


UNREADABLE = {
    "empty": "",
    "torn": '{"schema":1',
    "foreign": "[]",
    "old": "{}",
    "newer": '{"schema":2,"name":"sweep","created_ns":1}',
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
@pytest.mark.parametrize("asked", ["@latest", "sweep/@latest", "results/sweep/@latest"])
def test_no_older_run_is_taken_for_the_newest_where_that_does_not_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, asked: str
) -> None:
    monkeypatch.chdir(tmp_path)
    results = Path("results")
    good = RunFolder.create(results, "sweep", HEADER)
    for identifier in ("99990101-000000-0000", "renamed"):
        later = good.path.with_name(identifier)
        later.mkdir()
        (later / "run.json").write_text(text)
        with pytest.raises(ResultsError, match=rf"{identifier}.*no older run stands in for it"):
            find_run(results, asked)
        assert [each.run for each in list_stored_runs(results)] == [good, None]
        assert find_newest(results, "sweep") == good  # to go on with
        later.rename(tmp_path / identifier)


def test_an_older_run_that_does_not_open_is_in_nobodys_way(tmp_path: Path) -> None:
    older = tmp_path / "sweep" / "20200101-000000-0000"
    older.mkdir(parents=True)
    (older / "run.json").write_text("{")
    good = RunFolder.create(tmp_path, "sweep", HEADER)
    assert find_run(tmp_path, "@latest") == find_run(tmp_path, "sweep/@latest") == good


def test_of_one_second_the_run_that_does_not_open_may_be_the_newest(tmp_path: Path) -> None:
    good = RunFolder.create(tmp_path, "sweep", HEADER)
    beside = good.path.with_name(good.path.name[:15] + "-")  # before all other ids of that second
    beside.mkdir()
    (beside / "run.json").write_text("{")
    with pytest.raises(ResultsError, match="damaged"):
        find_run(tmp_path, "@latest")


def test_a_folder_without_a_header_is_no_run(tmp_path: Path) -> None:
    good = RunFolder.create(tmp_path, "sweep", HEADER)
    (tmp_path / "sweep" / "bare").mkdir()
    (tmp_path / "file").write_text("")
    assert [each.run for each in list_stored_runs(tmp_path)] == [good]
    assert find_run(tmp_path, "@latest") == good
    assert list_stored_runs(tmp_path / "missing") == ()
