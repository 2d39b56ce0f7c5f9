"""The charts of a review as files of their own, for slides and papers: SVG and PNG, drawn without a browser."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from archbench.errors import CannotMeasure
from archbench.reporting.page.charts import Chart
from archbench.reporting.page.drawing import render_png, render_svg
from archbench.text import visible


def write_figures(charts: Iterable[Chart], folder: Path) -> list[Path]:
    """Write `NAME.svg` and `NAME.png` of each chart that has a drawing into the folder, which is made.

    Raises CannotMeasure where it cannot.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for chart in filter(lambda each: each.spec, charts):
            for path, data in (
                (folder / f"{chart.name}.svg", render_svg(chart.spec).encode()),
                (folder / f"{chart.name}.png", render_png(chart.spec)),
            ):
                path.write_bytes(data)
                written.append(path)
    except OSError as error:
        shown = visible(str(folder), 1000)
        raise CannotMeasure(f"{shown}: cannot be written ({error.strerror}); give --figures another folder") from error
    return written
