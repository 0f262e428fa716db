#!/usr/bin/env bash
# Prepares what run.py needs, and runs it.   make.sh [PHASE...]
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-target}
venv=$target/local-cloud/venv
wanted=localstack/requirements.txt

if ! cmp -s "$wanted" "$venv/installed.txt"; then
  python3 -m venv --clear "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$wanted"
  cp "$wanted" "$venv/installed.txt"
fi
PROFILE=local functions/package.py
PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" tests/cloud/run.py "$@"
