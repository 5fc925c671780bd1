#!/usr/bin/env bash
# Write constraints.txt: what pip installs for requirements-dev.txt in an empty environment, version by version.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$(PYTHON="${PYTHON:-}" bash local_host/find_python.sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# requirements.txt names constraints.txt: beside copies of the requirements it is empty, so nothing holds pip back.
cp requirements.txt requirements-dev.txt "$work"
touch "$work/constraints.txt"
"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install -qq --disable-pip-version-check --requirement "$work/requirements-dev.txt"
{
  echo "# The versions that the tests ran with, on Python $(cat .python-version). Written by \`make lock\`, not by hand."
  "$work/env/bin/python" -m pip freeze --disable-pip-version-check --all | grep --invert-match --regexp '^pip=='
} > "$work/locked"
mv "$work/locked" constraints.txt
