"""WHICH networks. What needs numpy is imported when it is first used: a small spec never waits for it."""

from importlib import import_module
from typing import Any

_BY_COLUMNS = ("columns", "points_of", "samplers")


def __getattr__(name: str) -> Any:
    if name in _BY_COLUMNS:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
