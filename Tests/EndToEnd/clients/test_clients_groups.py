"""Members of different clients in one group: they share the partitions, come and go, and leave nothing out."""
import itertools
import time

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

import kinds
from harness import await_that
from kinds import Member

PARTITIONS = 12
names = (f"{n}" for n in itertools.count())


def fill(log, topic, count, start=0):
    """`count` records into each partition."""
    log.produce(topic, [(None, f"{n}", {"partition": partition}) for n in range(start, start + count) for partition in range(PARTITIONS)])


def topic_with(log, count):
    topic = f"group-topic-{next(names)}"
    log.create(topic, partitions=PARTITIONS)
    fill(log, topic, count)
    return topic


def state(log, group):
    """The group's state, and the partitions of each of its members."""
    admin = AdminClient({"bootstrap.servers": log.brokers})
    description = admin.describe_consumer_groups([group])[group].result(20)
    parts = {member.member_id: {place.partition for place in member.assignment.topic_partitions} for member in description.members}
    return description.state.name, parts


def await_shared(log, group, members, seconds=40):
    """The group is stable, and each partition is with exactly one of so many members."""
    def shared():
        name, parts = state(log, group)
        spread = sorted(number for owned in parts.values() for number in owned)
        return name == "STABLE" and len(parts) == members and spread == list(range(PARTITIONS)) and parts
    return await_that(shared, seconds, lambda: f"{group} with {members} members is {state(log, group)}: that all share the partitions")


def await_all_read(members, count, seconds=40):
    wanted = {(partition, offset) for partition in range(PARTITIONS) for offset in range(count)}
    def missing():
        return wanted - {record for member in members for record in member.records()}
    await_that(lambda: not missing(), seconds, lambda: f"{len(missing())} records are not read: that all are")


def await_committed(log, group, topic, count, seconds=20):
    """The committed offsets are at the end of every partition."""
    consumer = Consumer({"bootstrap.servers": log.brokers, "group.id": group})
    places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    def offsets():
        return [place.offset for place in consumer.committed(places, 20)]
    await_that(lambda: offsets() == [count] * PARTITIONS, seconds, lambda: f"{group} has committed {offsets()}: that it commits {count}")
    consumer.close()


def test_members_of_every_client_share_one_group_join_leave_and_die(log, conversations):
    topic, group = topic_with(log, 50), "every-kind"
    members = []
    for number, kind in enumerate(kinds.ALL, 1):
        members.append(conversations(Member(kind, log.brokers, group, topic)))
        await_shared(log, group, number)
    await_all_read(members, 50)
    fill(log, topic, 50, start=50)
    await_all_read(members, 100)
    members[-1].leave()
    members[0].leave()
    await_shared(log, group, len(members) - 2)
    members[1].kill()
    members[3].kill()
    # Nobody says that they are gone: their session times out after 6 s.
    await_shared(log, group, len(members) - 4)
    fill(log, topic, 50, start=100)
    await_all_read(members, 150)
    await_committed(log, group, topic, 150)
    for member in members:
        if member.process.poll() is None:
            member.leave()
    await_that(lambda: state(log, group) == ("EMPTY", {}), 10, "that the group is empty")


@pytest.mark.parametrize("kind", kinds.ALL)
def test_a_second_member_takes_half_and_gives_it_back(log, conversations, kind):
    topic, group = topic_with(log, 20), f"pair-{kind}"
    first = conversations(Member(kind, log.brokers, group, topic))
    await_shared(log, group, 1)
    # kafka-go of 2018 claims a version of its subscription that has meant something else since: other leaders give it nothing.
    other = {"kafka-go": "kafka-go", "confluent": "kafka-python"}.get(kind, "confluent")
    second = conversations(Member(other, log.brokers, group, topic))
    parts = await_shared(log, group, 2)
    assert sorted(len(owned) for owned in parts.values()) == [PARTITIONS // 2] * 2
    second.leave()
    await_shared(log, group, 1)
    fill(log, topic, 20, start=20)
    await_all_read([first, second], 40)
    await_committed(log, group, topic, 40)
    first.leave()


@pytest.mark.parametrize("other", ["librdkafka", "java"])
def test_cooperative_members_keep_what_stays_theirs(log, conversations, other):
    topic, group = topic_with(log, 20), f"cooperative-{other}"
    strategy = "cooperative-sticky"
    first = conversations(Member("confluent", log.brokers, group, topic, strategy=strategy))
    await_shared(log, group, 1)
    second = conversations(Member(other, log.brokers, group, topic, strategy=strategy))
    await_shared(log, group, 2)
    revoked = [line for line in first.said if line.startswith("revoked ")]
    assert sum(len(line.split()[1].split(",")) for line in revoked) == PARTITIONS // 2, revoked
    await_all_read([first, second], 20)
    # Nothing was read twice: what stayed was not interrupted, and what moved was committed before it did.
    records = first.records() + second.records()
    assert len(records) == len(set(records))
    second.leave()
    await_shared(log, group, 1)
    first.leave()


def test_static_members_that_come_back_in_time_disturb_nobody(log, conversations):
    topic, group = topic_with(log, 20), "static"
    session = 15
    stays = conversations(Member("confluent", log.brokers, group, topic, instance="stays"))
    members = [conversations(Member(kind, log.brokers, group, topic, instance=kind)) for kind in kinds.TRANSACTIONAL]

    def told():
        return [line for line in stays.said if line.startswith(("assigned", "revoked"))]

    before = await_shared(log, group, 1 + len(members))
    await_all_read([stays, *members], 20)
    # The broker knows first; the member is told after it.
    await_that(lambda: frozenset(map(int, told()[-1].partition(" ")[2].split(","))) in map(frozenset, before.values()), 20, told)
    changes = len(told())
    for member in members:
        member.kill()
    killed = time.monotonic()
    again = [conversations(Member(kind, log.brokers, group, topic, instance=kind)) for kind in kinds.TRANSACTIONAL]
    fill(log, topic, 20, start=20)
    await_all_read([stays, *members, *again], 40)
    # Nothing is to happen when the sessions of the killed would have ended: their places are taken.
    time.sleep(max(0, killed + session + 2 - time.monotonic()))
    after = await_shared(log, group, 1 + len(members))
    assert sorted(map(sorted, after.values())) == sorted(map(sorted, before.values()))
    assert len(told()) == changes, told()[changes:]
    for member in again:
        assert len([line for line in member.said if line.startswith("assigned ")]) <= 1, member.said
