"""The colours of charts and page, and a chart as a picture: Vega-Lite drawn by vl-convert, without browser or network.

Each colour is a name, what it is on light paper and what it is on a dark screen. Charts are drawn in the light ones, which is
what a slide or a paper takes. On the page they are SVG, not scripts: they need no JavaScript and no `unsafe-eval`, print as
they are, and one drawing serves light and dark because each colour becomes the variable of its name there. No two names share
a light colour.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import vl_convert

from archbench.errors import refuse_unwritable
from archbench.text import visible

INK = "#1f2328"
MUTED = "#59636e"
GRID = "#e4e7eb"
PAPER = "#ffffff"
STRIPE = "#f6f8fa"
BAND = "#d8f0e2"
# Kinds, told apart with impaired colour vision too (after Okabe and Ito), at least 3:1 on either background.
SERIES = ("#2a6fdb", "#d1571f", "#1a8458", "#a3398f", "#9a7400", "#0c7f90", "#7a5cd0", "#6b7280")
SERIES_DARK = ("#6ea8ff", "#ff9a62", "#4cc38a", "#e07bd0", "#e3b341", "#4fc3d6", "#b39dff", "#9aa4b2")
# Amounts, from little to much.
RAMP = ("#d6e4f8", "#aecbf0", "#82afe7", "#5593dc", "#3375c6", "#1e5a9b", "#133d70")
NECK = ("#f9c9a3", "#f0a066", "#d97a35", "#b25716", "#7f3b0c")
TOP = ("#9bd5b6", "#3f9f6f", "#1f6b46")
REST = ("#a0a8b2", "#7b8490")


def _pair_family(family: str, light: tuple[str, ...], dark: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    return {f"{family}-{place}": pair for place, pair in enumerate(zip(light, dark, strict=True), 1)}


COLORS = {  # each by its name, on light paper and on a dark screen
    "ink": (INK, "#e6edf3"),
    "muted": (MUTED, "#9da7b3"),
    "grid": (GRID, "#2b3138"),
    "paper": (PAPER, "#0d1117"),
    "stripe": (STRIPE, "#151b23"),
    "band": (BAND, "#12352a"),
    **_pair_family("series", SERIES, SERIES_DARK),
    **_pair_family("ramp", RAMP, ("#14304f", "#1b446c", "#245a8c", "#2e6ba6", "#4a90d6", "#79b1ea", "#b5d6f8")),
    **_pair_family("neck", NECK, ("#5a2f10", "#8a4a1a", "#bb6a2b", "#e58d47", "#ffbe8b")),
    **_pair_family("top", TOP, ("#1d5439", "#2f8a5d", "#6fd3a0")),
    **_pair_family("rest", REST, ("#5a636d", "#8a939d")),
}
LIGHT = {name: light for name, (light, _) in COLORS.items()}
DARK = {name: dark for name, (_, dark) in COLORS.items()}
NAMES = {light: name for name, light in LIGHT.items()}

SVG = "{http://www.w3.org/2000/svg}"
NOISE = ("class", "role", "aria-roledescription", "aria-hidden", "font-family", "stroke-miterlimit", "pointer-events")
PLAIN = {"opacity": "1", "stroke-width": "1", "fill-opacity": "1", "stroke-opacity": "1"}  # what they are anyway
GUIDES = ("axis", "legend")
DIGITS = re.compile(r"(\d+\.\d\d)\d+")
PIXELS = 2  # of a PNG for each unit of the drawing
Spec = Mapping[str, Any]  # a chart in Vega-Lite

ElementTree.register_namespace("", SVG[1:-1])


def render_inline(spec: Spec, said: str) -> str:
    """The chart as an element of a page: colours by name, as wide as the page lets it, a tooltip on each mark that is described.

    `said` stands in its place for whoever cannot see it.
    """
    root = ElementTree.fromstring(render_svg(spec))
    width, height = root.attrib.pop("width"), root.attrib.pop("height")
    for element in root.iter():
        _drop_invisible(element)
        _add_tooltip(element)
        _tidy_attributes(element)
    root.attrib |= {"viewBox": f"0 0 {width} {height}", "role": "img", "aria-label": said}
    return ElementTree.tostring(root, encoding="unicode")


def render_svg(spec: Spec) -> str:
    """The chart as SVG, in the colours of paper."""
    return str(vl_convert.vegalite_to_svg(dict(spec), allowed_base_urls=[]))


def _drop_invisible(parent: ElementTree.Element) -> None:
    """Drop the elements that draw nothing: hidden paths and grounds without a colour."""
    for child in list(parent):
        ground = child.get("class") == "background" and not {"fill", "stroke"}.intersection(child.keys())
        if ground or child.get("display") == "none":
            parent.remove(child)


def _add_tooltip(element: ElementTree.Element) -> None:
    """Show whoever points at a mark the text that Vega has for a screen reader; axes and legends have theirs in the drawing."""
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


def render_png(spec: Spec) -> bytes:
    """The chart as PNG, for slides."""
    return bytes(vl_convert.vegalite_to_png(dict(spec), scale=PIXELS, allowed_base_urls=[]))


def write_figures(specs: Mapping[str, Spec], folder: Path) -> list[Path]:
    """Write `NAME.svg` and `NAME.png` of each spec that draws something into the folder, which is made.

    Raises CannotMeasure where it cannot.
    """
    written = []
    with refuse_unwritable(visible(str(folder), 1000), "; give --figures another folder"):
        folder.mkdir(parents=True, exist_ok=True)
        for name, spec in specs.items():
            if spec:
                drawings = {f"{name}.svg": render_svg(spec).encode(), f"{name}.png": render_png(spec)}
                for file, data in drawings.items():
                    (folder / file).write_bytes(data)
                    written.append(folder / file)
    return written
