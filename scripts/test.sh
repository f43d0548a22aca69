#!/usr/bin/env bash
# Builds in release mode, warnings being errors, and runs every test: the units, then real processes.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/bootstrap.sh --tests
swift build -c release --build-tests
swift test -c release --skip-build
scripts/hot_paths.py
.venv/bin/python -m pytest -q Tests/EndToEnd
