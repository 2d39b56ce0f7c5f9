"""The user's own networks: imported only in a worker, and only from what the command line named with `--plugin`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from torch import nn

from archbench.errors import SpecError
from archbench.measure.plugins import plugin_modules


def load_factory(factory: str, plugins: Sequence[str]) -> Callable[[], nn.Module]:
    """`package.file:name` as a callable without arguments. Raises SpecError where no plugin covers it or it is not there."""
    module_name, _, name = factory.partition(":")
    if module_name.split(".")[0] not in plugin_modules(plugins):
        raise SpecError(f"module: {factory} needs --plugin {module_name.split('.')[0]}")
    for plugin in plugins:
        if plugin.endswith(".py"):
            _import_file(Path(plugin))
    try:
        return getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise SpecError(f"module: {factory} cannot be imported; {error}") from error


def _import_file(path: Path) -> None:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SpecError(f"--plugin {path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
