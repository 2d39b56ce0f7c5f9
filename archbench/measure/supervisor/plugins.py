"""Which user code a command allows, and what that code is. Names and bytes only; the importing is done in a worker."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path


def plugin_modules(plugins: Sequence[str]) -> set[str]:
    """The top-level module names that `--plugin PACKAGE_OR_FILE` allows: a package's own, a file's stem."""
    return {Path(plugin).stem if plugin.endswith(".py") else plugin.split(".")[0] for plugin in plugins}


def code_digests(plugins: Sequence[str]) -> dict[str, str]:
    """A hash of the Python files behind each plugin, by its top-level name: code that was edited is another network's."""
    files = {Path(plugin).stem: Path(plugin) for plugin in plugins if plugin.endswith(".py")}
    packages = {name: place for name in plugin_modules(plugins) if (place := _find_place(name))}
    return {name: _hash_files(place) for name, place in sorted((packages | files).items())}


def find_plugin(name: str) -> ModuleSpec | None:
    """The top-level module of the working folder, else of the path, as a worker imports it and as its digest is taken."""
    return PathFinder.find_spec(name, [os.getcwd(), *sys.path])


def _find_place(name: str) -> Path | None:
    """Where a worker would find a top-level module: a package's folder, or a file."""
    spec = find_plugin(name)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)


def _hash_files(place: Path) -> str:
    whole = hashlib.sha256()
    for name, file in _list_files(place):
        content = file.read_bytes()
        whole.update(f"{name} {len(content)}\n".encode("utf-8", "surrogateescape") + content)
    return whole.hexdigest()


def _list_files(place: Path) -> Iterator[tuple[str, Path]]:
    """Python files by their names below the place, in an order of their own; none where there is nothing to read."""
    if place.is_dir():
        yield from sorted((str(file.relative_to(place)), file) for file in place.rglob("*.py") if file.is_file())
    elif place.is_file():
        yield place.name, place
