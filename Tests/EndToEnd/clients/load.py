"""The load of the kill test: one process for each role, which notes what it knows in a file of its own, a JSON array a line.

Each runs until its standard input ends, and then brings to an end what it has begun. The broker may vanish at any moment.
"""
import faulthandler
import json
import os
import random
import select
import signal
import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

PATIENCE = 120
# Version 2.16 loses an offset commit of a transaction for good when it begins anew with its list of brokers just then; there is one broker.
SETTINGS = {"metadata.recovery.strategy": "none",
            "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100, "retry.backoff.ms": 20, "socket.timeout.ms": 10_000,
            "topic.metadata.refresh.interval.ms": 5_000, "log_level": 0}


if os.environ.get("MILLRACE_TEST_DEBUG"):
    SETTINGS |= {"debug": os.environ["MILLRACE_TEST_DEBUG"], "log_level": 7}


class Notes:
    def __init__(self, path):
        self.file = open(path, "a", buffering=1)

    def add(self, *words):
        self.file.write(json.dumps(words) + "\n")


def told_to_stop():
    return bool(select.select([sys.stdin], [], [], 0)[0])


def plain(brokers, notes, dice, partitions):
    """Never sends a record twice: one whose answer was lost is there or not, one that was acknowledged is there, where it was said to be."""
    producer = Producer({**SETTINGS, "bootstrap.servers": brokers, "acks": "all", "message.send.max.retries": 0, "linger.ms": 2,
                         "enable.idempotence": False, "message.timeout.ms": 15_000})

    def delivered(number):
        return lambda error, m: notes.add("lost" if error else "acknowledged", number, m.partition(), m.offset())

    number = 0
    while not told_to_stop():
        for _ in range(dice.randrange(1, 20)):
            producer.produce("plain", f"{number}", partition=number % partitions, on_delivery=delivered(number))
            number += 1
        producer.poll(dice.random() * 0.01)
    assert producer.flush(PATIENCE) == 0
    notes.add("sent", number)


def idempotent(brokers, notes, dice, partitions):
    """Sends again until it is acknowledged, which must not be seen in the log."""
    producer = Producer({**SETTINGS, "bootstrap.servers": brokers, "enable.idempotence": True, "linger.ms": 2,
                         "message.timeout.ms": PATIENCE * 1000})

    def delivered(number):
        return lambda error, m: notes.add(f"failed: {error}" if error else "acknowledged", number, m.partition(), m.offset())

    number = 0
    while not told_to_stop():
        for _ in range(dice.randrange(1, 20)):
            producer.produce("idempotent", f"{number}", partition=number % partitions, on_delivery=delivered(number))
            number += 1
        producer.poll(dice.random() * 0.01)
        while len(producer) > 2_000:
            producer.poll(0.1)
    assert producer.flush(PATIENCE) == 0
    notes.add("sent", number)


class Transactions:
    """A transactional producer that is made anew when its broker no longer takes it."""

    def __init__(self, brokers, name):
        self.settings = {**SETTINGS, "bootstrap.servers": brokers, "transactional.id": name, "linger.ms": 1,
                         "transaction.timeout.ms": 60_000, "message.timeout.ms": 60_000}
        self.renew()

    def renew(self):
        self.producer = Producer(self.settings)
        self.patiently(lambda: self.producer.init_transactions(5))

    def patiently(self, step):
        """Repeats what may be repeated; anything else is the caller's."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return step()
            except KafkaException as error:
                if not error.args[0].retriable() or time.monotonic() > deadline:
                    raise

    def run(self, fill, commits):
        """One transaction: committed, aborted, or unknown when the producer had to begin anew in its last step."""
        ending = False
        try:
            self.producer.begin_transaction()
            fill(self.producer)
            if not commits:
                self.patiently(lambda: self.producer.abort_transaction(5))
                return "aborted"
            ending = True
            self.patiently(lambda: self.producer.commit_transaction(5))
            return "committed"
        except KafkaException as problem:
            error = problem.args[0]
            if error.txn_requires_abort():
                try:
                    self.patiently(lambda: self.producer.abort_transaction(5))
                    return "aborted"
                except KafkaException as second:
                    error = second.args[0]
            sys.stderr.write(f"new producer after {error}\n")
            self.renew()
            return "unknown" if ending else "aborted"


def transactional(brokers, notes, dice, partitions, name):
    transactions = Transactions(brokers, name)
    number = 0
    while not told_to_stop():
        places = [dice.randrange(partitions) for _ in range(dice.randrange(1, 12))]

        def fill(producer):
            for index, partition in enumerate(places):
                producer.produce("transactional", f"{name} {number} {index}", partition=partition)
            if dice.random() < 0.5:
                producer.poll(dice.random() * 0.02)

        outcome = transactions.run(fill, commits=dice.random() < 0.7)
        notes.add(outcome, number, places)
        number += 1


def relay(brokers, notes, dice, partitions):
    """Takes what the idempotent producer writes, once each: records and offsets in one transaction."""
    parts = [TopicPartition("idempotent", number) for number in range(partitions)]
    consumer = Consumer({**SETTINGS, "bootstrap.servers": brokers, "group.id": "relay", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "auto.offset.reset": "earliest", "fetch.wait.max.ms": 50})
    transactions = Transactions(brokers, "relay")

    def committed():
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                found = consumer.committed(parts, 5)
                if not any(place.error for place in found):
                    return {place.partition: max(0, place.offset) for place in found}
            except KafkaException:
                continue  # Nobody answers now.
        raise TimeoutError("the committed offsets were not to be had")

    def rewind(offsets):
        consumer.assign([TopicPartition("idempotent", partition, offset) for partition, offset in offsets.items()])

    offsets = committed()
    rewind(offsets)
    idle_since = None
    while True:
        messages = [m for m in consumer.consume(dice.randrange(1, 200), 0.1) if not m.error()]
        if not messages:
            idle_since = idle_since or time.monotonic()
            if told_to_stop() and time.monotonic() - idle_since > 3:
                break
            continue
        idle_since = None
        after = dict(offsets)
        for m in messages:
            after[m.partition()] = m.offset() + 1

        def fill(producer):
            for m in messages:
                producer.produce("relayed", m.value(), partition=m.partition())
            transactions.patiently(lambda: producer.send_offsets_to_transaction(
                [TopicPartition("idempotent", partition, offset) for partition, offset in after.items()],
                consumer.consumer_group_metadata(), 5))

        outcome = transactions.run(fill, commits=dice.random() < 0.9)
        found = committed()
        notes.add(outcome, offsets, after, found)
        if outcome != "committed":
            rewind(found)
        offsets = found
    notes.add("relayed", offsets)


def reader(brokers, notes, dice, partitions):
    """A member of a group that reads what is committed, and commits how far it has come."""
    consumer = Consumer({**SETTINGS, "bootstrap.servers": brokers, "group.id": "readers", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "auto.offset.reset": "earliest", "fetch.wait.max.ms": 50,
                         "session.timeout.ms": 6_000, "heartbeat.interval.ms": 500})
    consumer.subscribe(["transactional"], on_assign=lambda _, parts: notes.add("assigned", [p.partition for p in parts]),
                       on_revoke=lambda _, parts: notes.add("revoked", []), on_lost=lambda _, parts: notes.add("revoked", []))
    idle_since = None
    while True:
        messages = [m for m in consumer.consume(dice.randrange(1, 200), 0.1) if not m.error()]
        if not messages:
            idle_since = idle_since or time.monotonic()
            if told_to_stop() and time.monotonic() - idle_since > 3:
                break
            continue
        idle_since = None
        for m in messages:
            notes.add("read", m.partition(), m.offset(), m.value().decode())
        try:
            done = consumer.commit(asynchronous=False)
            notes.add("committed", {place.partition: place.offset for place in done if not place.error and place.offset >= 0})
        except KafkaException as error:
            notes.add("refused", error.args[0].name())
    consumer.close()


def watcher(brokers, notes, dice, partitions):
    """Asks for the committed offsets over and over."""
    asked = {"readers": "transactional", "relay": "idempotent"}
    consumers = {group: Consumer({**SETTINGS, "bootstrap.servers": brokers, "group.id": group}) for group in asked}
    while not told_to_stop():
        for group, topic in asked.items():
            try:
                found = consumers[group].committed([TopicPartition(topic, number) for number in range(partitions)], 2)
                notes.add(group, {place.partition: place.offset for place in found if not place.error and place.offset >= 0})
            except KafkaException:
                continue  # Nobody answers now.
        time.sleep(dice.random() * 0.02)


if __name__ == "__main__":
    faulthandler.register(signal.SIGUSR1)  # The test asks so where a process hangs.
    role, brokers, notes, seed, partitions, *rest = sys.argv[1:]
    globals()[role](brokers, Notes(notes), random.Random(f"{seed} {role} {rest}"), int(partitions), *rest)
