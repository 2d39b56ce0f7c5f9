"""Debian's Chromium, driven by Playwright, with the network off; tests skip with a reason where there is none."""

from __future__ import annotations

import io
import re
import shutil
import zlib
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


def printed(pdf: bytes) -> list[str]:
    """The words on each page of a PDF as Chromium writes it: glyphs of a font, and what each stands for, in streams."""
    objects = {int(n): body for n, body in re.findall(rb"(?<!\d)(\d+) 0 obj\s(.*?)endobj", pdf, re.DOTALL)}
    pages = [body for body in objects.values() if re.search(rb"/Type\s*/Page\b", body)]
    return ["".join(_words(page, objects)) for page in pages]


def _words(page: bytes, objects: dict[int, bytes]) -> Iterator[str]:
    fonts = {
        name: _letters(_stream(objects[int(_one(rb"/ToUnicode (\d+)", objects[int(n)]))]))
        for name, n in re.findall(rb"/(F\d+) (\d+) 0 R", page)
    }
    font: dict[int, str] = {}
    content = _stream(objects[int(_one(rb"/Contents (\d+)", page))])
    for name, glyphs, _ in re.findall(rb"/(F\d+) [\d.]+ Tf|<([0-9A-Fa-f]+)> ?Tj|(ET)", content):
        font = fonts[name] if name else font
        yield "".join(font.get(int(glyphs[at : at + 4], 16), "?") for at in range(0, len(glyphs), 4)) or " "


def _letters(cmap: bytes) -> dict[int, str]:
    """Glyph -> letter, of a font's ToUnicode table."""
    found = {}
    for many, lines in re.findall(rb"beginbf(char|range)\s(.*?)endbf", cmap, re.DOTALL):
        for first, *rest in (re.findall(rb"[0-9A-Fa-f]+", line) for line in lines.splitlines()):
            low, last = int(first, 16), int(rest[0] if many == b"range" else first, 16)
            found |= {glyph: chr(int(rest[-1][:4], 16) + glyph - low) for glyph in range(low, last + 1)}
    return found


def _stream(body: bytes) -> bytes:
    return zlib.decompress(body.split(b"stream", 1)[1].lstrip(b"\r\n"))


def _one(pattern: bytes, body: bytes) -> bytes:
    found = re.search(pattern, body)
    assert found is not None, pattern
    return found[1]
