"""archbench: choose a detector's backbone and FPN by what they cost.

Importing the package imports no torch; `build` and `trace` do. Names are looked up when they are first used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "read_spec": "archbench.design.spec.spec",
    "variants": "archbench.space.samplers",
    "preset": "archbench.design.variants",
    "price": "archbench.pricing.price",
    "layers": "archbench.pricing.price",
    "build": "archbench.measure.worker.build",
    "trace": "archbench.measure.worker.count",
    "run": "archbench.pipeline",
    "read_run": "archbench.reporting.stored_run",
    "compare": "archbench.comparison.stored",
}

__all__ = ["SpecError", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name == "SpecError":
        return import_module("archbench.errors").SpecError
    raise AttributeError(f"module 'archbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
