"""The recorder of a run: its folder is begun or gone on with, and written as results come."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from archbench import units
from archbench.design.spec.schema import MeasurePlan, budget_seconds
from archbench.measure.experiment.generation import FirstStart
from archbench.measure.experiment.groups import add_company
from archbench.measure.experiment.plan import PlannedVariant
from archbench.measure.machine.environment import capture_environment
from archbench.measure.supervisor.plugins import code_digests
from archbench.runs.manifest import fingerprint
from archbench.runs.progress import RunProgress
from archbench.runs.records import Block, Key, Record, line_as_json
from archbench.runs.run import failed_keys, find_newest, planned_quantity
from archbench.runs.scores import spec_scores
from archbench.runs.store import RunFolder
from archbench.statistics.summary import summarise_blocks

if (
    TYPE_CHECKING
):  # readers of specs and design spaces are no part of what supervises a run: half as much to import again
    from archbench.design.spec.spec import Spec
    from archbench.space.constraints import Funnel

# What a stored run must share with a command to be gone on with. A budget or a time limit may differ: they bound it only.
SAME = ("spec", "against", "plan", "planned", "scores", "code", "environment")
BOUNDS = ("budget", "timeout", "device")

START_S = 10.0  # of a network, where none was started: importing torch takes 3 to 5 s, building and warming up as much
ROUNDS_SHARE = 1.5  # of what starting takes: rounds come on top, and not every generation starts as fast
STEP_S = 30.0  # people give half minutes


@dataclass(frozen=True)
class RunListener:
    """A caller's ears while a run goes on: each step, a sentence, and each record once it is on disk."""

    step: Callable[[RunProgress], None] = lambda step: None
    say: Callable[[str], None] = lambda text: None
    done: Callable[[Record], None] = lambda record: None


SILENT = RunListener()


def make_manifest(
    spec: Spec,
    funnel: Funnel,
    plan: Sequence[PlannedVariant],
    device: str,
    *,
    against: Spec | None = None,
    plugins: Sequence[str] = (),
) -> dict[str, Any]:
    """The content of run.json: with records and samples, enough to rebuild every derived file."""
    measure = {name: value for name, value in asdict(spec.measure).items() if name not in BOUNDS}
    captured = {
        "name": spec.name if against is None else f"{spec.name} against {against.name}",
        "spec": _spec_without_bounds(spec),
        "against": None if against is None else _spec_without_bounds(against),
        "plan": measure,
        "budget_s": budget_seconds(spec.measure),
        "environment": capture_environment(device),
        "space": funnel.as_json(),
        "scores": spec_scores(spec),
        "planned": [line_as_json(planned.open_record()) for planned in plan],
        **({"code": code_digests(plugins)} if plugins else {}),
    }
    return dict(json.loads(json.dumps(captured, allow_nan=False)))  # as it will be read back: tuples are lists


def _spec_without_bounds(spec: Spec) -> dict[str, Any]:
    """A spec's own keys without those that only bound its run."""
    whole = spec.as_json()
    return whole | {"measure": {k: v for k, v in whole.get("measure", {}).items() if k not in BOUNDS}}


def open_folder(wanted: Mapping[str, Any], results: Path, *, new: bool) -> RunFolder:
    """The newest run of that name where it is the same experiment and nobody is at it, else a new one."""
    found = None if new else find_newest(results, wanted["name"])
    if found is not None and not found.is_in_use() and _essential_parts(found.manifest) == _essential_parts(wanted):
        return found
    return RunFolder.create(results, wanted["name"], wanted)


def keep_limits(folder: RunFolder, fail_on: str | None) -> RunFolder:
    """The run with these limits kept: they judge what is stored, so others make no other run and measure nothing again."""
    return folder if folder.manifest.get("fail_on") == fail_on else folder.amend(fail_on=fail_on)


def _essential_parts(header: Mapping[str, Any]) -> list[Any]:
    captured = header.get("environment", {})
    return [fingerprint(captured) if key == "environment" else header.get(key) for key in SAME]


class RunRecorder:
    """Appends blocks and records to a locked folder; a record is announced only once it is on disk."""

    def __init__(self, folder: RunFolder, listener: RunListener) -> None:
        self.folder, self.listener = folder, listener
        self._open: dict[Key, Record] = {record.key: record for record in folder.planned_records()}
        self._failed = failed_keys(folder.records())
        for record in folder.records():
            self._open.pop(record.key, None)
        self._places = {block.place for block in folder.blocks()}

    def find_unfinished_variants(self, plan: Iterable[PlannedVariant]) -> list[PlannedVariant]:
        """Every (variant, replica) without a record, and whom they are compared with if that did not fail."""
        able = [planned for planned in plan if planned.key not in self._failed]
        unfinished = [planned for planned in able if planned.key in self._open]
        return add_company(unfinished, able) if unfinished else []

    def add_block(self, block: Block) -> None:
        """Store a block. Raises RuntimeError where its place is taken: nobody could read the run any more."""
        if block.place in self._places:
            raise RuntimeError(f"a {block.phase} block of {block.id} is stored already: {block.place}")
        self.folder.append_block(block)
        self._places.add(block.place)

    def fail_variant(self, planned: PlannedVariant, reason: str) -> None:
        """Close the variant's record with the reason. If it was measured before, and is here for company, it stays as it was."""
        if planned.key in self._open:
            self._close_record(replace(self._open[planned.key], status="failed", reason=reason))

    def report_progress(self, step: RunProgress) -> None:
        self.listener.step(step)

    def close_priced_records(self) -> None:
        """Close every open record as priced: nothing is to be measured."""
        for record in list(self._open.values()):
            self._close_record(replace(record, status="priced"))

    def close_measured_records(self) -> None:
        """Close the record of everything that has counted samples; what the budget did not reach stays open."""
        blocks = self.folder.blocks()
        failed, quantity = failed_keys(self.folder.records()), planned_quantity(self.folder.manifest)
        summaries = summarise_blocks(blocks, None, failed=failed, quantity=quantity)
        for key, record in list(self._open.items()):
            if key in summaries:
                starts = [block.start for block in blocks if block.phase == "warm-up" and block.key == key]
                self._close_record(measured_record(record, starts))

    def note_starvation(self, first_start: FirstStart, plan: MeasurePlan) -> None:
        """Where the budget left some without a round, say what starting took, and keep it for the table's caption."""
        budget = budget_seconds(plan)
        if self._open and budget is not None:
            starved = explain_starvation(first_start, len(self._open), generations=plan.generations, budget_s=budget)
            self.folder = self.folder.amend(starved=starved)
            self.listener.say(starved)

    def clear_caption(self) -> None:
        """Take back what an earlier command's caption said of its budget."""
        if self.folder.manifest.get("starved") is not None:
            self.folder = self.folder.amend(starved=None)

    def _close_record(self, record: Record) -> None:
        self.folder.append_record(record)
        del self._open[record.key]
        self.listener.done(record)


def explain_starvation(first_start: FirstStart, without: int, *, generations: int, budget_s: float) -> str:
    """A sentence on a budget that ended before `without` networks had a round: what starting took, what to give."""
    missed = "no round was reached" if without >= first_start.networks else f"{without} had no round"
    more = units.format_duration(_sufficient_seconds(first_start, generations, budget_s))
    start = _describe_start(first_start, units.format_duration(budget_s))
    return f"{start}: {missed}; give more: --set measure.budget={more}"


def _describe_start(first_start: FirstStart, budget: str) -> str:
    if not first_start.started:
        return f"the budget of {budget} was over before a network was started"
    some = first_start.started < first_start.networks
    count = f"{first_start.started} of {first_start.networks}" if some else f"{first_start.networks}"
    noun = "network" if first_start.networks == 1 else "networks"
    return f"starting {count} {noun} took {units.format_duration(first_start.seconds)}, the budget was {budget}"


def _sufficient_seconds(first_start: FirstStart, generations: int, budget_s: float) -> float:
    """Seconds that start all of them as often as is wanted, with rounds; more than was given."""
    one = first_start.seconds / first_start.started if first_start.started else START_S
    wanted = max(one * first_start.networks * generations * ROUNDS_SHARE, budget_s + 1)
    return math.ceil(wanted / STEP_S) * STEP_S


def measured_record(record: Record, starts: Sequence[Mapping[str, Any]]) -> Record:
    """The record of a measured variant, with what its processes found while starting, first to last.

    The first alone was cold: what it compiled may have been kept for the others. Energy is the median of the
    processes that metered it.
    """
    first, last = starts[0], starts[-1]
    uncounted = [f"{op}: {calls} calls are in no count" for op, calls in last["uncounted"].items()]
    unsteady = [] if last["steady"] else ["not steady: its calls still drifted when the warm-up ended"]
    energies = [start["energy_mj"] for start in starts if start.get("energy_mj") is not None]
    return replace(
        record,
        status="measured",
        traced=last["traced"],
        memory_bytes=last["memory_bytes"],
        memory_kind=last["memory_kind"],
        memory=last.get("memory", {}),
        cold_ms=first["cold_ms"],
        energy_mj=median(energies) if energies else None,
        warnings=(*unsteady, *last.get("notes", ()), *uncounted),
    )
