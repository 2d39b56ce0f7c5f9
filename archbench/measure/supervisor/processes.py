"""Processes that archbench starts of itself: the package by its place, and nothing of the working folder.

`python -m` would put the working folder first on the path, and a `torch.py` that lies there before torch. This file is
therefore run as a script too, which imports the package it lies in wherever that is: installed, linked, or a checkout.
"""

from __future__ import annotations

import os
import runpy
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


def own_command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module of this package as `__main__`, in this interpreter."""
    return [sys.executable, "-P", str(Path(__file__).absolute()), module, *arguments]


def own_environment() -> dict[str, str]:
    """The environment of such a process, in which neither it nor what it starts imports from the working folder.

    An entry of PYTHONPATH that means that folder by being empty or relative goes; an absolute one is somebody's wish.
    """
    here = os.path.realpath(os.curdir)
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    meant = [entry for entry in entries if os.path.isabs(entry) or os.path.realpath(entry or os.curdir) != here]
    return os.environ | {"PYTHONPATH": os.pathsep.join(meant), "PYTHONSAFEPATH": "1"}


def _import_package(folder: Path) -> None:
    """Import a package by its place: no path decides which one of its name it is."""
    spec = spec_from_file_location(folder.name, folder / "__init__.py", submodule_search_locations=[str(folder)])
    assert spec is not None
    assert spec.loader is not None
    package = module_from_spec(spec)
    sys.modules[folder.name] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    _import_package(Path(__file__).absolute().parent.parent.parent)
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
