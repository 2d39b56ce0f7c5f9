#!/usr/bin/env bash
# On a machine with a GPU: every cuda-marked test and a small sweep, the results left in one folder (default on_gpu/).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-on_gpu}
mkdir -p "$out"
python -m pytest -m cuda -v -p no:cacheprovider | tee "$out/tests.txt"
python -m archbench run specs/fpn_sweep.yaml --device cuda -o "$out/results" --set measure.budget=2m | tee "$out/sweep.txt"
