#!/usr/bin/env bash
# Any system: did this commit make anything slower, or less accurate, than the branch that it is to go to?
#   gate.sh [BASE]        BASE: origin/main unless said otherwise
# The exit code decides (0: no); the folder hippo-gate has what was found, for people (.md) and for programs.
set -euo pipefail

base="$(git merge-base "${1:-origin/main}" HEAD)" # where this branch left it: what others did since is not ours
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1   # threads of a library that wait for each other are most of the noise
mkdir -p hippo-gate
exec hippo-verify gate --base "$base" --head HEAD \
  --json hippo-gate/hippo-gate.json --junit-xml hippo-gate/hippo-gate.xml --markdown hippo-gate/hippo-gate.md
