"""A chart as a picture, without a browser and without a network: Vega-Lite drawn by vl-convert.

On the page charts are SVG, not scripts: they need no JavaScript and no `unsafe-eval`, print as they are, and one drawing
serves light and dark because its colours are the page's variables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import vl_convert

from archbench.reporting.page.palette import NAMES

SVG = "{http://www.w3.org/2000/svg}"
NOISE = ("class", "role", "aria-roledescription", "aria-hidden", "font-family", "stroke-miterlimit", "pointer-events")
PLAIN = {"opacity": "1", "stroke-width": "1", "fill-opacity": "1", "stroke-opacity": "1"}  # what they are anyway
GUIDES = ("axis", "legend")
DIGITS = re.compile(r"(\d+\.\d\d)\d+")
PIXELS = 2  # of a PNG for each unit of the drawing

Spec = Mapping[str, Any]

ElementTree.register_namespace("", SVG[1:-1])


def render_svg(spec: Spec) -> str:
    """The drawing, on paper, as a file of its own."""
    return str(vl_convert.vegalite_to_svg(dict(spec), allowed_base_urls=[]))


def render_png(spec: Spec) -> bytes:
    """The drawing as pixels, for slides."""
    return bytes(vl_convert.vegalite_to_png(dict(spec), scale=PIXELS, allowed_base_urls=[]))


def render_inline(spec: Spec, said: str) -> str:
    """The drawing as an element of a page: colours by name, as wide as it is let, marks that were described with a tooltip.

    `said` is what stands in its place for whoever cannot see it.
    """
    root = ElementTree.fromstring(render_svg(spec))
    width, height = root.attrib.pop("width"), root.attrib.pop("height")
    for element in root.iter():
        _drop_invisible(element)
        _add_tooltip(element)
        _tidy_attributes(element)
    root.attrib |= {"viewBox": f"0 0 {width} {height}", "role": "img", "aria-label": said}
    return ElementTree.tostring(root, encoding="unicode")


def _drop_invisible(parent: ElementTree.Element) -> None:
    """Drop what draws nothing: hidden paths and grounds without a colour."""
    for child in list(parent):
        ground = child.get("class") == "background" and not {"fill", "stroke"}.intersection(child.keys())
        if ground or child.get("display") == "none":
            parent.remove(child)


def _add_tooltip(element: ElementTree.Element) -> None:
    """What Vega tells a screen reader of a mark is shown to whoever points at it, too; axes and legends say it themselves."""
    said = element.attrib.pop("aria-label", None)
    if said and element.get("aria-roledescription") not in GUIDES:
        title = ElementTree.Element(f"{SVG}title")
        title.text = said
        element.insert(0, title)


def _tidy_attributes(element: ElementTree.Element) -> None:
    for name in NOISE:
        element.attrib.pop(name, None)
    for name, value in list(element.attrib.items()):
        if PLAIN.get(name) == value:
            del element.attrib[name]
        elif name in ("fill", "stroke") and value in NAMES:
            element.set(name, f"var(--{NAMES[value]})")
        elif name in ("d", "transform"):
            element.set(name, DIGITS.sub(r"\1", value))
