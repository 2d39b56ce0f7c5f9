"""The colours of charts and page: each a name, what it is on light paper and what it is on a dark screen.

Charts are drawn in the light ones, which is what a slide or a paper takes; on the page each becomes the variable of its
name (`drawing.py`), so that one drawing serves both. No two names share a light colour.
"""

from __future__ import annotations

INK = "#1f2328"
MUTED = "#59636e"
GRID = "#e4e7eb"
PAPER = "#ffffff"
STRIPE = "#f6f8fa"
BAND = "#d8f0e2"

# Kinds, told apart with impaired colour vision too (after Okabe and Ito), at least 3:1 on either background.
SERIES = ("#2a6fdb", "#d1571f", "#1a8458", "#a3398f", "#9a7400", "#0c7f90", "#7a5cd0", "#6b7280")
# Amounts, from little to much.
RAMP = ("#d6e4f8", "#aecbf0", "#82afe7", "#5593dc", "#3375c6", "#1e5a9b", "#133d70")
NECK = ("#f9c9a3", "#f0a066", "#d97a35", "#b25716", "#7f3b0c")
TOP = ("#9bd5b6", "#3f9f6f", "#1f6b46")
REST = ("#a0a8b2", "#7b8490")

_DARK = {
    INK: "#e6edf3",
    MUTED: "#9da7b3",
    GRID: "#2b3138",
    PAPER: "#0d1117",
    STRIPE: "#151b23",
    BAND: "#12352a",
    **dict(
        zip(
            SERIES,
            ("#6ea8ff", "#ff9a62", "#4cc38a", "#e07bd0", "#e3b341", "#4fc3d6", "#b39dff", "#9aa4b2"),
            strict=True,
        )
    ),
    **dict(zip(RAMP, ("#14304f", "#1b446c", "#245a8c", "#2e6ba6", "#4a90d6", "#79b1ea", "#b5d6f8"), strict=True)),
    **dict(zip(NECK, ("#5a2f10", "#8a4a1a", "#bb6a2b", "#e58d47", "#ffbe8b"), strict=True)),
    **dict(zip(TOP, ("#1d5439", "#2f8a5d", "#6fd3a0"), strict=True)),
    **dict(zip(REST, ("#5a636d", "#8a939d"), strict=True)),
}


def _name_colors() -> dict[str, str]:
    single = {INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper", STRIPE: "stripe", BAND: "band"}
    several = {"series": SERIES, "ramp": RAMP, "neck": NECK, "top": TOP, "rest": REST}
    return single | {
        colour: f"{family}-{place}" for family, colours in several.items() for place, colour in enumerate(colours, 1)
    }


NAMES = _name_colors()  # light colour -> name
DARK = {name: _DARK[colour] for colour, name in NAMES.items()}
LIGHT = {name: colour for colour, name in NAMES.items()}


def spread_colors(colours: tuple[str, ...], count: int) -> list[str]:
    """So many of an ordered family, as far apart as it allows; the last is the strongest."""
    if count <= 1:
        return [colours[-1]] * count
    return [colours[round(place * (len(colours) - 1) / (count - 1))] for place in range(count)]
