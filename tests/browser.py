"""Debian's Chromium, driven by Playwright, with the network off; tests skip with a reason where there is none."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


def chromium() -> Iterator[Any]:
    """A browser, for a fixture."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install 'archbench[test]'")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, path: Path, *, width: int = 1280, dark: bool = False, **given: Any) -> Iterator[Any]:
    """The page, opened from disk; whatever it complains about or asks the network for fails the test."""
    scheme = "dark" if dark else "light"
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True, **given)
    page, complaints, asked = context.new_page(), [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    yield page
    assert complaints == []
    assert asked == [path.as_uri()]
    context.close()


def colors(locator: Any) -> dict[tuple[int, ...], int]:
    """How many pixels of each colour an element shows."""
    image = Image.open(io.BytesIO(locator.screenshot())).convert("RGB")
    return {color: count for count, color in image.getcolors(maxcolors=1 << 24) or []}
