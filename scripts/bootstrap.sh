#!/usr/bin/env bash
# Installs the Debian packages that Millrace is built from; with --tests also what the tests read its output with.
# Does nothing where they are there already. The Swift toolchain (6.2 or newer) has to be installed before.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
    build-essential pkg-config curl
    librdkafka-dev librocksdb-dev libsimdjson-dev libyaml-dev libmicrohttpd-dev libzstd-dev libsnappy-dev liblz4-dev zlib1g-dev libxxhash-dev
    libcurl4-openssl-dev libssl-dev
    kcat
)
if [[ "${1:-}" == --tests ]]; then
    packages+=(
        python3 python3-venv
        # Counts the instructions of the hot paths.
        valgrind
        # The log is tested with clients of other languages.
        default-jdk-headless golang-go golang-github-segmentio-kafka-go-dev
    )
fi

missing=()
for package in "${packages[@]}"; do
    [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] || missing+=("$package")
done
if ((${#missing[@]})); then
    echo "bootstrap: installing ${missing[*]}" >&2
    as_root=()
    if ((EUID != 0)); then as_root=(sudo); fi
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if ! command -v swift >/dev/null; then
    echo "bootstrap: no swift in PATH. Install Swift 6.2 or newer for Debian 12 (https://www.swift.org/install/linux/)." >&2
    exit 1
fi

if [[ "${1:-}" == --tests ]]; then
    if [[ ! -x .venv/bin/python ]]; then python3 -m venv .venv; fi
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r Tests/EndToEnd/requirements.txt
fi
