"""A million networks priced, from the start of the process to Parquet on disk; against a fold in Python and fvcore.

Each in the same run on the same machine: `asv run --python=same --bench space`.
"""

import os
import random
import resource
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from benches.fold import fold
from benches.speed import seconds

SPEC = Path(__file__).parent.parent / "specs" / "detector_space.yaml"
ALL_WIDTHS = "{range: [0.5, 1.5, 0.125]}"
FEWER = {"a million": "[0.75, 1.0, 1.25]", "all": ALL_WIDTHS}  # 1,134,000 networks, and 3,402,000
FOLDED = 3_000  # networks, half a second of them


def price(rows: str) -> None:
    """The command, on the space with as many widths as make so many rows."""
    text = SPEC.read_text()
    assert ALL_WIDTHS in text
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "space.yaml").write_text(text.replace(ALL_WIDTHS, FEWER[rows]))
        command = [sys.executable, "-m", "archbench", "price", "space.yaml", "--parquet", "space.parquet", "--quiet"]
        root = str(SPEC.parent.parent)
        subprocess.run(
            command, cwd=folder, env={**os.environ, "PYTHONPATH": root}, check=True, stdout=subprocess.DEVNULL
        )


def networks(count: int) -> list[dict[str, object]]:
    """Random points of the space, as the fold takes them."""
    draw = random.Random(0)
    kinds = [
        ("basic", 1, 64),
        ("bottleneck", 1, 64),
        ("bottleneck", 32, 4),
        ("bottleneck", 32, 8),
        ("bottleneck", 1, 128),
    ]
    sizes = [(480, 800), (576, 960), (640, 1067), (800, 1333), (896, 1493)]
    stages = ([2, 3, 4], [2, 3, 4, 6, 8], [3, 4, 6, 9, 13, 18, 23], [2, 3, 4])
    found = []
    for _ in range(count):
        (block, groups, per_group), (height, width) = draw.choice(kinds), draw.choice(sizes)
        found.append(
            {
                **{"block": block, "groups": groups, "width_per_group": per_group},
                **{"height": height, "input_width": width, "depths": [draw.choice(stage) for stage in stages]},
                **{"width": draw.choice([0.5 + 0.125 * step for step in range(9)])},
                **{"stem_channels": draw.choice([32, 64]), "channels": draw.choice([64, 96, 128, 160, 192, 256])},
                **{"top_block": draw.choice(["none", "maxpool", "p6p7"]), "source": draw.choice(["c5", "p5"])},
            }
        )
    return found


def fold_all(given: list[dict[str, object]]) -> None:
    for knobs in given:
        fold(knobs)


class Space:
    """`archbench price` on detector_space: every axis, every exact metric and the front, in a file."""

    timeout = 600
    params = [list(FEWER)]
    param_names = ["rows"]

    def track_seconds(self, rows):
        return seconds(lambda: price(rows), 3)

    track_seconds.unit = "s"

    def track_peak_mib(self, rows):
        price(rows)
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024

    track_peak_mib.unit = "MiB"


class AgainstPeers:
    """How many times as many networks a second as a fold in Python, and in how many of fvcore's single counts all is done."""

    timeout = 600

    def setup(self):
        self.ours = seconds(lambda: price("a million"), 2) / 1_134_000

    def track_networks_a_second_over_a_fold(self):
        given = networks(FOLDED)
        return seconds(lambda: fold_all(given), 2) / FOLDED / self.ours

    def track_fold_networks_a_second(self):
        given = networks(FOLDED)
        return FOLDED / seconds(lambda: fold_all(given), 2)

    def track_networks_priced_while_fvcore_counts_one(self):
        variant = import_module("archbench.design.variants").preset(
            "R-50-FPN", {"input.height": 256, "input.width": 320}
        )
        module = import_module("archbench.measure.worker.build").build(variant)
        image = import_module("torch").randn(1, 3, 256, 320)
        count = import_module("archbench.measure.worker.count").fvcore_counts
        return seconds(lambda: count(module, image), 2) / self.ours
