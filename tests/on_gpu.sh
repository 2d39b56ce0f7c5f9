#!/usr/bin/env bash
# On a machine with a GPU: every cuda-marked test and a small sweep, the results left in one folder.
# usage: on_gpu.sh [FOLDER]    FOLDER is relative to where it is called (default: on_gpu/ in the repository)
# PYTHON names the interpreter that has archbench (default: python). Ends with the first failure's exit code.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python}
mkdir -p "${1:-$root/on_gpu}" || exit
out=$(cd "${1:-$root/on_gpu}" && pwd)
cd "$root" || exit # pytest finds its settings, and a checkout that is not installed its package, here
code=0

keep() { # run a command, its output also in a file of that name; go on whatever becomes of it
  local file=$out/$1
  shift
  "$@" 2>&1 | tee "$file"
  local came=${PIPESTATUS[0]}
  ((code)) || code=$came
}

if command -v nvidia-smi >/dev/null; then
  nvidia-smi -q >"$out/gpu.txt" 2>&1
fi
keep tests.txt "$python" -m pytest -n 0 -m cuda -v -p no:cacheprovider --junitxml="$out/tests.xml"
keep sweep.txt "$python" -m archbench run specs/fpn_sweep.yaml --device cuda -o "$out/results" --set measure.budget=2m
exit "$code"
