"""The log's TLS, logins and allow list, as the clients that people have see them."""
import datetime
import ipaddress
import json
import socket
import ssl
import struct
import subprocess
import time

import confluent_kafka
import kafka
import kafka.errors
import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from harness import BINARY, Site, await_that

ALICE, BOB = "alice's password", "bob-7!"


class Authority:
    """Makes certificates; files in `directory`."""

    def __init__(self, directory, name):
        self.directory = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = directory / f"{name}.pem"
        certificate = self._certificate(self.name, self.key, authority=True)
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _certificate(self, subject, key, authority=False, days=1):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=3))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True))
        if not authority:
            builder = builder.add_extension(x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, name, days=1, rsa_key=False):
        """Paths of a certificate and its key."""
        key = rsa.generate_private_key(65537, 2048) if rsa_key else ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"), x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self.directory / f"{name}.crt"
        certificate.write_bytes(self._certificate(subject, key, days=days).public_bytes(serialization.Encoding.PEM))
        private = self.directory / f"{name}.key"
        private.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return str(certificate), str(private)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"), "ca")


@pytest.fixture(scope="module")
def server_tls(authority):
    return authority.issue("server", rsa_key=True)


def users_line(name, password):
    done = subprocess.run([BINARY, "log", "user", name], input=password + "\n", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


class SecureSite(Site):
    def __init__(self, directory, log, job="", scheme="ssl", authority=None):
        super().__init__(directory, job)
        self.ca = authority and str(authority.file)
        text = self.config.read_text().splitlines()
        text = [line for line in text if not line.startswith("log:")]
        section = {"listen": f"127.0.0.1:{self.kafka_port}", "directory": "./data/log", "default_partitions": 1, **log}
        self.config.write_text("\n".join(text) + "\nlog: " + json.dumps(section) + "\n")

    def settings(self, user=None, password=None, mechanism="SCRAM-SHA-256", certificate=None, **more):
        """librdkafka's settings of a client."""
        settings = {"bootstrap.servers": self.brokers, "socket.timeout.ms": 10000, **more}
        settings["security.protocol"] = ("SASL_" if user else "") + ("SSL" if self.ca else "PLAINTEXT")
        if self.ca:
            settings["ssl.ca.location"] = self.ca
        if certificate:
            settings["ssl.certificate.location"], settings["ssl.key.location"] = certificate
        if user:
            settings.update({"sasl.mechanism": mechanism, "sasl.username": user, "sasl.password": password})
        return settings

    def outcome(self, **client):
        """`in`, or the name of the error that the client reports first."""
        errors = []
        admin = AdminClient({**self.settings(**client), "error_cb": errors.append, "log_level": 0})
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                admin.list_topics(timeout=0.5)
                return "in"
            except KafkaException:
                admin.poll(0.1)
            for error in errors:
                if error.code() != confluent_kafka.KafkaError._ALL_BROKERS_DOWN:
                    return error.name()
        return "nothing"


@pytest.fixture
def secure(tmp_path):
    made = []

    def make(log, **arguments):
        made.append(SecureSite(tmp_path, log, **arguments))
        return made[-1]
    yield make
    for one in made:
        one.close()


def create(settings, *topics):
    """The error's name by topic; None where it was made."""
    admin = AdminClient(settings)
    made = admin.create_topics([NewTopic(topic, 1, 1) for topic in topics])
    return {topic: failure(future) for topic, future in made.items()}


def failure(future):
    error = future.exception(30)
    return error and error.args[0].name()


def round_trip(site, topic, count, value, **client):
    """Creates a topic, produces to it, consumes it in a group."""
    settings = site.settings(**client)
    assert create(settings, topic) == {topic: None}
    producer = Producer({**settings, "linger.ms": 5, "enable.idempotence": True})
    for number in range(count):
        producer.produce(topic, value(number), str(number))
    assert producer.flush(60) == 0
    consumer = Consumer({**settings, "group.id": "readers", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    got = []
    deadline = time.monotonic() + 60
    while len(got) < count:
        assert time.monotonic() < deadline, f"{len(got)} of {count}"
        message = consumer.poll(1)
        if message is not None:
            assert message.error() is None, message.error()
            got.append(message.value())
    consumer.commit(asynchronous=False)
    consumer.close()
    assert got == [value(number) for number in range(count)]


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_librdkafka_works_over_tls_with_each_mechanism(secure, authority, server_tls, mechanism):
    certificate, key = server_tls
    s = secure({"tls": {"certificate": certificate, "key": key}, "users": [{"name": "alice", "password": ALICE}]}, authority=authority)
    s.start_log()
    # 30 MB: many TLS records, partial writes, and fetches that go on after the socket was full.
    round_trip(s, "clicks", 3000, lambda n: b"%06d" % n * 1700, user="alice", password=ALICE, mechanism=mechanism)
    assert s.outcome(user="alice", password="wrong", mechanism=mechanism) == "_AUTHENTICATION"
    assert s.outcome(user="nobody", password=ALICE, mechanism=mechanism) == "_AUTHENTICATION"
    assert s.outcome(user="alice", password=ALICE, mechanism=mechanism) == "in"
    assert "a login failed" in s.log_text()
    assert ALICE not in s.log_text() and "wrong\"" not in s.log_text()


def test_users_come_from_a_file_of_hashes(secure, tmp_path):
    (tmp_path / "users").write_text("# people\n" + users_line("alice", ALICE) + "\n" + users_line("bob", BOB))
    s = secure({"users_file": "users"})
    s.start_log()
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]:
        assert s.outcome(user="alice", password=ALICE, mechanism=mechanism) == "in"
        assert s.outcome(user="bob", password=BOB, mechanism=mechanism) == "in"
        assert s.outcome(user="bob", password=ALICE, mechanism=mechanism) == "_AUTHENTICATION"
    assert ALICE not in (tmp_path / "users").read_text()
    # A client that does not log in gets no answer but the broker's versions.
    assert s.outcome() != "in"
    assert "before it has logged in" in s.log_text()


def test_a_client_needs_a_certificate_of_the_right_authority(secure, authority, server_tls, tmp_path):
    other = Authority(tmp_path, "other")
    mine, expired, foreign = authority.issue("mine"), authority.issue("expired", days=-1), other.issue("foreign")
    certificate, key = server_tls
    s = secure({"tls": {"certificate": certificate, "key": key, "client_ca": str(authority.file), "client_certificates": "required"},
              "allow": [{"principal": "CN=mine,O=Example", "operations": "all", "topic": "m*", "group": "*"},
                        {"principal": "CN=mine,O=Example", "operations": "create", "cluster": True}]}, authority=authority)
    s.start_log()
    assert s.outcome(certificate=mine) == "in"
    for wrong in [None, expired, foreign]:
        assert s.outcome(certificate=wrong) != "in"
    assert "certificate has expired" in s.log_text()
    assert "peer did not return a certificate" in s.log_text()
    # The subject is the principal.
    round_trip(s, "mine", 10, lambda n: b"%d" % n, certificate=mine)
    with pytest.raises(KafkaException, match="TOPIC_AUTHORIZATION_FAILED|not authorized|Topic authorization failed"):
        producer = Producer({**s.settings(certificate=mine), "message.timeout.ms": 8000})
        failures = []
        producer.produce("theirs", b"x", on_delivery=lambda error, _: failures.append(error))
        producer.flush(15)
        raise KafkaException(failures[0])


def test_kafka_python_and_kcat_work_over_tls(secure, authority, server_tls, tmp_path):
    certificate, key = server_tls
    s = secure({"tls": {"certificate": certificate, "key": key}, "users": [{"name": "alice", "password": ALICE}]}, authority=authority)
    s.start_log()
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]:
        topic = "python-" + mechanism.lower()
        common = dict(bootstrap_servers=s.brokers, security_protocol="SASL_SSL", ssl_cafile=s.ca, sasl_mechanism=mechanism,
                      sasl_plain_username="alice", sasl_plain_password=ALICE)
        producer = kafka.KafkaProducer(**common)
        for number in range(100):
            producer.send(topic, b"%d" % number)
        producer.flush(30)
        producer.close()
        consumer = kafka.KafkaConsumer(topic, auto_offset_reset="earliest", consumer_timeout_ms=20000, group_id="python", **common)
        got = [next(consumer).value for _ in range(100)]
        consumer.close()
        assert got == [b"%d" % number for number in range(100)]
    options = ["-b", s.brokers, "-X", "security.protocol=SASL_SSL", "-X", f"ssl.ca.location={s.ca}", "-X",
               "sasl.mechanism=SCRAM-SHA-512", "-X", "sasl.username=alice", "-X", f"sasl.password={ALICE}"]
    subprocess.run(["kcat", "-P", "-t", "cat", *options], input="one\ntwo\n", text=True, check=True, timeout=60)
    done = subprocess.run(["kcat", "-C", "-t", "cat", "-e", "-q", *options], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "one\ntwo\n"


def test_the_allow_list_lets_each_do_only_what_it_says(secure):
    s = secure({
        "users": [{"name": "writer", "password": "w"}, {"name": "reader", "password": "r"}, {"name": "admin", "password": "a"}],
        "allow": [
            {"principal": "writer", "operations": "write", "topic": "clicks*", "transactional_id": "job-*"},
            {"principal": "reader", "operations": "read", "topic": ["clicks"], "group": "readers"},
            {"principal": "admin", "operations": "all", "topic": "*", "group": "*", "cluster": True}]})
    s.start_log()
    admin, writer, reader = ({"user": name, "password": name[0]} for name in ["admin", "writer", "reader"])
    assert set(create(s.settings(**admin), "clicks", "clicks-2", "secret").values()) == {None}

    def produce(topic, **client):
        failures = []
        producer = Producer({**s.settings(**client), "message.timeout.ms": 8000})
        producer.produce(topic, b"x", on_delivery=lambda error, _: failures.append(error))
        producer.flush(15)
        return failures[0] and failures[0].name()
    assert produce("clicks", **writer) is None
    assert produce("clicks-2", **writer) is None
    assert produce("secret", **writer) == "TOPIC_AUTHORIZATION_FAILED"
    assert produce("clicks", **reader) in ("TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED")

    # What may not be described is not listed.
    assert set(AdminClient(s.settings(**writer)).list_topics(timeout=10).topics) == {"clicks", "clicks-2"}
    assert set(AdminClient(s.settings(**reader)).list_topics(timeout=10).topics) == {"clicks"}
    assert set(AdminClient(s.settings(**admin)).list_topics(timeout=10).topics) == {"clicks", "clicks-2", "secret"}

    def consume(topic, group, **client):
        consumer = Consumer({**s.settings(**client), "group.id": group, "auto.offset.reset": "earliest"})
        try:
            consumer.subscribe([topic])
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                message = consumer.poll(0.5)
                if message is not None:
                    return message.error().name() if message.error() else message.value()
        finally:
            consumer.close()
    assert consume("clicks", "readers", **reader) == b"x"
    assert consume("clicks", "others", **reader) == "GROUP_AUTHORIZATION_FAILED"
    assert consume("clicks-2", "readers", **reader) == "TOPIC_AUTHORIZATION_FAILED"
    assert consume("clicks", "readers", **writer) == "GROUP_AUTHORIZATION_FAILED"

    def transact(identity):
        producer = Producer({**s.settings(**writer), "transactional.id": identity})
        try:
            producer.init_transactions(10)
        except KafkaException as error:
            return error.args[0].name()
        producer.begin_transaction()
        producer.produce("clicks", b"t")
        producer.commit_transaction(20)
    assert transact("job-1") is None
    assert transact("other") == "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"

    assert create(s.settings(**reader), "new") == {"new": "TOPIC_AUTHORIZATION_FAILED"}
    assert create(s.settings(**admin), "new") == {"new": None}
    client = AdminClient(s.settings(**writer))
    assert failure(client.delete_topics(["clicks"])["clicks"]) == "TOPIC_AUTHORIZATION_FAILED"
    assert "denied by the allow list" in s.log_text()


JOB = """
job: copies
kafka: {brokers: embedded}
sources:
  clicks:
    topic: clicks
    format: json
    fields: {event_id: string, user_id: string, ts: timestamp_ms}
    event_time: {field: ts, out_of_orderness: 60s}
    key: user_id
transforms:
  unique: {from: clicks, dedupe: {by: event_id, within: 24h}}
sinks:
  copies: {from: unique, kafka: {topic: copies, key: user_id, format: json}}
dead_letter: {topic: dead}
"""


def test_jobs_and_commands_get_into_a_secured_log_and_strangers_do_not(secure, authority, server_tls, tmp_path):
    certificate, key = server_tls
    s = secure({"tls": {"certificate": certificate, "key": key}, "users": [{"name": "alice", "password": ALICE}],
              "allow": [{"principal": "alice", "operations": "read", "topic": "copies", "group": "*"}]}, job=JOB, authority=authority)
    log = s.start_log()
    access = tmp_path / "data/log/internal.access"
    assert access.stat().st_mode & 0o777 == 0o600
    s.command("generate", "--events", 500, "--config", s.config, "clicks")
    (tmp_path / "more").write_text('{"event_id": "e", "user_id": "u", "ts": 1}\n')
    s.command("produce", "--file", "more", "--key", "user_id", "--config", s.config, "clicks")
    assert access.read_text().split()[1] not in s.log_text()
    assert s.stop(log) == 0
    assert not access.exists()
    assert "not running" in s.command("generate", "--events", 1, "--config", s.config, "clicks", check=False).stderr

    assert s.run() == 0, s.log_text()
    log = s.start_log()
    consumer = Consumer({**s.settings(user="alice", password=ALICE), "group.id": "g", "isolation.level": "read_committed"})
    consumer.assign([TopicPartition("copies", 0, 0)])
    got = await_that(lambda: consumer.poll(1), 30, "a record")
    assert got.error() is None and json.loads(got.value())["user_id"]
    consumer.close()

    # The listener of this machine's own clients wants its password too.
    port = int(access.read_text().split()[0])
    stranger = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0})
    with pytest.raises(KafkaException):
        stranger.list_topics(timeout=2)
    alice = AdminClient({**s.settings(user="alice", password=ALICE), "bootstrap.servers": f"127.0.0.1:{port}",
                         "security.protocol": "SASL_PLAINTEXT", "log_level": 0})
    with pytest.raises(KafkaException):
        alice.list_topics(timeout=2)


def kafka_request(key, version, body, client="test"):
    data = struct.pack(">hhih", key, version, 7, len(client)) + client.encode() + body
    return struct.pack(">i", len(data)) + data


def is_closed(sock, seconds=15):
    """Whether the peer ends the connection; what it says before is passed over."""
    sock.settimeout(seconds)
    try:
        while sock.recv(65536):
            pass
        return True
    except (ConnectionResetError, ssl.SSLError):
        return True
    except TimeoutError:
        return False


def test_hostile_tls_and_logins_end_alone(secure, authority, server_tls):
    certificate, key = server_tls
    s = secure({"tls": {"certificate": certificate, "key": key}, "users": [{"name": "alice", "password": ALICE}],
              "limits": {"authentication_timeout": "2s", "connections_per_address": 40}}, authority=authority)
    s.start_log()
    address = ("127.0.0.1", s.kafka_port)
    context = ssl.create_default_context(cafile=s.ca)
    healthy = AdminClient(s.settings(user="alice", password=ALICE))
    healthy.list_topics(timeout=10)

    def connect():
        return context.wrap_socket(socket.create_connection(address), server_hostname="localhost")

    # Plaintext, garbage, and half a record to the TLS port.
    for first in [kafka_request(18, 0, b""), b"\x16\x03\x01" + b"\xff" * 300, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x40\x00"]:
        with socket.create_connection(address) as sock:
            sock.sendall(first)
            assert is_closed(sock), first
    # Silence before and after the handshake.
    with socket.create_connection(address) as silent, connect() as shaken:
        assert is_closed(silent) and is_closed(shaken)
    assert s.log_text().count("not authenticated within") >= 2
    # Requests before the login: Produce, Metadata, one that is too large.
    for request in [kafka_request(0, 3, b"\xff\xff\x00\x01\x00\x00\x10\x00\x00\x00\x00\x00"), kafka_request(3, 1, b"\xff\xff\xff\xff"),
                    struct.pack(">i", 70_000)]:
        with connect() as sock:
            sock.sendall(request)
            assert is_closed(sock)
    assert "a produce request before it has logged in" in s.log_text()
    assert "a request of 70000 bytes; expected 1 to 65536" in s.log_text()
    # A connection that is cut in the middle of TLS.
    with connect() as sock:
        sock.sendall(kafka_request(18, 0, b""))
        socket.socket(fileno=sock.detach()).close()
    # Old TLS.
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(address) as sock, pytest.raises((ssl.SSLError, ConnectionResetError)):
        old.wrap_socket(sock)
    # More connections than an address may have.
    crowd = [socket.create_connection(address) for _ in range(60)]
    await_that(lambda: "its address has 40 connections already" in s.log_text(), 10, "a refusal")
    for sock in crowd:
        sock.close()
    await_that(lambda: s.outcome(user="alice", password=ALICE) == "in", 20, "room again")
    healthy.list_topics(timeout=10)


def test_a_slow_reader_is_closed_and_others_are_served(secure, authority, server_tls):
    certificate, key = server_tls
    s = secure({"tls": {"certificate": certificate, "key": key, "client_ca": str(authority.file), "client_certificates": "wanted"},
              "limits": {"slow_reader_timeout": "1s"}}, authority=authority)
    s.start_log()
    settings = s.settings()
    assert create(settings, "big") == {"big": None}
    producer = Producer(settings)
    for _ in range(40):
        producer.produce("big", b"x" * 900_000)
    assert producer.flush(60) == 0
    context = ssl.create_default_context(cafile=s.ca)
    with context.wrap_socket(socket.create_connection(("127.0.0.1", s.kafka_port)), server_hostname="localhost") as sock:
        fetch = struct.pack(">iiiib", -1, 100, 1, 50_000_000, 0) + struct.pack(">ih3sii", 1, 3, b"big", 1, 0) + struct.pack(
            ">qi", 0, 50_000_000)
        sock.sendall(kafka_request(1, 4, fetch))
        await_that(lambda: "it has taken nothing of its answers for 1000 ms" in s.log_text(), 15, "the end of the slow reader")
    assert s.outcome() == "in"


@pytest.mark.parametrize("change, message", [
    ({"listen": "0.0.0.0:0"}, "others than this machine can reach 0.0.0.0"),
    ({"tls": {"certificate": "missing.pem", "key": "missing.key"}}, "log.tls: the certificate missing.pem cannot be read: No such file"),
    ({"tls": {"certificate": "millrace.yaml", "key": "millrace.yaml"}}, "log.tls: the certificate millrace.yaml cannot be used"),
    ({"users_file": "missing"}, "missing: the file cannot be read"),
    ({"users": [{"name": "a", "scram_sha_256": "SCRAM-SHA-256$1:c2FsdHNhbHQ=$YQ==:YQ=="}]}, "iterations 4096 to 200000"),
])
def test_a_log_that_cannot_be_secured_as_asked_does_not_start(secure, change, message):
    s = secure(change)
    process = s.start("log")
    assert process.wait(30) == 78
    assert message in s.log_text()


def test_a_key_of_another_certificate_is_refused(secure, authority, server_tls):
    s = secure({"tls": {"certificate": server_tls[0], "key": authority.issue("another")[1]}})
    process = s.start("log")
    assert process.wait(30) == 78
    assert "is not that of the certificate" in s.log_text() or "cannot be used: key type mismatch" in s.log_text()
