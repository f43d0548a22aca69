"""confluent-kafka as a program; see lines.py for what it reads and writes."""
import select
import sys

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

import lines

BIG = 8 << 20


def write(brokers, *targets):
    records = list(lines.records_in())
    for target in targets:
        topic, codec = target.split("=")
        failed = []
        producer = Producer({"bootstrap.servers": brokers, "compression.type": codec, "message.max.bytes": BIG, "linger.ms": 50})
        for partition, timestamp, key, value, headers in records:
            producer.produce(topic, value, key, partition, timestamp=timestamp, headers=headers,
                             on_delivery=lambda error, _: error and failed.append(error))
        assert producer.flush(60) == 0 and not failed, failed


def read(brokers, isolation, *topics):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "none", "enable.auto.commit": False, "isolation.level": isolation,
                         "auto.offset.reset": "error", "fetch.message.max.bytes": BIG, "fetch.wait.max.ms": 20})
    counts = dict(target.split("=") for target in topics)
    # All at once: librdkafka takes up to a second until it knows the leader of what was assigned.
    consumer.assign([TopicPartition(topic, 0, 0) for topic in counts])
    for _ in range(sum(map(int, counts.values()))):
        m = consumer.poll(30)
        assert m is not None, "nothing came within 30 s"
        if m.error():
            raise KafkaException(m.error())
        lines.record_out(m.topic(), m.partition(), m.offset(), m.timestamp()[1], m.key(), m.value(), m.headers())
    consumer.close()


def offsets(brokers, topic, timestamp):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "none", "enable.auto.commit": False, "auto.offset.reset": "error"})
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), 30)
    found = consumer.offsets_for_times([TopicPartition(topic, 0, int(timestamp))], 30)[0]
    lines.say(f"{low} {high} {found.offset}")
    consumer.assign([found])
    lines.say(consumer.poll(30).value().decode())
    consumer.close()


def member(brokers, group, topic, instance, strategy):
    def say_parts(word):
        return lambda _, parts: lines.say(f"{word} {','.join(str(p.partition) for p in parts)}")

    static = {} if instance == "-" else {"group.instance.id": instance}
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": group, "partition.assignment.strategy": strategy,
                         "enable.auto.commit": False, "auto.offset.reset": "earliest", "session.timeout.ms": 15_000 if static else 6_000,
                         "heartbeat.interval.ms": 300, "fetch.wait.max.ms": 50, **static})
    consumer.subscribe([topic], on_assign=say_parts("assigned"), on_revoke=say_parts("revoked"))
    while not select.select([sys.stdin], [], [], 0)[0]:
        messages = [m for m in consumer.consume(200, 0.1) if not m.error()]
        for m in messages:
            lines.say(f"record {m.partition()} {m.offset()}")
        if messages:
            try:
                consumer.commit(asynchronous=False)
            except KafkaException as error:  # A rebalance came between: what was read is read again by its new owner.
                lines.say(f"refused {error.args[0].name()}")
    consumer.close()


def producer(brokers, name, timeout):
    made = Producer({"bootstrap.servers": brokers, "transactional.id": name, "transaction.timeout.ms": int(timeout),
                     "linger.ms": 0})
    for line in sys.stdin:
        word, *rest = line.split()
        try:
            if word == "init":
                made.init_transactions(30)
            elif word == "begin":
                made.begin_transaction()
            elif word == "send":
                failed = []
                made.produce(rest[0], rest[2].encode(), partition=int(rest[1]),
                             on_delivery=lambda error, _: error and failed.append(error))
                made.flush(30)
                if failed:
                    raise KafkaException(failed[0])
            elif word == "offsets":
                consumer = Consumer({"bootstrap.servers": brokers, "group.id": rest[0]})
                made.send_offsets_to_transaction(
                    [TopicPartition(rest[1], int(rest[2]), int(rest[3]))], consumer.consumer_group_metadata(), 30)
                consumer.close()
            elif word == "commit":
                made.commit_transaction(30)
            elif word == "abort":
                made.abort_transaction(30)
            lines.say("ok")
        except (KafkaException, SystemError) as error:
            # A fatal error that comes while a delivery is reported is raised as the cause of a SystemError.
            lines.say(f"error {(error if isinstance(error, KafkaException) else error.__cause__).args[0].name()}")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
