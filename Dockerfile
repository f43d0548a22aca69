# Builds Millrace in the Swift image, runs it on a slim Debian of the same release. The Swift runtime is linked in; what is
# left are Debian's own libraries.
FROM swift:6.2-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
        pkg-config librdkafka-dev librocksdb-dev libsimdjson-dev libyaml-dev libmicrohttpd-dev libzstd-dev libsnappy-dev liblz4-dev zlib1g-dev \
        libxxhash-dev libcurl4-openssl-dev libssl-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Package.swift ./
COPY Sources Sources
# SwiftPM reads the whole manifest: the test targets need to have a directory.
COPY Tests Tests
RUN swift build -c release --product millrace --static-swift-stdlib \
    && install -D -s "$(swift build -c release --product millrace --static-swift-stdlib --show-bin-path)/millrace" /out/millrace

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
        ca-certificates curl libstdc++6 \
        librdkafka1 librocksdb7.8 libsimdjson14 libyaml-0-2 libmicrohttpd12 libzstd1 libsnappy1v5 liblz4-1 zlib1g libxxhash0 libcurl4 libssl3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --home-dir /millrace --no-create-home millrace \
    && install -d -o millrace -g millrace /millrace /millrace/data
COPY --from=build /out/millrace /usr/local/bin/millrace
# As in a checkout: the paths in the files of config/ are relative to this directory.
WORKDIR /millrace
COPY config config
USER millrace
# State, checkpoints, the embedded log and Parquet files. A new volume takes over the owner of the directory.
VOLUME /millrace/data
EXPOSE 8080
# SIGTERM commits a last time; that is given up after 30 s.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:8080/healthz"]
ENTRYPOINT ["millrace"]
CMD ["run", "--log", "json"]
