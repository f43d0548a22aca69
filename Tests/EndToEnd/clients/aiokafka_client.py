"""aiokafka as a program; see lines.py for what it reads and writes."""
import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

import lines

BIG = 8 << 20


async def write(brokers, *targets):
    records = list(lines.records_in())
    for target in targets:
        topic, codec = target.split("=")
        async with AIOKafkaProducer(bootstrap_servers=brokers, compression_type=None if codec == "none" else codec, acks="all",
                                    max_request_size=BIG, max_batch_size=BIG, linger_ms=50) as producer:
            sent = [await producer.send(topic, value, key, partition, timestamp, headers)
                    for partition, timestamp, key, value, headers in records]
            await asyncio.gather(*sent)


async def read(brokers, isolation, *topics):
    async with AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, isolation_level=isolation,
                                auto_offset_reset="none", max_partition_fetch_bytes=BIG, fetch_max_wait_ms=20) as consumer:
        for target in topics:
            topic, count = target.split("=")
            place = TopicPartition(topic, 0)
            consumer.assign([place])
            consumer.seek(place, 0)
            for _ in range(int(count)):
                m = await asyncio.wait_for(consumer.getone(), 30)
                lines.record_out(m.topic, m.partition, m.offset, m.timestamp, m.key, m.value, m.headers)


async def offsets(brokers, topic, timestamp):
    async with AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, auto_offset_reset="none") as consumer:
        place = TopicPartition(topic, 0)
        low, high = (await consumer.beginning_offsets([place]))[place], (await consumer.end_offsets([place]))[place]
        found = (await consumer.offsets_for_times({place: int(timestamp)}))[place].offset
        lines.say(f"{low} {high} {found}")
        consumer.assign([place])
        consumer.seek(place, found)
        lines.say((await asyncio.wait_for(consumer.getone(), 30)).value.decode())


class Told(ConsumerRebalanceListener):
    def on_partitions_assigned(self, assigned):
        lines.say(f"assigned {','.join(str(p.partition) for p in assigned)}")

    def on_partitions_revoked(self, revoked):
        lines.say(f"revoked {','.join(str(p.partition) for p in revoked)}")


async def member(brokers, group, topic, instance, strategy):
    assert strategy == "range"
    loop = asyncio.get_running_loop()
    told = loop.run_in_executor(None, sys.stdin.readline)
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest",
                                group_instance_id=None if instance == "-" else instance, fetch_max_wait_ms=50,
                                partition_assignment_strategy=[RangePartitionAssignor], session_timeout_ms=6_000 if instance == "-" else 15_000,
                                heartbeat_interval_ms=300)
    consumer.subscribe([topic], listener=Told())
    await consumer.start()
    while not told.done():
        records = [m for batch in (await consumer.getmany(timeout_ms=100)).values() for m in batch]
        for m in records:
            lines.say(f"record {m.partition} {m.offset}")
        if records:
            try:
                await consumer.commit()
            except KafkaError as error:  # A rebalance came between: what was read is read again by its new owner.
                lines.say(f"refused {type(error).__name__}")
    await consumer.stop()


async def producer(brokers, name, timeout):
    made = AIOKafkaProducer(bootstrap_servers=brokers, transactional_id=name, transaction_timeout_ms=int(timeout))
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        word, *rest = line.split()
        try:
            if word == "init":
                await made.start()
            elif word == "begin":
                await made.begin_transaction()
            elif word == "send":
                await asyncio.wait_for(made.send_and_wait(rest[0], rest[2].encode(), partition=int(rest[1])), 30)
            elif word == "offsets":
                await made.send_offsets_to_transaction({TopicPartition(rest[1], int(rest[2])): int(rest[3])}, rest[0])
            elif word == "commit":
                await made.commit_transaction()
            elif word == "abort":
                await made.abort_transaction()
            lines.say("ok")
        except (KafkaError, RuntimeError) as error:
            lines.say(f"error {type(error).__name__}")


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]](*sys.argv[2:]))
