"""What `archbench init` writes: a spec that runs as it stands and shows what can be changed."""

from __future__ import annotations

from pathlib import Path

from archbench.errors import SpecError

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


def write_first_spec(path: str) -> None:
    """Write it to a file that is not there yet. Raises SpecError."""
    try:
        with Path(path).open("x", encoding="utf-8") as file:
            file.write(FIRST_SPEC)
    except FileExistsError:
        raise SpecError("it is there already; give another path, `archbench init my_sweep.yaml`", path) from None
    except OSError as error:
        raise SpecError(f"cannot be written ({error.strerror}); give a path that can", path) from None
