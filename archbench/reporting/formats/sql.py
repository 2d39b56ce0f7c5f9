"""Untrusted text in a query of DuckDB's. Half a surrogate pair, which UTF-8 has no bytes for, is written as its escape."""

from __future__ import annotations


def quote_text(value: str) -> str:
    """A text as a literal."""
    return _quote("'", value)


def quote_name(value: str) -> str:
    """A column's name."""
    return _quote('"', value)


def _quote(quote: str, value: str) -> str:
    clean = value.encode(errors="backslashreplace").decode()
    return quote + clean.replace(quote, 2 * quote) + quote
