"""archbench: choose a detector's backbone and FPN by what they cost.

Importing the package imports no torch; `build` and `trace` do. Names are looked up when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the static twin of `_HOMES`: what a type checker sees
    from archbench.api import read_run as read_run
    from archbench.api import run as run
    from archbench.comparison.stored import compare as compare
    from archbench.design.spec.spec import read_spec as read_spec
    from archbench.design.variants import preset as preset
    from archbench.errors import SpecError as SpecError
    from archbench.measure.worker.build import build as build
    from archbench.measure.worker.count import trace as trace
    from archbench.pricing.price import list_layers
    from archbench.space.price_space import price_any
    from archbench.space.price_space import variants as variants

    layers = list_layers
    price = price_any

__version__ = "0.1.0"

_HOMES = {
    "SpecError": "errors.SpecError",
    "build": "measure.worker.build.build",
    "compare": "comparison.stored.compare",
    "layers": "pricing.price.list_layers",
    "preset": "design.variants.preset",
    "price": "space.price_space.price_any",
    "read_run": "api.read_run",
    "read_spec": "design.spec.spec.read_spec",
    "run": "api.run",
    "trace": "measure.worker.count.trace",
    "variants": "space.price_space.variants",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        module, _, attribute = f"archbench.{_HOMES[name]}".rpartition(".")
        return getattr(import_module(module), attribute)
    raise AttributeError(f"module 'archbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
