"""Which user code a command allows. Names only; the importing is done in a worker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def plugin_modules(plugins: Sequence[str]) -> set[str]:
    """The top-level module names that `--plugin PACKAGE_OR_FILE` allows: a package's own, a file's stem."""
    return {Path(plugin).stem if plugin.endswith(".py") else plugin.split(".")[0] for plugin in plugins}
