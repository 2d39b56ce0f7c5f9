"""A report's page as a reader takes it in: the answers at the top, and each table under its heading. Read without archbench."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """`answers` by their label, `tables` by the heading above them, each a list of rows of texts, headings first."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.answers: dict[str, str] = {}
        self.tables: dict[str, list[list[str]]] = {}
        self.headings: list[tuple[str, str]] = []
        self._tag, self._text, self._label = "", "", ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.tables.setdefault(self.headings[-1][1], []).append([])
        if tag in ("h1", "h2", "h3", "dt", "dd", "td", "th"):
            self._tag, self._text = tag, ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag != self._tag:
            return
        self._tag = ""
        if tag in ("td", "th"):
            self.tables[self.headings[-1][1]][-1].append(self._text)
        elif tag == "dt":
            self._label = self._text
        elif tag == "dd":
            self.answers.setdefault(self._label, self._text)
        else:
            self.headings.append((tag, self._text))
