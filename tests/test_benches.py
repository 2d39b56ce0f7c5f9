"""The benches are ones asv and pytest-benchmark take."""

import subprocess
import sys
from pathlib import Path

import pytest

import archbench

ROOT = Path(archbench.__file__).parent.parent


def succeeds(*command):
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_asv_check_accepts_the_benches():
    succeeds("asv", "check", "--python=same")


@pytest.mark.slow
def test_pytest_benchmark_runs_them():
    out = succeeds(
        "pytest", "benches", "-q", "-p", "no:cacheprovider", "--benchmark-enable", "--benchmark-max-time=0.1"
    )
    assert "2 passed" in out
