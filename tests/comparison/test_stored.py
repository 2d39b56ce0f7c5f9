"""Two stored runs against each other: who is matched, what is said of each, and that nothing passes unseen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from runs_on_disk import COUNTS, record
from stored_runs import STEADY, rounds, slower, stored

from archbench.api import Run
from archbench.comparison.gate import parse_limits
from archbench.comparison.stored import Comparison, compare
from archbench.errors import ResultsError
from archbench.runs.manifest import find_differences
from archbench.runs.records import line_as_json


def words(comparison: Comparison) -> dict[str, str]:
    return {name: judged.word for name, judged in comparison.verdicts.items()}


def of(comparison: Comparison, name: str, metric: str) -> Any:
    return next(each for each in comparison.verdicts[name].findings if each.limit.metric == metric)


def priced(folder: Path, counts: dict[str, dict[str, int]], **given: Any) -> Run:
    records = [record(name, status="priced", exact=COUNTS | own) for name, own in counts.items()]
    return stored(folder, {}, records=records, environment={"device": "none"}, **given)


@pytest.mark.parametrize("generations", [1, 2, 8])
@pytest.mark.parametrize("noise", [1.0, 1.5])
def test_a_run_with_itself_is_equivalent_throughout_however_short_or_noisy(
    tmp_path: Path, generations: int, noise: float
) -> None:
    ms = [noise**place * 10 for place in range(generations)]
    run = stored(tmp_path, {"A": ms, "B": ms})
    found = compare(run.path, run.path)
    assert (words(found), found.word) == ({"A": "equivalent", "B": "equivalent"}, "equivalent")
    for row in found.judgement.table.rows:
        assert (row["low"], row["smallest"], row["generations"], row["why"]) == (
            None,
            None,
            generations,
            "the same blocks",
        )


def test_a_network_that_is_slower_than_its_interval_allows_is_the_one_that_regressed(tmp_path: Path) -> None:
    base = stored(tmp_path, {"A": STEADY, "B": STEADY})
    new = stored(tmp_path, {"A": STEADY[::-1], "B": slower(1.05)})
    found = compare(base, new)
    assert (words(found), found.word) == ({"A": "equivalent", "B": "regressed"}, "regressed")
    latency = of(found, "B", "latency_ms")
    assert latency.verdict.ratio == pytest.approx(1.05)
    assert (latency.base, latency.new) == (pytest.approx(10.0), pytest.approx(10.5))
    assert latency.verdict.paired is False


def test_a_faster_one_improved_and_the_gate_passes(tmp_path: Path) -> None:
    found = compare(stored(tmp_path, {"A": STEADY}), stored(tmp_path, {"A": slower(0.9)}))
    assert (words(found), found.word) == ({"A": "improved"}, "improved")


def test_the_limit_is_the_margin_relative_or_in_milliseconds(tmp_path: Path) -> None:
    base, new = stored(tmp_path, {"A": STEADY, "B": [2 * ms for ms in STEADY]}), None
    new = stored(tmp_path, {"A": slower(1.05), "B": [2.1 * ms for ms in STEADY]})
    assert words(compare(base, new, limits=parse_limits("latency_ms > 10%"))) == dict.fromkeys("AB", "equivalent")
    half = compare(base, new, limits=parse_limits("latency_ms > 0.7"))  # 0.5 ms more of 10, 1 ms more of 20
    assert words(half) == {"A": "equivalent", "B": "regressed"}


@pytest.mark.parametrize("generations", [0, 1])
def test_too_few_generations_on_either_side_are_not_passed(tmp_path: Path, generations: int) -> None:
    full, few = stored(tmp_path, {"A": STEADY}), stored(tmp_path, {"A": [9.0] * generations})
    if not generations:
        few = priced(tmp_path, {"A": {}})
    for base, new in ((full, few), (few, full)):
        assert compare(base, new).word == "inconclusive"


def test_what_is_too_noisy_to_tell_is_not_passed(tmp_path: Path) -> None:
    base = stored(tmp_path, {"A": [10.0, 14.0, 9.0]})
    found = compare(base, stored(tmp_path, {"A": [9.0, 15.0, 10.0]}))
    assert found.word == "inconclusive"
    assert "too wide" in of(found, "A", "latency_ms").why


def test_blocks_that_stayed_disturbed_are_not_passed(tmp_path: Path) -> None:
    disturbed = [replace(block, disturbed=("throttled",)) for block in rounds({"A": STEADY[::-1]})]
    new = stored(tmp_path, {"A": STEADY}, blocks=disturbed)
    assert compare(stored(tmp_path, {"A": STEADY}), new).word == "inconclusive"


def test_counts_are_compared_exactly_and_no_count_may_rise(tmp_path: Path) -> None:
    base = priced(tmp_path, {"A": {}, "B": {}, "C": {}})
    new = priced(tmp_path, {"A": {}, "B": {"params": COUNTS["params"] + 1}, "C": {"macs": 9}})
    found = compare(base, new)
    assert words(found) == {"A": "equivalent", "B": "regressed", "C": "improved"}
    rows = {row["name"]: row["changes"] for row in found.judgement.table.rows}
    assert rows == {"A": None, "B": "params 26,799,296 to 26,799,297", "C": "macs 10 to 9"}


def test_only_what_the_limits_name_decides(tmp_path: Path) -> None:
    base, new = priced(tmp_path, {"A": {}}), priced(tmp_path, {"A": {"params": 10**9}})
    assert compare(base, new, limits=parse_limits("macs > 0")).word == "equivalent"
    assert compare(base, new, limits=parse_limits("macs > 0, params > 0")).word == "regressed"


def test_latency_that_nobody_measured_is_not_passed_where_it_is_named(tmp_path: Path) -> None:
    run = priced(tmp_path, {"A": {}})
    assert compare(run, run).word == "equivalent"
    assert compare(run, run, limits=parse_limits("latency_ms > 3%")).word == "inconclusive"


def test_a_count_that_one_side_lacks_is_not_passed(tmp_path: Path) -> None:
    base = priced(tmp_path, {"A": {}})
    none = stored(tmp_path, {}, records=[record("A", status="priced", exact=None)], environment={"device": "none"})
    for one, other in ((base, none), (none, base), (none, none)):
        assert compare(one, other).word == "inconclusive"


def test_a_hand_written_network_is_compared_by_what_was_traced(tmp_path: Path) -> None:
    def traced(macs: int) -> Run:
        return stored(tmp_path, {"A": STEADY}, records=[record("A", exact=None, traced={"macs": macs})])

    assert compare(traced(5), traced(5)).word == "equivalent"
    assert compare(traced(5), traced(6)).word == "regressed"


def test_networks_are_matched_by_id_and_the_others_named(tmp_path: Path) -> None:
    base = priced(tmp_path, {"A": {}, "gone": {}})
    new = priced(tmp_path, {"A": {}, "fresh": {}})
    found = compare(base, new)
    assert [each.name for each in found.judgement.added] == ["fresh"]
    assert [each.name for each in found.judgement.removed] == ["gone"]
    assert {row["name"]: row["verdict"] for row in found.judgement.table.rows} == {
        "A": "equivalent",
        "fresh": "added",
        "gone": "removed",
    }
    assert found.word == "inconclusive", "what vanished is not passed"
    assert compare(priced(tmp_path, {"A": {}}), new).word == "equivalent", "what is new has nothing to be held against"


def test_a_renamed_network_is_the_same_and_a_name_may_be_of_another(tmp_path: Path) -> None:
    def named(identifier: str, name: str) -> Run:
        records = [record(identifier, name=name, status="priced")]
        return stored(tmp_path, {}, records=records, environment={"device": "none"})

    assert words(compare(named("A", "old"), named("A", "young"))) == {"young": "equivalent"}
    other = compare(named("A", "wide"), named("B", "wide"))
    assert other.word == "inconclusive"
    assert "another network now, under the same name: wide" in other.judgement.table.caption


def test_two_networks_of_one_name_are_two_verdicts(tmp_path: Path) -> None:
    """Names are one run's own; stored records are data, and may agree in them."""
    records = [record(each, name="wide", status="priced") for each in "AB"]
    run = stored(tmp_path, {}, records=[*records, record("C", status="priced")], environment={"device": "none"})
    assert words(compare(run, run)) == dict.fromkeys(("wide (A)", "wide (B)", "C"), "equivalent")


def test_nothing_in_common_is_not_passed(tmp_path: Path) -> None:
    found = compare(stored(tmp_path, {"A": STEADY}), stored(tmp_path, {"B": STEADY}))
    assert (found.word, found.judgement.judged) == ("inconclusive", ())
    assert "no network is in both" in found.judgement.table.caption[0]


@pytest.mark.parametrize("status", ["failed", "not reached"])
def test_a_network_that_failed_or_was_not_reached_is_not_passed_and_says_why(tmp_path: Path, status: Any) -> None:
    records = [record("A"), record("B", status=status, reason="out of memory")]
    new = stored(tmp_path, {"A": STEADY[::-1]}, records=records)
    found = compare(stored(tmp_path, {"A": STEADY, "B": STEADY}), new)
    assert words(found) == {"A": "equivalent", "B": "inconclusive"}
    assert status in of(found, "B", "latency_ms").why


@pytest.mark.parametrize("status", ["failed", "not reached"])
@pytest.mark.parametrize("fail_on", ["params > 0", "memory_bytes > 0", "latency_ms > 3%"])
def test_a_side_that_failed_or_was_not_reached_passes_no_limit_though_its_numbers_are_known(
    tmp_path: Path, status: Any, fail_on: str
) -> None:
    """Counts, memory and whole generations of blocks on both sides, all alike."""
    whole, ended = record("A", memory_bytes=5), record("A", memory_bytes=5, status=status, reason="killed")
    good = stored(tmp_path, {"A": STEADY}, records=[whole])
    bad = stored(tmp_path, {"A": STEADY[::-1]}, records=[ended], planned=[line_as_json(ended)])
    for base, new, side in ((good, bad, "new"), (bad, good, "base")):
        found = compare(base, new, limits=parse_limits(fail_on))
        assert (found.word, of(found, "A", fail_on.split()[0]).word) == ("inconclusive", "inconclusive")
        assert f"inconclusive: A: {side} {status}: killed" in found.judgement.table.caption
        assert [row["why"] for row in found.judgement.table.rows] == [f"{side} {status}: killed"]


def test_what_failed_and_has_a_count_that_rose_regressed(tmp_path: Path) -> None:
    new = record("A", status="failed", reason="killed", exact=COUNTS | {"params": 10**9})
    found = compare(stored(tmp_path, {"A": STEADY}), stored(tmp_path, {}, records=[new]))
    assert found.word == "regressed"


@pytest.mark.parametrize(
    ("environment", "plan", "said"),
    [
        ({"host": "other"}, {"quantity": "request"}, "host lab, then other"),
        ({}, {"quantity": "step"}, "of a request, the new one's of a step"),
    ],
)
def test_a_run_killed_before_its_records_is_of_its_machine_all_the_same(
    tmp_path: Path, environment: dict[str, str], plan: dict[str, str], said: str
) -> None:
    killed = [record("A", status="not reached")]
    new = stored(tmp_path, {"A": STEADY}, records=killed, environment=environment, plan=plan)
    for base, other in ((stored(tmp_path, {"A": STEADY}), new), (new, stored(tmp_path, {"A": STEADY}))):
        with pytest.raises(ResultsError, match="measure both"):
            compare(base, other)
    with pytest.raises(ResultsError, match=said):
        compare(stored(tmp_path, {"A": STEADY}), new)


def test_what_one_side_lacks_is_said_of_that_side(tmp_path: Path) -> None:
    full, none = (stored(tmp_path, {"A": STEADY}, records=[record("A", memory_bytes=b)]) for b in (5, None))
    for base, new, side in ((full, none, "new"), (none, full, "base"), (none, none, "base or new")):
        found = compare(base, new, limits=parse_limits("memory_bytes > 0"))
        assert of(found, "A", "memory_bytes").why == f"not known of {side}"


def test_replicas_are_pooled_so_that_a_generation_is_one_observation(tmp_path: Path) -> None:
    """Means of logs of a generation's replicas: 10 and 12.1 are 11; three generations of them, one of them on one side."""
    records = [record("A", replica=number) for number in (0, 1)]
    blocks = [
        replace(block, replica=number, order=number, size=2)
        for number, ms in enumerate(([10.0, 10.1, 10.2], [12.1, 12.0, 11.9]))
        for block in rounds({"A": ms})
        if block.phase == "warm-up" or block.order == 0
    ]
    base = stored(tmp_path, {}, records=records, blocks=blocks)
    found = compare(base, stored(tmp_path, {"A": [11.0, 11.01, 11.02]}))
    latency = of(found, "A", "latency_ms")
    assert latency.verdict.generations == 3
    assert latency.verdict.ratio == pytest.approx(1.0, abs=0.002)
    assert words(found) == {"A": "equivalent"}


def test_other_quantities_are_judged_by_their_own_blocks(tmp_path: Path) -> None:
    def run(step_ms: float) -> Run:
        steps = [replace(b, quantity="step", round=2) for b in rounds({"A": slower(step_ms)}) if b.phase == "steady"]
        return stored(tmp_path, {"A": STEADY}, blocks=rounds({"A": STEADY}) + steps)

    limits = parse_limits("step_ms > 3%")
    assert compare(run(0.8), run(0.9), limits=limits).word == "regressed"
    assert compare(run(0.8), run(0.9)).word == "equivalent"
    processor = parse_limits("device_ms > 3%")  # on a CPU the processor's time of the requests
    assert compare(run(0.8), run(0.9), limits=processor).word == "equivalent"


def test_a_latency_of_another_quantity_is_refused(tmp_path: Path) -> None:
    base = stored(tmp_path, {"A": STEADY})
    new = stored(tmp_path, {"A": STEADY}, plan={"quantity": "step"})
    with pytest.raises(ResultsError, match="of a request, the new one's of a step"):
        compare(base, new, across=True)


def test_another_machine_is_refused_with_what_differs_unless_insisted(tmp_path: Path) -> None:
    base = stored(tmp_path, {"A": STEADY})
    new = stored(
        tmp_path, {"A": slower(1.2)}, environment={"host": "other", "versions": {"torch": "2.15.0"}, "driver": "550"}
    )
    with pytest.raises(ResultsError) as raised:
        compare(base, new)
    assert raised.value.exit_code == 2
    for said in ("host lab, then other", "torch 2.14.1, then 2.15.0", "driver none, then 550", "insist with --across"):
        assert said in str(raised.value)
    found = compare(base, new, across=True)
    assert found.word == "regressed"
    assert any(line.startswith("across environments: host lab, then other") for line in found.judgement.table.caption)


def test_counts_are_of_no_machine(tmp_path: Path) -> None:
    base = priced(tmp_path, {"A": {}})
    other = stored(tmp_path, {"A": STEADY}, environment={"host": "other"})
    assert compare(base, other, limits=parse_limits("params > 0")).word == "equivalent"
    measured = stored(tmp_path, {"A": STEADY})
    assert compare(measured, other, limits=parse_limits("params > 0")).word == "equivalent"
    with pytest.raises(ResultsError):
        compare(measured, other, limits=parse_limits("memory_bytes > 0"))


def test_two_cards_of_one_name_are_two_environments() -> None:
    one, other = ({"gpus": [{"name": "H100", "uuid": uuid}]} for uuid in ("GPU-1", "GPU-2"))
    assert find_differences(one, other) == ("gpus H100 GPU-1, then H100 GPU-2",)
    assert find_differences(one, one) == ()


def test_no_gpu_is_one_environment_whether_it_is_said_or_left_out() -> None:
    for none in ([], None):
        assert find_differences({"cpu": "EPYC"}, {"cpu": "EPYC", "gpus": none}) == ()
    one = {"gpus": [{"name": "H100"}]}
    assert find_differences({}, one) == ("gpus none, then H100",)


def test_what_differs_between_many_cards_is_said_and_not_what_they_share() -> None:
    """Eight cards are longer than a line: the last was replaced, all changed places; of two that are equal one was taken out."""
    eight = [{"name": "NVIDIA H100 80GB HBM3", "uuid": f"GPU-{place:032}"} for place in range(8)]
    other = [*eight[:7], eight[7] | {"uuid": "GPU-new"}]
    assert find_differences({"gpus": eight}, {"gpus": other}) == (
        f"gpus NVIDIA H100 80GB HBM3 GPU-{7:032}, then NVIDIA H100 80GB HBM3 GPU-new",
    )
    assert find_differences({"gpus": eight}, {"gpus": eight[::-1]}) == ("gpus in another order",)
    assert find_differences({"gpus": [{"name": "A"}]}, {"gpus": [{"model": "A"}]}) == (
        "gpus [{'name': 'A'}], then [{'model': 'A'}]",
    )
    assert find_differences({"gpus": [{"name": "A"}] * 2}, {"gpus": [{"name": "A"}]}) == ("gpus A, then none",)
    assert find_differences({"driver": 550}, {"driver": "550"}) == ("driver 550, then '550'",)


def test_an_older_commit_on_the_same_machine_is_the_same_environment(tmp_path: Path) -> None:
    base = stored(tmp_path, {"A": STEADY}, environment={"commit": "a" * 40})
    assert compare(base, stored(tmp_path, {"A": STEADY}, environment={"commit": "b" * 40})).judgement.across == ()


@pytest.mark.parametrize("name", ["environment", "plan", "planned", "spec", "space"])
def test_a_run_file_that_lacks_a_part_is_named(tmp_path: Path, name: str) -> None:
    run = stored(tmp_path, {"A": STEADY})
    file = run.path / "run.json"
    file.write_text(file.read_text().replace(f'"{name}":', '"other":', 1))
    with pytest.raises(ResultsError, match=f"run.json: damaged: {name} is missing"):
        compare(run.path, run.path)


def test_a_damaged_sample_is_named(tmp_path: Path) -> None:
    run = stored(tmp_path, {"A": STEADY})
    samples = run.path / "samples.jsonl"
    samples.write_text(samples.read_text().replace('"wall_ns":[10', '"wall_ns":[-10', 1))
    with pytest.raises(ResultsError, match=r"samples.jsonl:\d+"):
        compare(run.path, run.path)
