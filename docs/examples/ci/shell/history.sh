#!/usr/bin/env bash
# Any system, each night: measure the last commits, and keep the results in the branch hippo-history.
# From the environment: LAST, how many commits (5); MACHINE, under which name (the host's; set it where hosts have names
# of a day).
set -euo pipefail

branch=hippo-history
results=.asv/results
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

# The branch is a working tree of its own, in the folder where asv keeps its results.
if ! git fetch --quiet origin "+refs/heads/$branch:refs/remotes/origin/$branch"; then
  echo "no branch $branch to be had: if it is not the first night, the push below will say so" >&2
fi
if [ -e "$results/.git" ]; then
  git -C "$results" merge --quiet --ff-only "origin/$branch"
elif git rev-parse --verify --quiet "refs/remotes/origin/$branch" > /dev/null; then
  git worktree add --quiet --force -B "$branch" "$results" "origin/$branch"
else
  git worktree add --quiet --force --detach "$results"
  git -C "$results" switch --quiet --orphan "$branch"
fi

# A commit that fails does not take the others with it: what was measured is kept, and the exit code says so at the end.
code=0
hippo-verify bench --last "${LAST:-5}" ${MACHINE:+--machine "$MACHINE"} || code=$?

git -C "$results" add --all
if ! git -C "$results" diff --cached --quiet; then
  git -C "$results" commit --quiet --message "Results of $(git rev-parse HEAD)"
fi
git -C "$results" push --quiet origin "$branch"
exit "$code"
