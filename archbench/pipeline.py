"""The straight line: spec -> variants -> prices -> blocks -> records -> table and report."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from archbench.comparison.gate import Limit, join_limits
from archbench.design.spec.schema import budget_seconds
from archbench.design.spec.spec import Spec
from archbench.design.variants import Expansion, expand, is_many
from archbench.errors import CannotMeasure, ResultsError, SpecError
from archbench.measure.experiment.experiment import measure
from archbench.measure.experiment.plan import PlannedVariant, plan_variants
from archbench.measure.experiment.recorder import (
    SILENT,
    RunListener,
    RunRecorder,
    keep_limits,
    make_manifest,
    open_folder,
)
from archbench.measure.experiment.state import ExperimentSetup
from archbench.measure.machine.environment import available_bytes, resolve_device
from archbench.measure.supervisor.interruption import Interrupted, StopRequest
from archbench.measure.supervisor.plugins import plugin_modules
from archbench.measure.supervisor.processes import own_command, own_environment
from archbench.measure.supervisor.worker_process import Crew
from archbench.models.variant import ModuleFactory
from archbench.runs.run import StoredRun, failed_keys, read_folder
from archbench.runs.scores import spec_scores
from archbench.runs.store import RunFolder
from archbench.space.constraints import Funnel, KeptVariants, keep_variants, make_funnel, price_all
from archbench.space.price_space import SpaceQuery, make_shown_variants, price_space

COMPILED = ".compiled"  # in a run's folder while it is measured: what torch.compile made for it


def run_spec(
    spec: Spec,
    results: str | Path = "results",
    *,
    against: Spec | None = None,
    limits: Sequence[Limit] = (),
    plugins: Sequence[str] = (),
    new: bool = False,
    listener: RunListener = SILENT,
    stop: StopRequest | None = None,
) -> StoredRun:
    """Price all variants of a spec, keep those its constraints allow, measure them, store and report.

    With `against`, that spec's variants are measured in the same experiment, each beside its namesake: the paired
    comparison, judged by `limits`, else by its latency. Goes on with the newest run of the same specs in the same
    environment, measuring nothing twice, whatever it was judged by; `new` begins another. Raises SpecError, CannotMeasure
    or ResultsError; a variant's own failure is a row of the table. Raises Interrupted where `stop` asked for the end, with
    everything finished on disk and in the table.
    """
    if limits and against is None:
        raise SpecError("limits judge a network against its base; give `against` too")
    stop = stop or StopRequest()
    began = time.monotonic()
    funnel, kept = _choose_variants(spec, plugins, listener)
    plan = plan_variants(
        kept, spec.measure.replicas, _choose_variants(against, plugins, listener)[1] if against else None
    )
    device = resolve_device(spec.measure.device)
    folder = open_folder(
        make_manifest(spec, funnel, plan, device, against=against, plugins=plugins), Path(results), new=new
    )
    with folder.lock():
        folder.cut_torn_lines()
        folder = keep_limits(folder, join_limits(limits))
        recorder = RunRecorder(folder, listener)
        try:
            if device == "none":
                recorder.close_priced_records()
            elif unfinished := recorder.find_unfinished_variants(plan):
                _measure(unfinished, _set_up(spec, device, plugins, began, folder), recorder, stop)
            else:
                listener.say(f"measured already in {folder.path}; --new measures again")
        finally:  # an interrupted run has its table too
            _write_files(recorder.folder)
    if stop():
        raise Interrupted
    return read_folder(recorder.folder)


def _write_files(folder: RunFolder) -> None:
    """Have the derived files written by a process of their own: this one only supervises, and loads nothing that draws.

    Raises what that process was refused: CannotMeasure where the files cannot be written, ResultsError where what is stored
    is damaged.
    """
    command, silent = own_command("archbench.reporting.report", str(folder.path)), subprocess.DEVNULL
    done = subprocess.run(
        command,
        stdin=silent,
        stdout=silent,
        stderr=subprocess.PIPE,
        process_group=0,
        env=own_environment(),
        check=False,
        text=True,
        errors="replace",
    )
    for refusal in (CannotMeasure, ResultsError):
        if done.returncode == refusal.exit_code:
            raise refusal(done.stderr.strip())
    if done.returncode:
        raise RuntimeError(f"the report could not be written:\n{done.stderr}")


def _choose_variants(spec: Spec, plugins: Sequence[str], listener: RunListener) -> tuple[Funnel, KeptVariants]:
    """How many variants there are at each step, and those that are measured: all its constraints leave, or its selection."""
    if is_many(spec):
        listener.say("pricing")
        space = price_space(
            spec, SpaceQuery(scores=spec_scores(spec)), said=lambda rows: listener.say(f"{rows:,} priced")
        )
        chosen = tuple(item.priced for item in make_shown_variants(spec, space))
        return space.funnel, KeptVariants(chosen, space.funnel.refused)
    every = expand(spec)
    check_plugins(every, plugins)
    kept = keep_variants(price_all(every.variants), spec.constraints)
    return make_funnel(every, kept), kept


def _set_up(spec: Spec, device: str, plugins: Sequence[str], began: float, folder: RunFolder) -> ExperimentSetup:
    """The bounds of a run: a budget is of the whole command, and a run that goes on keeps the width its intervals began with."""
    budget = budget_seconds(spec.measure)
    deadline = None if budget is None else began + budget
    widened = folder.manifest["budget_s"] is not None
    return ExperimentSetup(spec.measure, device, available_bytes(device), tuple(plugins), deadline, widened)


def _measure(plan: Sequence[PlannedVariant], setup: ExperimentSetup, recorder: RunRecorder, stop: StopRequest) -> None:
    """Blocks, and a record for each variant that has its share; where the run is asked to end, blocks to go on from."""
    recorder.clear_caption()
    folder = recorder.folder
    with Crew(folder.path / COMPILED) as crew:
        stop.on_second_signal(crew.kill)
        if stop():
            return
        shared = replace(setup, worker=crew.hire, stop=stop)
        first_start = measure(plan, shared, recorder, folder.blocks(), failed_keys(folder.records()))
    if not stop():
        recorder.close_measured_records()
        recorder.note_starvation(first_start, setup.plan)


def check_plugins(space: Expansion, plugins: Sequence[str]) -> None:
    """Refuse a spec that names user code the command line did not allow."""
    for variant in space.variants:
        if isinstance(variant.architecture, ModuleFactory):
            root = variant.architecture.factory.split(":")[0].split(".")[0]
            if root not in plugin_modules(plugins):
                raise SpecError(
                    f"module: {variant.architecture.factory} is your own code and runs only when the command says "
                    f"so; add --plugin {root}, or --plugin {root}.py for a file"
                )
