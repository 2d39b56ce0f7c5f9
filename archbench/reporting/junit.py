"""A comparison as JUnit XML: one test case a network; a regression is a failure, what cannot be told an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from archbench.design.document import visible
from archbench.errors import CannotMeasure
from archbench.reporting.comparison import Judgement
from archbench.reporting.gate import Judged

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ALL = "the comparison"  # what stands for it where no network is in both


def write(judgement: Judgement, path: Path) -> None:
    """The XML into a file. Raises CannotMeasure where it cannot be written."""
    try:
        path.write_text(render(judgement), encoding="utf-8")
    except OSError as error:
        raise CannotMeasure(f"{visible(str(path), 200)}: cannot be written ({error.strerror})") from error


def render(judgement: Judgement) -> str:
    """The XML, indented. A network only in the new run is skipped: there is nothing to hold it against."""
    name = _clean(judgement.name)
    cases = list(_cases(judgement, name))
    counts = {kind: str(sum(case.find(tag) is not None for case in cases)) for kind, tag in KINDS.items()}
    suite = ET.Element("testsuite", {"name": name, "tests": str(len(cases)), **counts})
    suite.extend(cases)
    root = ET.Element("testsuites", {"name": judgement.command, "tests": str(len(cases)), **counts})
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


KINDS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def _cases(judgement: Judgement, suite: str) -> Iterator[ET.Element]:
    for judged in judgement.judged:
        case = _case(suite, judged.name)
        _add_findings(case, judged)
        yield case
    for record in judgement.removed:
        case = _case(suite, record.name)
        _add(case, "error", "only in the base: it cannot be told")
        yield case
    for record in judgement.added:
        case = _case(suite, record.name)
        _add(case, "skipped", "only in the new run")
        yield case
    if not judgement.judged:
        case = _case(suite, ALL)
        _add(case, "error", "no network is in both runs")
        yield case


def _case(suite: str, name: str) -> ET.Element:
    return ET.Element("testcase", {"classname": suite, "name": _clean(name), "time": "0"})


def _add_findings(case: ET.Element, judged: Judged) -> None:
    if judged.word == "regressed":
        _add(case, "failure", *(finding.said() for finding in judged.of("regressed")))
    elif judged.word == "inconclusive":
        _add(case, "error", *([finding.said() for finding in judged.of("inconclusive")] or ["nothing to judge it by"]))


def _add(case: ET.Element, tag: str, *said: str) -> None:
    child = ET.SubElement(case, tag, {"message": _clean(said[0])})
    child.text = _clean("\n".join(said))


def _clean(text: str) -> str:
    """What XML 1.0 has no character for, as its escape."""
    return NOT_XML.sub(lambda found: ascii(found[0])[1:-1], text)
