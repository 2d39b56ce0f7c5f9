"""What an expression over priced variants may name: exact metrics, their scaled forms, every knob of every part, the axes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from archbench.design.spec.axes import Axis
from archbench.design.spec.schema import WORKLOAD_IN_INPUT, WORKLOAD_IN_MEASURE
from archbench.metrics import EXACT, SCALED
from archbench.models.variant import FAMILIES


@cache
def knob_paths() -> tuple[str, ...]:
    """Every dotted path that some variant's parts have, and its whole workload under `input`."""
    parts = (
        f"{family}.{key}"
        for family, registered in FAMILIES.items()
        for key in ("type", *(knob for part in registered.values() for knob in part.knobs))
    )
    workload = (f"input.{key}" for key in (*WORKLOAD_IN_INPUT, *WORKLOAD_IN_MEASURE))
    return tuple(dict.fromkeys([*parts, *workload]))


def list_nameable(axes: Sequence[Axis]) -> tuple[str, ...]:
    """What constraints, `--where` and `--by` may name in a spec of these axes; a knob that a variant lacks is null there."""
    along = (path for axis in axes for path in axis.paths)
    return tuple(dict.fromkeys([*EXACT, *SCALED, *along, *knob_paths()]))
