#!/usr/bin/env bash
# Installs hippo-verify for an action of ours, and says with which Python it is to be run.
# From the environment: INPUT_PYTHON and INPUT_INSTALL, as the inputs of the action; EXTRAS, such as "[bench]".
set -euo pipefail

# A target imports what its user has installed, so we are installed there too. Where the system does not allow
# that (a Python that the distribution manages), into an environment that sees all of it.
python="$INPUT_PYTHON"
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "::error::hippo-verify needs Python >= 3.11, and the input python names none: add actions/setup-python before"
  exit 2
fi
if "$python" -P -c 'import pathlib, sys, sysconfig
managed = pathlib.Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists()
sys.exit(not managed or sys.prefix != sys.base_prefix)'; then
  "$python" -P -m venv --system-site-packages "$RUNNER_TEMP/hippo-verify-python"
  python="$RUNNER_TEMP/hippo-verify-python/bin/python"
fi
"$python" -P -c 'import pip' 2> /dev/null || "$python" -P -m ensurepip # an environment of uv has none
read -r -d '' -a beside <<< "$INPUT_INSTALL" || true
ours="$(cd "$(dirname "$0")/../.." && pwd)"
"$python" -P -m pip install --disable-pip-version-check "$ours${EXTRAS:-}" "${beside[@]}"
printf 'python=%s\n' "$python" >> "$GITHUB_OUTPUT"
