"""The door: each command reads its input, calls one function, prints what came back.

Only this file imports inside functions, so that `--help` costs nothing and pricing never waits for torch or pandas.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from archbench import __version__
from archbench.errors import ArchbenchError, CannotMeasure, SpecError

if TYPE_CHECKING:
    from archbench.design.spec import Spec
    from archbench.pricing.priced_space import Asked, PricedSpace, Shown
    from archbench.reporting.compare import Comparison
    from archbench.reporting.review import Review
    from archbench.reporting.runs import Run
    from archbench.reporting.tables import Table

DONE, FAILED, WRONG, GATE, UNTOLD, BUG, INTERRUPTED = 0, 1, 2, 3, 4, 70, 130
SEVERITY = (DONE, FAILED, UNTOLD, GATE)  # of several runs the worst is told
GATE_GENERATIONS = (
    8  # of a comparison: what finds +3 % nine times in ten on a shared machine (`benches/experiments.py`)
)
FORMATS = ("terminal", "markdown", "csv", "json", "latex")
REPORT_FORMATS = (*FORMATS, "parquet", "html")

sets_option = click.option(
    "--set", "sets", multiple=True, metavar="PATH=VALUE", help="Override a key: neck.channels=128."
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, all else on stderr.")
format_option = click.option(
    "--format", "form", type=click.Choice(FORMATS), default="terminal", help="How to print it."
)
results_option = click.option(
    "-o", "--results", default="results", show_default=True, metavar="DIR", help="Where runs are."
)


class Commands(click.Group):
    """Commands in the order people meet them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="archbench")
def archbench() -> None:
    """Choose a detector's backbone and FPN by what they cost: exact counts, measured latencies, one table."""


@archbench.command()
@click.argument("spec")
@results_option
@sets_option
@click.option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:N, or none: price and store, measure nothing.")
@click.option("--timeout", metavar="S", help="Seconds a variant may take for one step.")
@click.option("--quick", is_flag=True, help="One generation, so no interval: a first look.")
@click.option(
    "--against", metavar="BASE", help="A second spec (or preset), measured in the same experiment, pair by pair."
)
@click.option("--new", is_flag=True, help="Begin a new run even where a stored one could go on.")
@click.option(
    "--plugin", "plugins", multiple=True, metavar="PACKAGE_OR_FILE", help="Let `module:` import this code of yours."
)
@format_option
@click.option("--quiet", is_flag=True, help="No progress.")
@json_option
def run(
    spec: str,
    results: str,
    sets: tuple[str, ...],
    device: str | None,
    timeout: str | None,
    quick: bool,
    against: str | None,
    new: bool,
    plugins: tuple[str, ...],
    form: str,
    quiet: bool,
    as_json: bool,
) -> int:
    """Price all variants of SPEC, measure them, store, print the table, write the report.

    With --against BASE the exit code is the gate's: 3 where a variant is slower than its base, 4 where one cannot be told.
    """
    given = {"device": device, "timeout": timeout, "generations": "1" if quick else None}
    read = load(spec, [*sets, *(f"measure.{key}={value}" for key, value in given.items() if value is not None)])
    base = load(against, sets) if against else None
    if base is not None and "generations" not in read.overrides.get("measure", {}):
        read = replace(read, measure=replace(read.measure, generations=GATE_GENERATIONS))
    from archbench.measure.interruption import Stop
    from archbench.measure.ledger import Listener
    from archbench.reporting.progress import Progress
    from archbench.run import run as run_spec

    with Stop(_announce) as stop, Progress(quiet=quiet, announce_on=sys.stderr if as_json else sys.stdout) as progress:
        listener = Listener(progress.step, progress.say, progress.done)
        finished = run_spec(read, results, against=base, plugins=plugins, new=new, listener=listener, stop=stop)
    with _read_by_nobody_too():
        show_run(finished, "json" if as_json else form)
        click.echo(f"kept in {finished.folder.path}", err=True)
    return run_code(finished)


@archbench.command()
@click.argument("spec")
@sets_option
@click.option("--where", metavar="EXPR", help="Only variants for which this holds: 'gmacs < 60 and params < 40e6'.")
@click.option("--by", metavar="EXPR", help="Show those with the least of this: macs, or -macs for the most.")
@click.option("--top", type=click.IntRange(1, 10_000), metavar="N", help="Show so many: by --by, else of the front.")
@click.option("--parquet", "-o", metavar="FILE", help="Write every variant to this Parquet file, whatever is shown.")
@format_option
@click.option("--quiet", is_flag=True, help="No progress.")
@json_option
def price(
    spec: str,
    sets: tuple[str, ...],
    where: str | None,
    by: str | None,
    top: int | None,
    parquet: str | None,
    form: str,
    quiet: bool,
    as_json: bool,
) -> int:
    """The exact cost of every variant of SPEC (or a preset), nothing measured, without torch.

    Of a large space, one that is drawn or one that selects, what is shown is the Pareto front, or what --by and --top ask for.
    """
    read, form = load(spec, sets), "json" if as_json else form
    from archbench.pricing.funnel import is_many
    from archbench.reporting.scores import read_scores

    if is_many(read) or any(given is not None for given in (where, by, top, parquet)):
        _price_many(read, _asked(where, by, top), parquet, form, quiet=quiet)
        return DONE
    from archbench.design.space import expand
    from archbench.pricing.constraints import keep, price_all
    from archbench.reporting.priced import priced_table

    kept = keep(price_all(expand(read).variants), read.constraints)
    scores = read_scores(read.scores) if read.scores else None
    show_table(priced_table(kept.priced, title=read.name, scores=scores), form)
    return DONE


def _asked(where: str | None, by: str | None, top: int | None) -> Asked:
    from archbench.design.expressions import compile_expression
    from archbench.pricing.priced_space import Asked

    given = {"where": where, "by": by}
    compiled = {
        name: text and compile_expression(text, f"--{name}") for name, text in given.items() if text is not None
    }
    return Asked(limit=top, **compiled)


def _price_many(spec: Spec, asked: Asked, parquet: str | None, form: str, *, quiet: bool) -> None:
    """Price by columns; show the few asked for, and write all to a file where one is named."""
    from archbench.reporting.progress import Progress
    from archbench.reporting.scores import read_scores
    from archbench.reporting.space_table import space_table

    scores = read_scores(spec.scores) if spec.scores else None
    with Progress(quiet=quiet, announce_on=sys.stderr) as progress:
        space, rows = _priced(spec, asked, parquet, lambda count: progress.say(f"{count:,} priced"))
    extra = {"space": space.funnel.as_json()} if form == "json" else {}
    show_table(space_table(spec, space, rows, asked, scores), form, **extra)
    if parquet is not None:
        click.echo(f"every variant is in {parquet}", err=True)


def _priced(
    spec: Spec, asked: Asked, parquet: str | None, said: Callable[[int], None]
) -> tuple[PricedSpace, tuple[Shown, ...]]:
    if parquet is not None:
        from archbench.reporting.parquet import write_space  # DuckDB, which nothing else waits for

        return write_space(Path(parquet), spec, asked, said)
    from archbench.pricing.priced_space import price_space, shown

    space = price_space(spec, asked, said=said)
    return space, shown(spec, space)


@archbench.command()
@click.argument("spec")
@sets_option
@json_option
def check(spec: str, sets: tuple[str, ...], as_json: bool) -> int:
    """Validate SPEC and count its variants: raw, excluded, duplicate, refused by each constraint, on the front."""
    read = load(spec, sets)
    from archbench.pricing.priced_space import counted

    counts = counted(read)
    if as_json:
        click.echo(json.dumps(counts.as_json() | {"variants": counts.variants}))
        return DONE
    click.echo(f"{read.name}: {counts.variants:,} variants of {counts.raw:,} raw, the reference included")
    click.echo(f"  {counts.excluded:,} excluded, {counts.duplicates:,} the same network as another")
    if counts.collapsed_draws:
        click.echo(f"  {counts.collapsed_draws:,} drawn where another was")
    for constraint, refused in counts.refused.items():
        click.echo(f"  {refused:,} refused by {constraint}")
    if counts.front is not None:
        click.echo(f"  {counts.front:,} on the Pareto front: {counts.aims}")
    return DONE


@archbench.command()
@click.argument("spec")
@click.argument("names", nargs=-1, metavar="[NAME | A B | OTHER]")
@sets_option
@json_option
def show(spec: str, names: tuple[str, ...], sets: tuple[str, ...], as_json: bool) -> int:
    """One network of SPEC (or a preset), layer by layer, with shares by stage and by FPN level; of two, where they differ.

    `show R-50-FPN` and `show SPEC NAME` show one network; `show R-50-FPN R-101-FPN` and `show SPEC A B` show what sets the
    second apart from the first, layer by layer, and what each difference costs.
    """
    from archbench.reporting.differences import differences_json, show_differences
    from archbench.reporting.layers import layers_json, show_layers

    networks = _networks(spec, names, sets)
    if as_json:
        found = differences_json(*networks) if len(networks) > 1 else layers_json(*networks)
        click.echo(json.dumps(found))
    elif len(networks) > 1:
        show_differences(*networks, console())
    else:
        show_layers(*networks, console())
    return DONE


@archbench.command()
@click.argument("base")
@click.argument("new")
@results_option
@click.option("--fail-on", metavar="LIMITS", help='What may not get worse, by how much: "latency_ms > 3%, params > 0".')
@click.option("--across", is_flag=True, help="Compare times of different environments all the same.")
@click.option("--junit", metavar="FILE", help="Write the verdicts as JUnit XML too: a test case a network.")
@click.option(
    "--github", is_flag=True, help="Annotations and the step's summary of GitHub Actions; the table in markdown."
)
@format_option
@json_option
def compare(
    base: str,
    new: str,
    results: str,
    fail_on: str | None,
    across: bool,
    junit: str | None,
    github: bool,
    form: str,
    as_json: bool,
) -> int:
    """Two stored runs, network by network: counts exactly, times by their intervals. The gate of a pull request.

    BASE and NEW are each a run's folder or a file in it, an id, SPEC/@latest, @latest, git:REV (the newest run in the
    results folder as committed at REV) or git:REV:RUN (that run there: git:main:fpn_sweep/@latest).

    Without --fail-on no count may rise and latency may by 3 %. Exits 3 where one is worse, 4 where one cannot be told,
    has vanished, or nothing is in both; 2 where times of different environments would be compared.
    """
    from archbench.reporting.compare import compare as compare_runs
    from archbench.reporting.gate import parse_limits

    limits = () if fail_on is None else parse_limits(fail_on)
    found = compare_runs(base, new, results=results, limits=limits, across=across)
    if junit:
        from archbench.reporting.junit import write as write_junit

        write_junit(found, Path(junit))
    form = "json" if as_json else form
    show_comparison(found, _for_github(found, form) if github else form)
    return {"regressed": GATE, "inconclusive": UNTOLD}.get(found.word, DONE)


@archbench.command("list")
@click.argument("what", type=click.Choice(["parts", "presets", "runs", "devices"]), default="presets")
@results_option
@json_option
def list_(what: str, results: str, as_json: bool) -> int:
    """What there is: parts with their knobs, presets with their cost, stored runs, devices."""
    from archbench.reporting import listings

    if what == "runs":
        found = listings.runs(Path(results))
    elif what == "devices":
        from archbench.measure.environment import devices

        found = devices()
    else:
        found = listings.parts() if what == "parts" else listings.presets()
    if as_json:
        click.echo(json.dumps({what: found}))
    else:
        listings.show(what, found, console())
    return DONE


@archbench.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@results_option
@click.option("--figures", metavar="DIR", help="Draw the charts into DIR too, each as SVG and PNG.")
@click.option("--format", "form", type=click.Choice(REPORT_FORMATS), default="terminal", help="How to print it.")
@json_option
def report(runs: tuple[str, ...], results: str, figures: str | None, form: str, as_json: bool) -> int:
    """The table of a stored RUN again (a folder, SPEC/@latest, or an id); its files are rebuilt.

    Several RUNs are one table, with a column for each device. --format parquet and html write a file to stdout.
    """
    from archbench.reporting.runs import read_run

    stored = [read_run(run, results) for run in runs]
    for each in stored:
        each.write()
    if figures is not None:
        from archbench.reporting.figures import draw

        drawn = draw(review_of(stored).charts, Path(figures))
        click.echo(f"{len(drawn)} files in {figures}", err=True)
    show_report(stored, "json" if as_json else form)
    return max(map(run_code, stored), key=SEVERITY.index)


@archbench.group()
def export() -> None:
    """Stored runs for the tools people have already: asv, pytest-benchmark."""


@export.command("asv")
@click.argument("runs", nargs=-1, required=True)
@results_option
@click.option(
    "--output", default=".asv/results", show_default=True, metavar="DIR", help="asv's results tree, added to."
)
def export_asv(runs: tuple[str, ...], results: str, output: str) -> int:
    """RUNS into a results tree that `asv publish`, `asv compare` and `asv show` read, each under its commit."""
    from archbench.reporting.asv_export import export as export_tree
    from archbench.reporting.sides import open_side

    written = export_tree([open_side(run, Path(results)) for run in runs], Path(output))
    click.echo(f"wrote {len(written)} files below {output}; next: asv publish")
    return DONE


@export.command("pytest-benchmark")
@click.argument("run")
@results_option
@click.option("--output", default="benchmark.json", show_default=True, metavar="FILE", help="Where to write it.")
def export_pytest_benchmark(run: str, results: str, output: str) -> int:
    """RUN as a JSON file that `pytest-benchmark compare` reads: a benchmark a variant, a round a call."""
    from archbench.reporting.pytest_benchmark_export import write
    from archbench.reporting.sides import open_side

    write(open_side(run, Path(results)), Path(output))
    click.echo(f"wrote {output}; next: pytest-benchmark compare {output}")
    return DONE


@archbench.command()
@click.option("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda or cuda:N.")
@click.option(
    "--output", default="archbench-doctor.json", show_default=True, metavar="FILE", help="Where to keep it, to attach."
)
@click.option("--quick", is_flag=True, help="Two generations: a first look.")
@json_option
def doctor(device: str, output: str, quick: bool, as_json: bool) -> int:
    """What this machine can measure, and how well: self-checks, an A/A null, its state, what would make it better."""
    from archbench.measure.doctor import examine, plan
    from archbench.reporting import diagnosis
    from archbench.reporting.doctor import show as show_diagnosis
    from archbench.reporting.progress import Progress

    diagnosis.check_writable(Path(output))
    with Progress(quiet=False, announce_on=sys.stderr) as progress:
        found = examine(plan(device, quick=quick), progress.say)
    if as_json:
        click.echo(diagnosis.render(found), nl=False)
    else:
        show_diagnosis(found, console())
    diagnosis.write(found, Path(output))
    click.echo(f"written to {output}; attach it where you ask for help", err=True)
    if found.reason:
        raise CannotMeasure(f"nothing can be measured on {found.device}: {found.reason}")
    return DONE


@archbench.command()
@click.argument("path", default="spec.yaml")
def init(path: str) -> int:
    """Write a first spec to PATH, to edit."""
    from archbench.design.first_spec import FIRST_SPEC

    try:
        with Path(path).open("x", encoding="utf-8") as file:
            file.write(FIRST_SPEC)
    except FileExistsError:
        raise SpecError("it is there already; give another path, `archbench init my_sweep.yaml`", path) from None
    except OSError as error:
        raise SpecError(f"cannot be written ({error.strerror}); give a path that can", path) from None
    click.echo(f"wrote {path}; next: archbench price {path}")
    return DONE


@archbench.command()
def schema() -> int:
    """The JSON Schema of a spec, for editors."""
    from archbench.design.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
    return DONE


def load(spec: str, sets: Sequence[str]) -> Spec:
    """The spec in a file, or a preset by its name."""
    from archbench.design.spec import preset_spec, read_spec
    from archbench.models.presets import PRESETS

    return preset_spec(spec, sets) if spec in PRESETS else read_spec(spec, sets)


def _networks(spec: str, names: Sequence[str], sets: Sequence[str]) -> list[Any]:
    """The one or two networks that `show` is asked for: a spec's variants by name, presets, other specs' references."""
    from archbench.design.space import expand

    if len(names) > 2:
        raise click.UsageError("show takes a spec or preset and up to two names")
    space = expand(load(spec, sets))
    known = {text for variant in space.variants for text in (variant.name, variant.id)}
    found = [
        expand(load(name, sets)).reference if name not in known and _is_spec(name) else _named(space.variants, name)
        for name in names
    ]
    alone = len(found) == 1 and names[0] not in known
    return [space.reference, *found] if not found or alone else found


def _is_spec(text: str) -> bool:
    from archbench.models.presets import PRESETS

    return text in PRESETS or text.endswith((".yaml", ".yml"))


def _named(variants: Sequence[Any], name: str) -> Any:
    """The variant of that name or id; SpecError with the nearest."""
    from archbench.registry import nearest

    for variant in variants:
        if name in (variant.name, variant.id):
            return variant
    known = [variant.name for variant in variants]
    raise SpecError(
        f"there is no variant {name!r}; there are {', '.join(known[:12])}{' ...' if len(known) > 12 else ''}."
        + nearest(name, known)
    )


def console() -> Any:
    """A terminal as wide as it says, plain where it is none; NO_COLOR is honoured by rich."""
    from rich.console import Console

    found = Console(highlight=False)
    found.on_broken_pipe = _raise  # of its own it would end the process, with the code of failed variants
    return found


def show_table(table: Table, form: str, **extra: Any) -> None:
    """Print a table in the format asked for; `extra` goes into the JSON object beside its variants."""
    if form == "terminal":
        from archbench.reporting import terminal

        terminal.show(table, console())
    else:
        from archbench.reporting.formats import RENDERERS

        if form == "parquet" and sys.stdout.isatty():
            raise SpecError("--format parquet writes bytes; send them to a file, `> table.parquet`")
        click.echo(RENDERERS[form](table, **extra), nl=False)


def show_report(runs: Sequence[Run], form: str) -> None:
    """Print one run's table, or that of several; html is the whole page."""
    if form == "html":
        from archbench.reporting.page import render

        click.echo(render(review_of(runs)), nl=False)
    elif len(runs) == 1:
        show_run(runs[0], form, records=runs[0].records_json)
    else:
        from archbench.reporting.together import together

        show_table(together(runs), form, runs=[str(run.folder.path) for run in runs])


def review_of(runs: Sequence[Run]) -> Review:
    """What the page of one run shows, or that of several."""
    from archbench.reporting.together import review_together

    return runs[0].review if len(runs) == 1 else review_together(runs)


def show_run(run: Run, form: str, **extra: Any) -> None:
    """Print a run's table, in a comparison its verdicts, what is over budget; in JSON all are in one object."""
    if form == "parquet":  # one file, one table
        show_table(run.view, form)
        return
    verdicts, budgets = run.verdict_view, run.budget_view
    if form == "json":
        beside = {"verdicts": verdicts, "budgets": budgets}
        extra |= {name: list(table.rows) for name, table in beside.items() if table}
        show_table(run.view, form, run=str(run.folder.path), **extra)
        return
    show_table(run.view, form)
    if verdicts:
        show_table(verdicts, form)
    if budgets:
        show_budgets(budgets, form)


def show_budgets(table: Table, form: str) -> None:
    """Print what is over budget, or that nothing is; beside a table for programs only that, on stderr."""
    for_people = form in ("terminal", "markdown")
    if table.rows and for_people:
        show_table(table, form)
    else:
        click.echo(table.caption[0], err=not for_people)


def show_comparison(found: Comparison, form: str) -> None:
    """Print the verdicts; in JSON they stand beside the rows of the new run's table."""
    if form != "json":
        show_table(found.view, form)
        return
    sides = {"base": str(found.base.folder.path), "new": str(found.new.folder.path)}
    verdicts = found.view
    show_table(
        found.new.view, form, **sides, verdict=found.word, verdicts=list(verdicts.rows), said=list(verdicts.caption)
    )


def _for_github(found: Comparison, form: str) -> str:
    """Say it the runner's way, and in what format the rest may be printed: no line begins with a network's name."""
    from archbench.reporting import github

    if form not in ("terminal", "markdown", "json"):
        raise click.UsageError(f"--github prints markdown or JSON, not {form}")
    for line in github.commands(found):
        click.echo(line, err=form == "json")
    if not github.summarise(found):
        click.echo("GITHUB_STEP_SUMMARY is not set: no summary is written", err=True)
    return "markdown" if form == "terminal" else form


def run_code(run: Run) -> int:
    """How a run went: a regression or a budget exceeded before what could not be told, that before a variant that failed."""
    words = {verdict.word for verdict in run.verdicts.values()}
    budgets = {excess.word for excess in run.excesses}
    if "regressed" in words or "over" in budgets:
        return GATE
    if "inconclusive" in words or (run.compares and not words) or "untold" in budgets:
        return UNTOLD
    return DONE if run.complete else FAILED


def main() -> NoReturn:
    """Run the command line and exit with the code that says how it went."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, _interrupt)
    _open_streams()
    sys.exit(guarded(sys.argv[1:], _program()))


def guarded(arguments: Sequence[str], program: Sequence[str] = ("archbench",)) -> int:
    """One command with every way it can end as an exit code and, where it went wrong, one line on stderr.

    `program` is how a shell calls us, for the line that says how to go on.
    """
    try:
        return int(archbench.main(list(arguments), prog_name="archbench", standalone_mode=False) or DONE)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show()
        return WRONG
    except ArchbenchError as error:
        click.echo(f"archbench: {error}" if not getattr(error, "place", "") else str(error), err=True)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _announce(_way_on(arguments, program))
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return DONE
    except Exception as error:  # noqa: BLE001  (the last door: a bug of ours)
        click.echo(f"archbench: a bug of ours ({type(error).__name__}); its traceback is in {_log()}", err=True)
        return BUG


def _raise() -> NoReturn:
    raise


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _announce(text: str) -> None:
    """One line on stderr, past Python's buffers: a signal may have come in the middle of another line."""
    with contextlib.suppress(OSError):  # the terminal may be what is gone
        os.write(2, f"archbench: {text}\n".encode(errors="backslashreplace"))


def _way_on(arguments: Sequence[str], program: Sequence[str]) -> str:
    """What an interrupted command says: `run` goes on where it stopped, if it is not told to begin another."""
    if list(arguments[:1]) != ["run"]:
        return "interrupted"
    again = shlex.join([*program, *(argument for argument in arguments if argument != "--new")])
    return f"interrupted; what was finished is kept, go on with: {again}"


def _program() -> list[str]:
    """How this process was called: the module, the command on the PATH, or the command by its place."""
    if Path(sys.argv[0]).name == "__main__.py":
        return [sys.executable, "-m", "archbench"]
    return [Path(sys.argv[0]).name if shutil.which(Path(sys.argv[0]).name) == sys.argv[0] else sys.argv[0]]


def _open_streams() -> None:
    """Streams a caller closed lead nowhere: else the next file or socket opened would be taken for one of them."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w" if number else "r"))  # noqa: SIM115  (for as long as we live)


def _silence_stdout() -> None:
    """Nobody reads it any more; closing it at the end must not say so again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _read_by_nobody_too() -> Iterator[None]:
    """What is printed here may find its pipe closed, and the command still ends as it did."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()


def _log() -> str:
    """Write the traceback of the exception being handled to a file, and name it."""
    with tempfile.NamedTemporaryFile("w", prefix="archbench-", suffix=".log", delete=False) as file:
        file.write(traceback.format_exc())
        return file.name
