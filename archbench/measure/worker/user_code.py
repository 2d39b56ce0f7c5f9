"""The user's own networks: imported only in a worker, and only from what the command line named with `--plugin`."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from torch import nn

from archbench.errors import SpecError
from archbench.measure.supervisor.plugins import find_plugin, plugin_modules


def load_factory(factory: str, plugins: Sequence[str]) -> Callable[[], nn.Module]:
    """`package.file:name` as a callable without arguments. Raises SpecError where no plugin covers it or it is not there."""
    module_name, _, name = factory.partition(":")
    if module_name.split(".")[0] not in plugin_modules(plugins):
        raise SpecError(f"module: {factory} needs --plugin {module_name.split('.')[0]}")
    _open_working_folder(plugins)
    for plugin in plugins:
        if plugin.endswith(".py"):
            _import_file(Path(plugin))
    try:
        return getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise SpecError(f"module: {factory} cannot be imported; {error}") from error


def _open_working_folder(plugins: Sequence[str]) -> None:
    """Let the modules the command named be found in the working folder first, all else there last: it hides nothing."""
    sys.meta_path.insert(0, _PluginFinder(plugins))
    if (folder := os.getcwd()) not in sys.path:
        sys.path.append(folder)


class _PluginFinder(MetaPathFinder):
    """Finds the modules that `--plugin` names, and no other, where their digest was taken."""

    def __init__(self, plugins: Sequence[str]) -> None:
        self._names = plugin_modules(plugins)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return find_plugin(name) if name in self._names else None


def _import_file(path: Path) -> None:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SpecError(f"--plugin {path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
