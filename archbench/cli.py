"""The door: each command reads its input, calls one function, prints what came back.

Only this file imports inside functions, so that `--help` costs nothing and pricing never waits for torch or pandas.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from archbench import __version__, exits
from archbench.errors import CannotMeasure, SpecError

if TYPE_CHECKING:
    from archbench.comparison.gate import Limit
    from archbench.design.spec.axes import Axis
    from archbench.design.spec.schema import Sample
    from archbench.design.spec.spec import Spec
    from archbench.space.price_space import SpaceQuery

FORMATS = ("terminal", "markdown", "csv", "json", "latex")
REPORT_FORMATS = (*FORMATS, "parquet", "html")

sets_option = click.option(
    "--set", "sets", multiple=True, metavar="PATH=VALUE", help="Override a key: neck.channels=128."
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, all else on stderr.")
quiet_option = click.option("--quiet", is_flag=True, help="No progress.")
format_option = click.option(
    "--format", "form", type=click.Choice(FORMATS), default="terminal", help="How to print it."
)
results_option = click.option(
    "-o", "--results", default="results", show_default=True, metavar="DIR", help="Where runs are."
)
fail_on_option = click.option(
    "--fail-on", metavar="LIMITS", help='What may not get worse, by how much: "latency_ms > 3%, params > 0".'
)


def _refuse_empty(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A path that is given names something."""
    if value == "":
        raise click.BadParameter("is empty; name a file or folder")
    return value


junit_option = click.option(
    "--junit",
    metavar="FILE",
    callback=_refuse_empty,
    help="Write the verdicts as JUnit XML too: a test case a network.",
)
github_option = click.option(
    "--github", is_flag=True, help="Annotations and the step's summary of GitHub Actions; tables in markdown."
)


class Commands(click.Group):
    """Commands in the order people meet them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="archbench")
def archbench() -> None:
    """Choose a detector's backbone and FPN by what they cost: exact counts, measured latencies, one table."""


@archbench.command("run")
@click.argument("spec")
@results_option
@sets_option
@click.option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:N, or none: price and store, measure nothing.")
@click.option("--timeout", metavar="S", help="Seconds a variant may take for one step.")
@click.option("--quick", is_flag=True, help="One generation, so no interval: a first look.")
@click.option(
    "--against", metavar="BASE", help="A second spec (or preset), measured in the same experiment, pair by pair."
)
@fail_on_option
@junit_option
@github_option
@click.option("--new", is_flag=True, help="Begin a new run even where a stored one could go on.")
@click.option(
    "--plugin", "plugins", multiple=True, metavar="PACKAGE_OR_FILE", help="Let `module:` import this code of yours."
)
@format_option
@quiet_option
@json_option
def run_command(
    *,
    spec: str,
    results: str,
    sets: tuple[str, ...],
    device: str | None,
    timeout: str | None,
    quick: bool,
    against: str | None,
    fail_on: str | None,
    junit: str | None,
    github: bool,
    new: bool,
    plugins: tuple[str, ...],
    form: str,
    quiet: bool,
    as_json: bool,
) -> int:
    """Price all variants of SPEC, measure them, store, print the table, write the report.

    With --against BASE the exit code is the gate's: 3 where a variant is worse than its base by more than --fail-on allows
    (without it: slower by 3 %), 4 where one cannot be told or only the base has it; other limits judge what is measured.
    The spec's budgets are a gate likewise. --format csv is the table alone: verdicts and budgets are in markdown and JSON.
    """
    from archbench.design.lookup import load_specs
    from archbench.measure.experiment.recorder import RunListener
    from archbench.measure.supervisor.interruption import StopRequest
    from archbench.pipeline import run_spec
    from archbench.reporting.terminal.progress import ProgressPrinter

    form = _output_format(form, as_json=as_json, github=github)
    given = {"device": device, "timeout": timeout, "generations": "1" if quick else None}
    asked, base = load_specs(spec, against, sets, {f"measure.{key}": value for key, value in given.items()})
    limits = _parse_gate_limits(asked, base, fail_on, junit=junit, github=github)
    announce_on = sys.stderr if as_json else sys.stdout
    with StopRequest(exits.announce) as stop, ProgressPrinter(quiet=quiet, announce_on=announce_on) as progress:
        heard = RunListener(progress.report_step, progress.say, progress.announce_record)
        stored = run_spec(
            asked, results, against=base, limits=limits, plugins=plugins, new=new, listener=heard, stop=stop
        )
    from archbench.comparison.of_run import judge_run  # what shows a run is loaded once nothing is timed any more
    from archbench.reporting.print import print_outcome

    judged = judge_run(stored)
    with exits.tolerate_closed_pipe():
        print_outcome(judged, form, junit=junit, on_github=github)
    return exits.code_of(judged.outcome)


def _parse_gate_limits(
    spec: Spec, against: Spec | None, fail_on: str | None, *, junit: str | None, github: bool
) -> tuple[Limit, ...]:
    """The limits that hold new networks to their bases.

    Raises SpecError where an option asks for a verdict and there is no base, CannotMeasure where
    the JUnit file cannot be written.
    """
    from archbench.comparison.gate import parse_limits
    from archbench.runs.store import check_writable

    told = {"--fail-on": fail_on is not None, "--junit": junit is not None, "--github": github}
    asked = [name for name, given in told.items() if given and not (spec.budgets and name != "--fail-on")]
    if against is None and asked:
        raise SpecError(
            f"{asked[0]} tells of networks against their base; add --against BASE, or hold a run alone to "
            "`budgets: {latency_ms: 30}` in its spec"
        )
    if junit is not None:
        check_writable("--junit", Path(junit))
    return () if fail_on is None else parse_limits(fail_on)


@archbench.command("price")
@click.argument("spec")
@sets_option
@click.option("--where", metavar="EXPR", help="Only variants for which this holds: 'gmacs < 60 and params < 40e6'.")
@click.option("--by", metavar="EXPR", help="Show those with the least of this: macs, or -macs for the most.")
@click.option("--top", type=click.IntRange(1, 10_000), metavar="N", help="Show so many: by --by, else of the front.")
@click.option(
    "--parquet",
    "-o",
    metavar="FILE",
    callback=_refuse_empty,
    help="Write every variant to this Parquet file, whatever is shown.",
)
@format_option
@quiet_option
@json_option
def price_command(
    *,
    spec: str,
    sets: tuple[str, ...],
    where: str | None,
    by: str | None,
    top: int | None,
    parquet: str | None,
    form: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """The exact cost of every variant of SPEC (or a preset), nothing measured, without torch.

    Of a large space, one that is drawn or one that selects, what is shown is the Pareto front, or what --by and --top ask for.
    """
    from archbench.design.lookup import load_spec
    from archbench.design.variants import is_many
    from archbench.reporting.formats.text_formats import print_in_format
    from archbench.tables.prices import tabulate_prices

    read, form = load_spec(spec, sets), "json" if as_json else form
    if not is_many(read) and all(given is None for given in (where, by, top, parquet)):
        print_in_format(tabulate_prices(read), form)
        return
    from archbench.space.price_space import SpaceQuery  # numpy, which a few variants do not wait for

    _price_many(read, SpaceQuery.parse(where, by, top), parquet, form, quiet=quiet)


def _price_many(spec: Spec, asked: SpaceQuery, parquet: str | None, form: str, *, quiet: bool) -> None:
    """Price by columns; show the few asked for, and write all to a file where one is named."""
    from archbench.reporting.formats.text_formats import print_in_format
    from archbench.reporting.terminal.progress import ProgressPrinter
    from archbench.space.price_space import price_shown
    from archbench.tables.space import tabulate_space

    pricing = price_shown
    if parquet is not None:
        from archbench.reporting.formats.space_parquet import write_space  # DuckDB, which nothing else waits for

        pricing = partial(write_space, Path(parquet))
    with ProgressPrinter(quiet=quiet, announce_on=sys.stderr) as progress:
        view, funnel = tabulate_space(spec, asked, pricing, lambda count: progress.say(f"{count:,} priced"))
    extra = {"space": funnel.as_json()} if form == "json" else {}
    print_in_format(view, form, **extra)
    if parquet is not None:
        click.echo(f"every variant is in {parquet}", err=True)


@archbench.command("check")
@click.argument("spec")
@sets_option
@json_option
def check_command(spec: str, sets: tuple[str, ...], as_json: bool) -> None:
    """Validate SPEC and count its variants: raw, excluded, duplicate, refused by each constraint, on the front."""
    from archbench.design.lookup import load_spec
    from archbench.runs.scores import spec_scores
    from archbench.space.price_space import count_funnel
    from archbench.tables.captions import counted_lines

    read = load_spec(spec, sets)
    funnel = count_funnel(read, spec_scores(read))
    counts = funnel.as_json() | {"variants": funnel.variants}
    click.echo(json.dumps(counts) if as_json else "\n".join(counted_lines(read.name, counts)))


@archbench.command("show")
@click.argument("spec")
@click.argument("names", nargs=-1, metavar="[NAME | A B | OTHER]")
@sets_option
@json_option
def show_command(spec: str, names: tuple[str, ...], sets: tuple[str, ...], as_json: bool) -> None:
    """One network of SPEC (or a preset), layer by layer, with shares by stage and by FPN level; of two, where they differ.

    `show R-50-FPN` and `show SPEC NAME` show one network; `show R-50-FPN R-101-FPN` and `show SPEC A B` show what sets the
    second apart from the first, layer by layer, and what each difference costs.
    """
    if len(names) > 2:
        raise click.UsageError("show takes a spec or preset and up to two names")
    from archbench.design.lookup import find_networks
    from archbench.reporting.formats.terminal import open_console
    from archbench.reporting.terminal.differences import differences_json, print_differences
    from archbench.reporting.terminal.layers import layers_json, print_layers

    found = find_networks(spec, names, sets, _sample_positions)
    if len(found) == 1:
        (network,) = found
        click.echo(json.dumps(layers_json(network))) if as_json else print_layers(network, open_console())
    else:
        base, new = found
        click.echo(json.dumps(differences_json(base, new))) if as_json else print_differences(base, new, open_console())


def _sample_positions(axes: Sequence[Axis], sample: Sample) -> list[list[int]]:
    """Draws of a spec that samples: numpy and scipy, which another spec does not wait for."""
    from archbench.space.samplers import sample_lists

    return sample_lists(axes, sample)


@archbench.command("compare")
@click.argument("base")
@click.argument("new")
@results_option
@fail_on_option
@click.option("--across", is_flag=True, help="Compare times of different environments all the same.")
@junit_option
@github_option
@format_option
@json_option
def compare_command(
    *,
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
    has vanished, or nothing is in both; 2 where times of different environments would be compared. Tables are of the
    verdicts, the worst first; JSON has the rows of NEW beside them.
    """
    from archbench.comparison.cases import judgement_suite
    from archbench.comparison.gate import parse_limits
    from archbench.comparison.stored import compare as compare_runs
    from archbench.reporting.ci import report_to_ci
    from archbench.reporting.print import print_comparison

    form = _output_format(form, as_json=as_json, github=github)
    limits = () if fail_on is None else parse_limits(fail_on)
    found = compare_runs(base, new, results=results, limits=limits, across=across)
    report_to_ci([judgement_suite(found.judgement)], junit=junit, on_github=github, aside=form == "json")
    print_comparison(found, form, whole=github)
    return exits.code_of(found.word)


@archbench.command("list")
@click.argument("what", type=click.Choice(["parts", "presets", "runs", "devices"]), default="presets")
@results_option
@json_option
def list_command(what: str, results: str, as_json: bool) -> None:
    """List parts with their knobs, presets with their cost, stored runs, devices."""
    from archbench.reporting.formats import terminal
    from archbench.reporting.terminal import listings

    if what == "runs":
        found = listings.list_runs(Path(results))
    elif what == "devices":
        from archbench.measure.machine.environment import list_devices

        found = list_devices()
    else:
        found = listings.list_parts() if what == "parts" else listings.list_presets()
    if as_json:
        click.echo(json.dumps({what: found}))
    else:
        listings.print_listing(what, found, terminal.open_console())
    if what == "runs":
        listings.check_runs(found)


@archbench.command("report")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@results_option
@click.option(
    "--figures", metavar="DIR", callback=_refuse_empty, help="Draw the charts into DIR too, each as SVG and PNG."
)
@click.option("--format", "form", type=click.Choice(REPORT_FORMATS), default="terminal", help="How to print it.")
@json_option
def report_command(runs: tuple[str, ...], results: str, figures: str | None, form: str, as_json: bool) -> int:
    """The table of a stored RUN again (a folder, SPEC/@latest, or an id); its files are rebuilt.

    Several RUNs are one table, with a column for each device. --format parquet and html write a file to stdout; csv is
    the table alone, verdicts and budgets are in markdown and JSON. The exit code is what the run's was: 1 where a variant
    failed, 3 or 4 as its gate or its budgets say.
    """
    from archbench.comparison.of_run import judge_run, worst_outcome
    from archbench.reporting.page.several_runs import review_together
    from archbench.reporting.report import write_report
    from archbench.runs.run import read_stored_runs

    judged = [judge_run(stored) for stored in read_stored_runs(runs, results)]
    reviews = [write_report(run) for run in judged]
    page = reviews[0] if len(reviews) == 1 else review_together(judged)
    if figures is not None:
        from archbench.reporting.page.drawing import write_figures

        drawn = write_figures({chart.name: chart.spec for chart in page.charts}, Path(figures))
        click.echo(f"{len(drawn)} files in {figures}", err=True)
    if form == "parquet" and not as_json:
        from archbench.reporting.formats.parquet import print_parquet  # DuckDB, which nothing else waits for
        from archbench.reporting.side_by_side import table_of

        print_parquet(table_of(judged))
    elif form == "html" and not as_json:
        from archbench.reporting.page.html import render_html

        click.echo(render_html(page), nl=False)
    else:
        from archbench.reporting.print import print_runs

        print_runs(judged, "json" if as_json else form)
    return exits.code_of(worst_outcome(judged))


@archbench.group("export")
def export_commands() -> None:
    """Stored runs for the tools people have already: asv, pytest-benchmark."""


@export_commands.command("asv")
@click.argument("runs", nargs=-1, required=True)
@results_option
@click.option(
    "--output", default=".asv/results", show_default=True, metavar="DIR", help="asv's results tree, added to."
)
def export_asv_command(runs: tuple[str, ...], results: str, output: str) -> None:
    """RUNS into a results tree that `asv publish`, `asv compare` and `asv show` read, each under its commit.

    `asv run` lists its own benches alone in its tree: after one, export again.
    """
    from archbench.reporting.exports.asv import write_asv_tree as export_tree
    from archbench.runs.revisions import open_side

    written = export_tree([open_side(run, Path(results)) for run in runs], Path(output))
    click.echo(f"wrote {len(written)} files below {output}; next: asv publish (after an `asv run`, export again)")


@export_commands.command("pytest-benchmark")
@click.argument("run")
@results_option
@click.option("--output", default="benchmark.json", show_default=True, metavar="FILE", help="Where to write it.")
def export_pytest_benchmark_command(run: str, results: str, output: str) -> None:
    """RUN as a JSON file that `pytest-benchmark compare` reads: a benchmark a variant, a round a call."""
    from archbench.reporting.exports.pytest_benchmark import write_pytest_benchmark
    from archbench.runs.revisions import open_side

    write_pytest_benchmark(open_side(run, Path(results)), Path(output))
    click.echo(f"wrote {output}; next: pytest-benchmark compare {output}")


@archbench.command("doctor")
@click.option("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda or cuda:N.")
@click.option(
    "--output", default="archbench-doctor.json", show_default=True, metavar="FILE", help="Where to keep it, to attach."
)
@click.option("--quick", is_flag=True, help="Two generations: a first look.")
@json_option
def doctor_command(device: str, output: str, quick: bool, as_json: bool) -> None:
    """Examine what this machine can measure, and how well: self-checks, an A/A null, its state, what would make it better."""
    from archbench.doctor import diagnosis
    from archbench.doctor.diagnosis import print_diagnosis as show_diagnosis
    from archbench.doctor.examine import examine, plan_diagnosis
    from archbench.reporting.formats.terminal import open_console
    from archbench.reporting.terminal.progress import ProgressPrinter
    from archbench.runs.store import check_writable

    check_writable("--output", Path(output))
    with ProgressPrinter(quiet=False, announce_on=sys.stderr) as progress:
        found = examine(plan_diagnosis(device, quick=quick), progress.say)
    if as_json:
        click.echo(diagnosis.render_diagnosis(found), nl=False)
    else:
        show_diagnosis(found, open_console())
    diagnosis.write_diagnosis(found, Path(output))
    click.echo(f"written to {output}; attach it where you ask for help", err=True)
    if found.reason:
        raise CannotMeasure(f"nothing can be measured on {found.device}: {found.reason}")


@archbench.command("init")
@click.argument("path", default="spec.yaml")
def init_command(path: str) -> None:
    """Write a first spec to PATH, to edit."""
    from archbench.design.lookup import write_first_spec

    write_first_spec(path)
    click.echo(f"wrote {path}; next: archbench price {path}")


@archbench.command("schema")
def schema_command() -> None:
    """The JSON Schema of a spec, for editors."""
    from archbench.design.spec.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


def _output_format(form: str, *, as_json: bool, github: bool) -> str:
    """The format to print in. What GitHub reads may hold no line that begins with a network's name: markdown, or JSON."""
    if as_json or not github:
        return "json" if as_json else form
    if form not in ("terminal", "markdown"):
        raise click.UsageError(f"--github prints markdown or JSON, not {form}")
    return "markdown"


def main() -> NoReturn:
    """Run the command line and exit with the code that says how it went."""
    exits.exit_with_code(archbench)


def exit_code_of(arguments: Sequence[str]) -> int:
    """The exit code of one command, and where it went wrong one line on stderr."""
    return exits.run_guarding_errors(archbench, arguments)
