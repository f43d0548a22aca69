"""docker-compose.yml, Dockerfile and config/prometheus.yml against the files and the program they speak of: they cannot be started on every machine."""
import re
import subprocess

import yaml

from harness import BINARY, ROOT

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
HOME = "/millrace"


def daemon_file():
    command = SERVICES["millrace"]["command"]
    return command[command.index("--config") + 1]


def test_images_are_pinned_and_official():
    assert re.fullmatch(r"apache/kafka:\d+\.\d+\.\d+", SERVICES["kafka"]["image"])
    assert re.fullmatch(r"prom/prometheus:v\d+\.\d+\.\d+", SERVICES["prometheus"]["image"])
    for name in ("millrace", "clickstream"):
        assert SERVICES[name]["build"] == "." and SERVICES[name]["image"] == "millrace:local"


def test_ports_are_published_on_loopback_only():
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port), f"{name}: {port}"


def test_mounted_paths_exist_and_named_volumes_are_declared():
    for name, service in SERVICES.items():
        for mount in service.get("volumes", []):
            source, target, *_ = mount.split(":")
            assert target.startswith("/")
            if source.startswith("."):
                assert (ROOT / source).exists(), f"{name}: {mount}"
            else:
                assert source in COMPOSE["volumes"], f"{name}: {mount}"


def test_millrace_finds_its_files_and_its_brokers():
    service = SERVICES["millrace"]
    assert "./config:/millrace/config:ro" in service["volumes"]
    settings = yaml.safe_load((ROOT / daemon_file()).read_text())
    assert "log" not in settings
    for job in settings["jobs"]:
        assert "${MILLRACE_BROKERS:-embedded}" in (ROOT / job).read_text()
        plan = subprocess.run(
            [BINARY, "check", ROOT / job], env={"MILLRACE_BROKERS": service["environment"]["MILLRACE_BROKERS"]},
            capture_output=True, text=True)
        assert plan.returncode == 0 and "kafka:9092" in plan.stdout, plan.stderr
    # Everything that is written lies below the volume.
    [volume] = [mount.split(":")[1] for mount in service["volumes"] if not mount.startswith(".")]
    assert volume == f"{HOME}/data" and f"VOLUME {volume}" in DOCKERFILE
    for path in (settings["state"]["directory"], settings["checkpoint"]["storage"]):
        assert path.startswith("./data/")


def test_prometheus_scrapes_where_the_daemon_listens():
    host, port = yaml.safe_load((ROOT / daemon_file()).read_text())["http"]["listen"].rsplit(":", 1)
    assert host == "0.0.0.0"
    prometheus = yaml.safe_load((ROOT / "config/prometheus.yml").read_text())
    [scrape] = prometheus["scrape_configs"]
    assert scrape["static_configs"] == [{"targets": [f"millrace:{port}"]}]
    # The daemon's own label `job` would otherwise be renamed.
    assert scrape["honor_labels"] is True and scrape["metrics_path"] == "/metrics"
    assert f"EXPOSE {port}" in DOCKERFILE and f"127.0.0.1:{port}/healthz" in DOCKERFILE
    assert SERVICES["prometheus"]["volumes"] == ["./config/prometheus.yml:/etc/prometheus/prometheus.yml:ro"]


def test_kafka_advertises_what_its_clients_use():
    environment = SERVICES["kafka"]["environment"]
    listeners = dict(entry.split("://") for entry in environment["KAFKA_LISTENERS"].split(","))
    advertised = dict(entry.split("://") for entry in environment["KAFKA_ADVERTISED_LISTENERS"].split(","))
    protocols = dict(entry.split(":") for entry in environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    assert set(listeners) == set(protocols) == set(advertised) | {environment["KAFKA_CONTROLLER_LISTENER_NAMES"]}
    for name, address in advertised.items():
        assert listeners[name] == ":" + address.split(":")[1]
    assert advertised[environment["KAFKA_INTER_BROKER_LISTENER_NAME"]] == SERVICES["millrace"]["environment"]["MILLRACE_BROKERS"]
    assert f"{advertised['MACHINE']}:9094" in SERVICES["kafka"]["ports"]
    # One node cannot have the three replicas that are Kafka's default.
    for setting in ("OFFSETS_TOPIC_REPLICATION_FACTOR", "TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "TRANSACTION_STATE_LOG_MIN_ISR"):
        assert environment[f"KAFKA_{setting}"] == "1"


def test_commands_of_the_containers_are_commands_of_the_program():
    usage = subprocess.run([BINARY, "help"], capture_output=True, text=True, check=True).stdout
    assert 'ENTRYPOINT ["millrace"]' in DOCKERFILE
    commands = [SERVICES["millrace"]["command"], SERVICES["clickstream"]["command"], ["run", "--log", "json"]]
    assert 'CMD ["run", "--log", "json"]' in DOCKERFILE
    for command in commands:
        # What follows each `millrace COMMAND`, up to the next one.
        forms = [form for form in re.split(r"\s(?=millrace [a-z]+ )", usage) if form.startswith(f"millrace {command[0]} ")]
        assert forms, f"{command[0]} is not in: {usage}"
        for option in command[1:]:
            if option.startswith("--"):
                assert any(option in form for form in forms), f"{option}: {forms}"


def test_the_image_runs_as_nobody_special_with_the_libraries_that_the_program_is_linked_to():
    assert DOCKERFILE.index("\nUSER millrace") < DOCKERFILE.index("\nENTRYPOINT")
    assert re.search(r"^FROM swift:6\.\d+-bookworm AS build$", DOCKERFILE, re.MULTILINE)
    assert re.search(r"^FROM debian:12-slim$", DOCKERFILE, re.MULTILINE)
    needed = subprocess.run(["ldd", BINARY], capture_output=True, text=True, check=True).stdout
    packages = {
        "librdkafka.so": "librdkafka1", "librocksdb.so": "librocksdb7.8", "libsimdjson.so": "libsimdjson14", "libyaml-0.so": "libyaml-0-2",
        "libmicrohttpd.so": "libmicrohttpd12", "libzstd.so": "libzstd1", "libsnappy.so": "libsnappy1v5", "libxxhash.so": "libxxhash0",
        "libstdc++.so": "libstdc++6",
    }
    final = DOCKERFILE[DOCKERFILE.index("FROM debian:12-slim"):]
    for library, package in packages.items():
        assert library in needed and f" {package} " in final.replace("\\\n", " "), library
    # What bootstrap.sh installs to build with, the image has as well.
    bootstrap = (ROOT / "scripts/bootstrap.sh").read_text()
    for package in re.findall(r"lib[a-z]+-dev", bootstrap):
        assert package in DOCKERFILE


def test_a_stop_is_given_the_time_that_the_program_takes():
    source = (ROOT / "Sources/millrace").glob("*.swift")
    text = "".join(file.read_text() for file in source)
    grace = sum(int(n) for n in re.findall(r"stop(?:Grace|Slack)Seconds: TimeInterval = (\d+)", text))
    assert int(SERVICES["millrace"]["stop_grace_period"].removesuffix("s")) > grace >= 30
