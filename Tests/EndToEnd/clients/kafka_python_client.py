"""kafka-python as a program; see lines.py for what it reads and writes."""
import select
import sys

from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

import lines

BIG = 8 << 20


def write(brokers, *targets):
    records = list(lines.records_in())
    for target in targets:
        topic, codec = target.split("=")
        producer = KafkaProducer(bootstrap_servers=brokers, compression_type=None if codec == "none" else codec, acks="all",
                                 max_request_size=BIG, linger_ms=50)
        sent = [producer.send(topic, value, key, headers, partition, timestamp)
                for partition, timestamp, key, value, headers in records]
        for one in sent:
            one.get(60)
        producer.close()


def read(brokers, isolation, *topics):
    consumer = KafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, isolation_level=isolation,
                             auto_offset_reset="none", max_partition_fetch_bytes=BIG, fetch_max_wait_ms=20, consumer_timeout_ms=30_000)
    for target in topics:
        topic, count = target.split("=")
        place = TopicPartition(topic, 0)
        consumer.assign([place])
        consumer.seek(place, 0)
        for _ in range(int(count)):
            m = next(consumer)
            lines.record_out(m.topic, m.partition, m.offset, m.timestamp, m.key, m.value, m.headers)
    consumer.close()


def offsets(brokers, topic, timestamp):
    consumer = KafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, auto_offset_reset="none", consumer_timeout_ms=30_000)
    place = TopicPartition(topic, 0)
    low, high = consumer.beginning_offsets([place])[place], consumer.end_offsets([place])[place]
    found = consumer.offsets_for_times({place: int(timestamp)})[place].offset
    lines.say(f"{low} {high} {found}")
    consumer.assign([place])
    consumer.seek(place, found)
    lines.say(next(consumer).value.decode())
    consumer.close()


class Told(ConsumerRebalanceListener):
    def on_partitions_assigned(self, assigned):
        lines.say(f"assigned {','.join(str(p.partition) for p in assigned)}")

    def on_partitions_revoked(self, revoked):
        lines.say(f"revoked {','.join(str(p.partition) for p in revoked)}")


def member(brokers, group, topic, instance, strategy):
    assert strategy == "range"
    static = {} if instance == "-" else {"group_instance_id": instance}
    consumer = KafkaConsumer(bootstrap_servers=brokers, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest",
                             partition_assignment_strategy=[RangePartitionAssignor], session_timeout_ms=15_000 if static else 6_000,
                             heartbeat_interval_ms=300, fetch_max_wait_ms=50, **static)
    consumer.subscribe([topic], listener=Told())
    while not select.select([sys.stdin], [], [], 0)[0]:
        records = [m for batch in consumer.poll(100).values() for m in batch]
        for m in records:
            lines.say(f"record {m.partition} {m.offset}")
        if records:
            try:
                consumer.commit()
            except KafkaError as error:  # A rebalance came between: what was read is read again by its new owner.
                lines.say(f"refused {type(error).__name__}")
    consumer.close()


def producer(brokers, name, timeout):
    made = KafkaProducer(bootstrap_servers=brokers, transactional_id=name, transaction_timeout_ms=int(timeout), acks="all")
    for line in sys.stdin:
        word, *rest = line.split()
        try:
            if word == "init":
                made.init_transactions()
            elif word == "begin":
                made.begin_transaction()
            elif word == "send":
                made.send(rest[0], rest[2].encode(), partition=int(rest[1])).get(30)
            elif word == "offsets":
                made.send_offsets_to_transaction(
                    {TopicPartition(rest[1], int(rest[2])): OffsetAndMetadata(int(rest[3]), "", -1)}, rest[0])
            elif word == "commit":
                made.commit_transaction()
            elif word == "abort":
                made.abort_transaction()
            lines.say("ok")
        except (KafkaError, RuntimeError) as error:
            lines.say(f"error {type(error).__name__}")
    made.close(0)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
