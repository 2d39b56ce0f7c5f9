"""The benches are ones asv and pytest-benchmark take."""

import subprocess
import sys
from pathlib import Path

import pytest

import archbench
from archbench.design.variants import preset
from archbench.pricing.price import price
from benches.fold import fold
from benches.space import ALL_WIDTHS, SPEC, networks

ROOT = Path(archbench.__file__).parent.parent


def succeeds(*command):
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_fold_that_is_timed_against_counts_what_price_counts():
    for knobs in networks(100):
        paths = {
            **{f"backbone.{key}": knobs[key] for key in ("block", "groups", "width_per_group", "depths", "width")},
            **{"backbone.stem_channels": knobs["stem_channels"], "neck.channels": knobs["channels"]},
            **{
                "input.height": knobs["height"],
                "input.width": knobs["input_width"],
                "top_block.type": knobs["top_block"],
            },
            **({"top_block.source": knobs["source"]} if knobs["top_block"] == "p6p7" else {}),
        }
        cost, folded = price(preset("R-50-FPN", paths)), fold(knobs)
        assert (cost.macs, cost.params, cost.acts) == (folded["macs"], folded["params"], folded["acts"]), knobs


def test_the_spec_that_is_timed_has_the_widths_the_bench_replaces():
    assert SPEC.read_text().count(ALL_WIDTHS) == 1


@pytest.mark.process
@pytest.mark.slow
def test_asv_check_accepts_the_benches():
    succeeds("asv", "check", "--python=same")


@pytest.mark.process
@pytest.mark.slow
def test_pytest_benchmark_runs_them():
    out = succeeds(
        "pytest", "benches", "-n", "0", "-q", "-p", "no:cacheprovider", "--benchmark-enable", "--benchmark-max-time=0.1"
    )
    assert "2 passed" in out
