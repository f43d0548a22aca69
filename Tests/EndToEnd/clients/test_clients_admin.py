"""What administrators do, through each client that can."""
import asyncio
import subprocess

import pytest
from aiokafka import TopicPartition as AioTopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin import NewPartitions as AioNewPartitions
from aiokafka.admin import NewTopic as AioNewTopic
from aiokafka.admin.config_resource import ConfigResource as AioConfigResource
from aiokafka.admin.config_resource import ConfigResourceType as AioConfigResourceType
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec,
                                   ResourceType)
from kafka import KafkaAdminClient
from kafka import TopicPartition as PurePartition
from kafka.admin import AbortTransactionSpec
from kafka.admin import ConfigResource as PureConfigResource
from kafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError
from kafka.structs import OffsetAndMetadata

import kinds
from harness import await_that
from kinds import Conversation

EARLIEST, LATEST, MAXIMUM = -2, -1, -3
DAY = "86400000"


def fill(log, topic, partition=0):
    """Ten records with a timestamp a millisecond apart, but for the fifth, which is the latest of all."""
    log.produce(topic, [(None, f"v{n}", {"partition": partition, "timestamp": 5_000_000 if n == 4 else 1_000_000 + n}) for n in range(10)],
                **{"linger.ms": 0, "batch.num.messages": 1})


def test_confluent_administers_topics_and_configurations(log):
    admin = AdminClient({"bootstrap.servers": log.brokers})
    wanted = NewTopic("confluent-made", 2, 1, config={"retention.ms": DAY})
    admin.create_topics([wanted], validate_only=True)["confluent-made"].result(20)
    assert "confluent-made" not in admin.list_topics(timeout=20).topics
    admin.create_topics([wanted])["confluent-made"].result(20)
    with pytest.raises(KafkaException) as refused:
        admin.create_topics([wanted])["confluent-made"].result(20)
    assert refused.value.args[0].name() == "TOPIC_ALREADY_EXISTS"
    admin.create_partitions([NewPartitions("confluent-made", 3)])["confluent-made"].result(20)
    assert len(admin.list_topics("confluent-made", 20).topics["confluent-made"].partitions) == 3

    resource = ConfigResource(ResourceType.TOPIC, "confluent-made", incremental_configs=[
        ConfigEntry("max.message.bytes", "2000000", incremental_operation=AlterConfigOpType.SET),
        ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE)])
    admin.incremental_alter_configs([resource])[resource].result(20)
    found = admin.describe_configs([resource])[resource].result(20)
    assert found["max.message.bytes"].value == "2000000" and not found["max.message.bytes"].is_default
    assert found["retention.ms"].is_default

    cluster = admin.describe_cluster().result(20)
    assert len(cluster.nodes) == 1 and cluster.controller.id == cluster.nodes[0].id and cluster.cluster_id
    admin.delete_topics(["confluent-made"])["confluent-made"].result(20)
    assert "confluent-made" not in admin.list_topics(timeout=20).topics
    with pytest.raises(KafkaException) as refused:
        admin.delete_topics(["confluent-made"])["confluent-made"].result(20)
    assert refused.value.args[0].name() == "UNKNOWN_TOPIC_OR_PART"


def test_confluent_lists_offsets_and_deletes_records(log):
    admin = AdminClient({"bootstrap.servers": log.brokers})
    log.create("confluent-offsets", partitions=1)
    fill(log, "confluent-offsets")
    place = TopicPartition("confluent-offsets", 0)

    def offset(spec):
        return admin.list_offsets({place: spec})[place].result(20).offset

    assert offset(OffsetSpec.earliest()) == 0
    assert offset(OffsetSpec.latest()) == 10
    assert offset(OffsetSpec.for_timestamp(1_000_003)) == 3
    assert offset(OffsetSpec.for_timestamp(5_000_001)) == -1
    assert offset(OffsetSpec.max_timestamp()) == 4
    deleted = admin.delete_records([TopicPartition("confluent-offsets", 0, 3)])
    assert next(iter(deleted.values())).result(20).low_watermark == 3
    assert offset(OffsetSpec.earliest()) == 3
    assert [m.value() for m in log.consume("confluent-offsets")] == [b"v%d" % n for n in range(3, 10)]


def test_confluent_lists_describes_resets_and_deletes_groups(log, conversations):
    admin = AdminClient({"bootstrap.servers": log.brokers})
    log.create("confluent-group", partitions=1)
    fill(log, "confluent-group")
    member = conversations(kinds.Member("confluent", log.brokers, "administered", "confluent-group"))
    await_that(lambda: len(member.records()) == 10, 30, "that the member reads")

    def groups():
        return {one.group_id: one.state.name for one in admin.list_consumer_groups().result(20).valid}

    assert groups()["administered"] == "STABLE"
    described = admin.describe_consumer_groups(["administered"])["administered"].result(20)
    assert [(m.host, len(m.assignment.topic_partitions)) for m in described.members] == [("/127.0.0.1", 1)]
    with pytest.raises(KafkaException) as refused:
        admin.delete_consumer_groups(["administered"])["administered"].result(20)
    assert refused.value.args[0].name() == "NON_EMPTY_GROUP"
    member.leave()
    assert groups()["administered"] == "EMPTY"

    place = TopicPartition("confluent-group", 0, 4)
    altered = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions("administered", [place])])
    assert next(iter(altered.values())).result(20).topic_partitions[0].error is None
    listed = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions("administered")])
    assert [(p.topic, p.offset) for p in next(iter(listed.values())).result(20).topic_partitions] == [("confluent-group", 4)]
    admin.delete_consumer_groups(["administered"])["administered"].result(20)
    assert "administered" not in groups()


def test_kafka_python_administers_topics_configurations_and_records(log):
    admin = KafkaAdminClient(bootstrap_servers=log.brokers)
    wanted = {"pure-made": {"num_partitions": 2, "replication_factor": 1, "configs": {"retention.ms": DAY}}}
    admin.create_topics(wanted, validate_only=True)
    assert "pure-made" not in admin.list_topics()
    admin.create_topics(wanted)
    with pytest.raises(TopicAlreadyExistsError):
        admin.create_topics(wanted)
    admin.create_partitions({"pure-made": 3})
    assert len(admin.describe_topics(["pure-made"])[0]["partitions"]) == 3

    admin.alter_configs([PureConfigResource("TOPIC", "pure-made", {"max.message.bytes": "2000000"})])
    found = admin.describe_configs([PureConfigResource("TOPIC", "pure-made")])["topic"]["pure-made"]
    assert found["max.message.bytes"]["value"] == "2000000" and found["retention.ms"]["value"] == DAY

    fill(log, "pure-made")
    place = PurePartition("pure-made", 0)

    def offset(spec):
        return admin.list_partition_offsets({place: spec})[place].offset

    assert [offset(spec) for spec in (EARLIEST, LATEST, MAXIMUM, 1_000_003)] == [0, 10, 4, 3]
    admin.delete_records({place: 2})
    assert offset(EARLIEST) == 2
    assert len(admin.describe_cluster()["brokers"]) == 1
    admin.delete_topics(["pure-made"])
    assert "pure-made" not in admin.list_topics()
    with pytest.raises(UnknownTopicOrPartitionError):
        admin.delete_topics(["pure-made"])
    admin.close()


def test_kafka_python_administers_groups(log):
    admin = KafkaAdminClient(bootstrap_servers=log.brokers)
    log.create("pure-group", partitions=1)
    fill(log, "pure-group")
    place = PurePartition("pure-group", 0)
    admin.alter_group_offsets("pure", {place: OffsetAndMetadata(7, "note", -1)})
    found = admin.list_group_offsets({"pure": None})["pure"][place]
    assert (found.offset, found.metadata) == (7, "note")
    assert "pure" in [group["group_id"] for group in admin.list_groups()]
    assert admin.describe_groups(["pure"])["pure"]["group_state"] == "Empty"
    admin.delete_group_offsets("pure", [place])
    assert place not in admin.list_group_offsets({"pure": None}).get("pure", {})
    admin.delete_groups(["pure"])
    assert "pure" not in [group["group_id"] for group in admin.list_groups()]
    admin.close()


def test_kafka_python_looks_at_transactions_and_ends_one_by_hand(log, conversations):
    admin = KafkaAdminClient(bootstrap_servers=log.brokers)
    log.create("pure-transactions", partitions=1)
    place = PurePartition("pure-transactions", 0)
    writer = conversations(Conversation("kafka-python", "producer", log.brokers, "looked-at", 60_000))
    for words in [("init",), ("begin",), ("send", "pure-transactions", 0, "open")]:
        writer.expect_ok(*words)
    listed = [one for some in admin.list_transactions().values() for one in some if one.transactional_id == "looked-at"]
    assert [str(getattr(one.state, "value", one.state)) for one in listed] == ["Ongoing"]
    described = admin.describe_transactions(["looked-at"])["looked-at"]
    assert set(described.topic_partitions) == {place}
    producers = admin.describe_producers([place])[place].active_producers
    assert [(one.producer_id, one.current_transaction_start_offset) for one in producers] == [(described.producer_id, 0)]
    admin.abort_transaction(AbortTransactionSpec(place, described.producer_id, described.producer_epoch))
    producers = admin.describe_producers([place])[place].active_producers
    assert [one.current_transaction_start_offset for one in producers if one.current_transaction_start_offset not in (None, -1)] == []
    assert writer.ask("commit") != "ok"
    assert log.consume("pure-transactions") == []
    admin.close()


def test_aiokafka_administers(log):
    async def administer():
        admin = AIOKafkaAdminClient(bootstrap_servers=log.brokers)
        await admin.start()
        try:
            wanted = [AioNewTopic("aio-made", 2, 1, topic_configs={"retention.ms": DAY})]
            await admin.create_topics(wanted, validate_only=True)
            assert "aio-made" not in await admin.list_topics()
            made = await admin.create_topics(wanted)
            assert [error[1] for error in made.topic_errors] == [0]
            await admin.create_partitions({"aio-made": AioNewPartitions(3)})
            assert len((await admin.describe_topics(["aio-made"]))[0]["partitions"]) == 3
            found = await admin.describe_configs([AioConfigResource(AioConfigResourceType.TOPIC, "aio-made")])
            assert {entry[0]: entry[1] for entry in found[0].resources[0][4]}["retention.ms"] == DAY
            fill(log, "aio-made")
            place = AioTopicPartition("aio-made", 0)
            assert await admin.delete_records({place: RecordsToDelete(before_offset=2)}) == {place: 2}
            assert len((await admin.describe_cluster())["brokers"]) == 1
            assert log.committed("aio-group", "aio-made")[0] == (-1001, 8)
            consumer = Consumer({"bootstrap.servers": log.brokers, "group.id": "aio-group"})
            consumer.commit(offsets=[TopicPartition("aio-made", 0, 5)], asynchronous=False)
            consumer.close()
            assert "aio-group" in [group[0] for group in await admin.list_consumer_groups()]
            assert (await admin.list_consumer_group_offsets("aio-group"))[place].offset == 5
            described = await admin.describe_consumer_groups(["aio-group"])
            assert [(group[1], group[2]) for group in described[0].groups] == [("aio-group", "Empty")]
            gone = await admin.delete_topics(["aio-made"])
            assert [error[1] for error in gone.topic_error_codes] == [0]
            assert "aio-made" not in await admin.list_topics()
        finally:
            await admin.close()
    asyncio.run(administer())


def test_kcat_lists_the_metadata(log):
    log.create("kcat-listed", partitions=3)
    listed = subprocess.run(["kcat", "-L", "-b", log.brokers, "-t", "kcat-listed"], capture_output=True, text=True, check=True, timeout=60)
    assert 'topic "kcat-listed" with 3 partitions' in listed.stdout
    assert "broker 1 at" in listed.stdout


def test_kafka_go_makes_and_deletes_a_topic(log):
    assert kinds.run("kafka-go", "admin", log.brokers) == ["partitions 3"]


def test_the_java_client_administers(log):
    said = kinds.run("java", "admin", log.brokers)
    assert said[-1] == "ok no topic after its end", said
