"""The specs and networks that a command line names: by a file, by a preset's name, by a variant's; and a first spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from archbench.design.spec.spec import Spec, preset_spec, read_spec
from archbench.design.variants import Sampler, expand
from archbench.errors import SpecError
from archbench.models.presets import PRESETS
from archbench.models.variant import Variant
from archbench.text import suggest_nearest, visible

MOST_NAMES = 12
# Of a comparison: what finds +3 % nine times in ten on a shared machine (`benches/experiments.py`).
GATE_GENERATIONS = 8
FIRST_SPEC = """\
# Which FPN width should R-50-FPN have?
#   archbench price FILE     exact costs, at once
#   archbench run FILE       and latency, measured here
archbench: 1
name: first_sweep
base: R-50-FPN                      # `archbench list presets` names the others
input: {batch: 1, height: 256, width: 256}
axes:                               # every list is an axis; `archbench list parts` shows the knobs
  neck.channels: [128, 192, 256]
  top_block.type: [none, maxpool]
constraints:
  - gmacs <= 20                     # exact, checked before anything is built
measure: {device: auto, precision: fp32, budget: 2m}
"""


def load_spec(spec: str, sets: Sequence[str]) -> Spec:
    """The spec in a file, or a preset by its name. Raises SpecError; a name that is neither is told the nearest preset."""
    if spec in PRESETS:
        return preset_spec(spec, sets)
    close = "" if _is_spec(spec) or Path(spec).exists() else suggest_nearest(spec, list(PRESETS))
    if close:
        raise SpecError(f"{visible(spec)}: neither a file nor a preset.{close}")
    return read_spec(spec, sets)


def load_specs(
    spec: str, against: str | None, sets: Sequence[str], own: Mapping[str, str | None]
) -> tuple[Spec, Spec | None]:
    """A spec and the base it is measured against. `sets` are of both, `own` of the spec where they are given.

    A comparison takes the generations of a gate where nothing says how many.
    """
    read = load_spec(spec, [*sets, *(f"{path}={value}" for path, value in own.items() if value is not None)])
    if against is None:
        return read, None
    if "generations" not in read.overrides.get("measure", {}):
        read = replace(read, measure=replace(read.measure, generations=GATE_GENERATIONS))
    return read, load_spec(against, sets)


def find_networks(spec: str, names: Sequence[str], sets: Sequence[str], draw: Sampler | None = None) -> list[Variant]:
    """One or two networks: a spec's variants by name or id, presets, other specs' references.

    Without a name it is the spec's reference; with one name of another spec, the references of both. `draw` is as in
    `expand`. Raises SpecError.
    """
    space = expand(load_spec(spec, sets), draw)
    known = {text for variant in space.variants for text in (variant.name, variant.id)}
    found = [
        expand(load_spec(name, sets), draw).reference
        if name not in known and _is_spec(name)
        else _find_variant(space.variants, name)
        for name in names
    ]
    alone = len(found) == 1 and names[0] not in known
    return [space.reference, *found] if not found or alone else found


def _is_spec(text: str) -> bool:
    return text in PRESETS or text.endswith((".yaml", ".yml"))


def _find_variant(variants: Sequence[Variant], name: str) -> Variant:
    """The variant of that name or id; SpecError with the nearest."""
    for variant in variants:
        if name in (variant.name, variant.id):
            return variant
    known = [variant.name for variant in variants]
    more = " ..." if len(known) > MOST_NAMES else ""
    raise SpecError(
        f"there is no variant {name!r}; there are {', '.join(known[:MOST_NAMES])}{more}.{suggest_nearest(name, known)}"
    )


def write_first_spec(path: str) -> None:
    """Write a first spec, which runs as it stands, to a file that is not there yet. Raises SpecError."""
    try:
        with Path(path).open("x", encoding="utf-8") as file:
            file.write(FIRST_SPEC)
    except FileExistsError:
        raise SpecError("it is there already; give another path, `archbench init my_sweep.yaml`", path) from None
    except OSError as error:
        raise SpecError(f"cannot be written ({error.strerror}); give a path that can", path) from None
