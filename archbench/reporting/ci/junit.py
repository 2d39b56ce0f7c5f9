"""Cases as JUnit XML: one test case a network; what fails is a failure, what cannot be told an error."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from archbench.comparison.cases import Case, Ends, Suite
from archbench.errors import CannotMeasure
from archbench.text import visible

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
TAGS: dict[Ends, str] = {"fails": "failure", "untold": "error", "skipped": "skipped"}
COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def write_junit(suites: Sequence[Suite], path: Path) -> None:
    """The XML into a file. Raises CannotMeasure where it cannot be written."""
    try:
        path.write_text(render_junit(suites), encoding="utf-8")
    except OSError as error:
        raise CannotMeasure(f"{visible(str(path), 200)}: cannot be written ({error.strerror})") from error


def render_junit(suites: Sequence[Suite]) -> str:
    """The XML, indented. A network only on the new side is skipped: there is nothing to hold it against."""
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


def _count_cases(elements: Sequence[ET.Element]) -> dict[str, str]:
    """How many cases there are in all of them, and of each kind."""
    every = [case for element in elements for case in element.iter("testcase")]
    return {"tests": str(len(every))} | {
        kind: str(sum(case.find(tag) is not None for case in every)) for kind, tag in COUNTED.items()
    }


def _case_element(suite: str, case: Case) -> ET.Element:
    element = ET.Element("testcase", {"classname": suite, "name": _escape_xml(case.name), "time": "0"})
    if tag := TAGS.get(case.ends):
        child = ET.SubElement(element, tag, {"message": _escape_xml(case.faults[0])})
        child.text = _escape_xml("\n".join(case.faults))
    return element


def _escape_xml(text: str) -> str:
    """What XML 1.0 has no character for, as its escape."""
    return NOT_XML.sub(lambda found: ascii(found[0])[1:-1], text)
