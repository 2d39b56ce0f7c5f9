"""Judged networks for CI: JUnit XML for any, annotations and a step's summary for GitHub Actions.

In JUnit there is one test case a network: one that fails is a failure, one that cannot be told an error. A line of stdout that
begins with `::` is a command to GitHub's runner: untrusted text stands only inside a command of ours, with nothing in it that
ends a line or separates properties.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import click

from archbench.comparison.cases import Case, Ends, Suite
from archbench.errors import refuse_unwritable
from archbench.reporting.formats.markdown import render_markdown
from archbench.text import visible

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
TAGS: dict[Ends, str] = {"fails": "failure", "untold": "error", "skipped": "skipped"}
COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped"}
MOST = 10  # of a kind that GitHub shows for a step
LONGEST = 2000
LONGEST_SUMMARY = 1_000_000  # bytes; GitHub refuses a summary over 1 MiB
LEVELS: dict[Ends, str] = {"fails": "error", "untold": "warning"}


def report_to_ci(suites: Sequence[Suite], *, junit: str | None, on_github: bool, aside: bool) -> None:
    """Write a file of JUnit XML where one is asked for, print GitHub's annotations, `aside` on stderr, and add to its summary."""
    if junit:
        write_junit(suites, Path(junit))
    if not on_github:
        return
    for line in format_annotations(suites):
        click.echo(line, err=aside)
    if not write_step_summary(suites):
        click.echo("GITHUB_STEP_SUMMARY is not set: no summary is written", err=True)


def write_junit(suites: Sequence[Suite], path: Path) -> None:
    """Write the cases into a file of JUnit XML. Raises CannotMeasure where it cannot be written."""
    with refuse_unwritable(visible(str(path), 200)):
        path.write_text(render_junit(suites), encoding="utf-8")


def render_junit(suites: Sequence[Suite]) -> str:
    """The cases as JUnit XML, indented. A network only on the new side is skipped: there is nothing to hold it against."""
    children = [_suite_element(each) for each in suites]
    root = ET.Element("testsuites", {"name": suites[0].command, **_count_cases(children)})
    root.extend(children)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite_element(suite: Suite) -> ET.Element:
    name = _escape_xml(suite.name)
    cases = [_case_element(name, case) for case in suite.cases]
    element = ET.Element("testsuite", {"name": name, **_count_cases(cases)})
    element.extend(cases)
    return element


def _case_element(suite: str, case: Case) -> ET.Element:
    element = ET.Element("testcase", {"classname": suite, "name": _escape_xml(case.name), "time": "0"})
    if tag := TAGS.get(case.ends):
        child = ET.SubElement(element, tag, {"message": _escape_xml(case.faults[0])})
        child.text = _escape_xml("\n".join(case.faults))
    return element


def _escape_xml(text: str) -> str:
    """The text with the escape of everything that XML 1.0 has no character for."""
    return NOT_XML.sub(lambda found: ascii(found[0])[1:-1], text)


def _count_cases(elements: Sequence[ET.Element]) -> dict[str, str]:
    """The number of cases in all the elements together, and of each kind."""
    every = [case for element in elements for case in element.iter("testcase")]
    return {"tests": str(len(every))} | {
        kind: str(sum(case.find(tag) is not None for case in every)) for kind, tag in COUNTED.items()
    }


def format_annotations(suites: Sequence[Suite]) -> list[str]:
    """The annotations: one of each network that keeps the gate from passing, then one about all. The output names the rest."""
    lines = []
    for ends, level in LEVELS.items():
        own = [case for suite in suites for case in suite.cases if case.ends == ends]
        shown = own if len(own) <= MOST else own[: MOST - 1]
        lines += [_format_command(level, case.word, f"{case.name}: {'; '.join(case.faults)}") for case in shown]
        if len(shown) < len(own):
            lines.append(
                _format_command(level, "archbench", f"and {len(own) - len(shown):,} more; the output names each")
            )
    return [*lines, *(_format_command("notice", suite.command, suite.summary) for suite in suites)]


def _format_command(level: str, title: str, message: str) -> str:
    return (
        f"::{level} title={_escape_command(title).replace(':', '%3A').replace(',', '%2C')}::{_escape_command(message)}"
    )


def _escape_command(text: str) -> str:
    """A text without an end of line and without `##[`, which began a command once, anywhere in a line."""
    return visible(text, LONGEST).replace("%", "%25").replace("##[", "# #[")


def write_step_summary(suites: Sequence[Suite], environment: Mapping[str, str] = os.environ) -> bool:
    """Add the tables to the step's summary; False where the runner gave no file for one. Raises CannotMeasure."""
    path = environment.get("GITHUB_STEP_SUMMARY")
    if not path:
        return False
    text = "\n".join(_render_section(suite, LONGEST_SUMMARY // len(suites)) for suite in suites)
    with refuse_unwritable("GITHUB_STEP_SUMMARY"), Path(path).open("a", encoding="utf-8") as file:
        file.write(text)
    return True


def _render_section(suite: Suite, most: int) -> str:
    """The heading and the table of a suite in `most` bytes, of which a character may take several."""
    limit = most
    while True:
        text = f"## {suite.command}\n\n{render_markdown(suite.view, limit=limit)}\n"
        if len(text.encode()) <= most:
            return text
        limit = limit * 3 // 4
