"""Transactions of every client that has them: what is committed is seen at once, what is aborted never."""
import itertools

import pytest

import kinds
from harness import await_that
from kinds import Conversation

FENCED = ("fenced", "invalidproducerepoch", "invalid_producer_epoch")
numbers = itertools.count()


def seen(log, topic, isolation="read_committed"):
    return [message.value().decode() for message in log.consume(topic, isolation)]


def new_topic(log):
    topic = f"transactions-{next(numbers)}"
    log.create(topic, partitions=1)
    return topic


def producer(conversations, log, kind, name, timeout=60_000):
    made = conversations(Conversation(kind, "producer", log.brokers, name, timeout))
    made.expect_ok("init")
    return made


@pytest.mark.parametrize("kind", kinds.TRANSACTIONAL)
def test_committed_records_are_seen_and_aborted_ones_only_by_who_asks_for_them(log, conversations, kind):
    topic = new_topic(log)
    writer = producer(conversations, log, kind, f"commits-{kind}")
    for word, end in [("first", "commit"), ("second", "abort"), ("third", "commit")]:
        writer.expect_ok("begin")
        for index in range(3):
            writer.expect_ok("send", topic, 0, f"{word}-{index}")
        assert f"{word}-0" not in seen(log, topic)
        writer.expect_ok(end)
    everything = [f"{word}-{index}" for word in ("first", "second", "third") for index in range(3)]
    assert seen(log, topic) == everything[:3] + everything[6:]
    assert seen(log, topic, "read_uncommitted") == everything


@pytest.mark.parametrize("reader", kinds.TRANSACTIONAL)
def test_every_client_reads_around_what_was_aborted(log, conversations, reader):
    topic = new_topic(log)
    aborts = producer(conversations, log, "confluent", f"around-{reader}-aborts")
    commits = producer(conversations, log, "aiokafka", f"around-{reader}-commits")
    # The two are interleaved: the reader has to tell them apart by their producer.
    for step in range(3):
        for one in (aborts, commits):
            one.expect_ok("begin")
        for index in range(2):
            aborts.expect_ok("send", topic, 0, f"no-{step}-{index}")
            commits.expect_ok("send", topic, 0, f"yes-{step}-{index}")
        commits.expect_ok("commit")
        aborts.expect_ok("abort")
    found = kinds.run(reader, "read", log.brokers, "read_committed", f"{topic}=6")
    assert [bytes.fromhex(line.split("\t")[5]).decode() for line in found] == [f"yes-{step}-{index}" for step in range(3) for index in range(2)]
    found = kinds.run(reader, "read", log.brokers, "read_uncommitted", f"{topic}=12")
    assert len(found) == 12


@pytest.mark.parametrize("kind", kinds.TRANSACTIONAL)
@pytest.mark.parametrize("second", ["confluent", "java"])
def test_a_second_producer_of_the_same_name_fences_the_first(log, conversations, kind, second):
    topic, name = new_topic(log), f"fenced-{kind}-{second}"
    first = producer(conversations, log, kind, name)
    first.expect_ok("begin")
    first.expect_ok("send", topic, 0, "left-behind")
    successor = producer(conversations, log, second, name)
    answers = [first.ask("send", topic, 0, "too-late"), first.ask("commit")]
    assert answers[-1] != "ok", answers
    assert any(word in answer.lower() for answer in answers for word in FENCED), answers
    successor.expect_ok("begin")
    successor.expect_ok("send", topic, 0, "successor")
    successor.expect_ok("commit")
    assert seen(log, topic) == ["successor"]
    assert seen(log, topic, "read_uncommitted") == ["left-behind", "successor"]


@pytest.mark.parametrize("kind", kinds.TRANSACTIONAL)
def test_a_transaction_that_takes_too_long_is_aborted(log, conversations, kind):
    topic = new_topic(log)
    slow = producer(conversations, log, kind, f"slow-{kind}", timeout=4_000)
    slow.expect_ok("begin")
    slow.expect_ok("send", topic, 0, "late")
    log.produce(topic, [(None, "plain", {"partition": 0})])
    # The plain record stands behind the open transaction until that is over.
    assert seen(log, topic) == []
    await_that(lambda: seen(log, topic) == ["plain"], 20, "that the transaction is aborted")
    assert slow.ask("commit") != "ok"
    assert seen(log, topic) == ["plain"]


@pytest.mark.parametrize("kind", kinds.TRANSACTIONAL)
def test_offsets_of_a_transaction_are_committed_with_it_and_not_before(log, conversations, kind):
    topic, group = new_topic(log), f"offsets-{kind}"
    log.produce(topic, [(None, f"{n}", {"partition": 0}) for n in range(10)])
    writer = producer(conversations, log, kind, f"offsets-{kind}")

    def committed():
        return log.committed(group, topic)[0][0]

    for offset, end, after in [(4, "commit", 4), (7, "abort", 4), (9, "commit", 9)]:
        before = committed()
        writer.expect_ok("begin")
        writer.expect_ok("send", topic, 0, f"with-{offset}")
        writer.expect_ok("offsets", group, topic, 0, offset)
        writer.expect_ok(end)
        assert committed() == after, f"{offset} after {before} and {end}"
