import CRdKafka
import Foundation
import KafkaClient
import Seeded
import Testing

@Suite struct GroupTests {
    let cluster = MockCluster()

    private func partitions(_ range: Range<Int32>) -> [TopicPartition] { range.map { TopicPartition("t", $0) } }

    @Test func anAssignmentIsBegunPartByPartAndGivenBackWhole() throws {
        cluster.createTopic("t", partitions: 4)
        try cluster.producer().produce("t", 2, [("k", "v")])
        let consumer = try cluster.consumer()
        let queue = try consumer.makeWorkerQueue()
        try consumer.subscribe(["t"])
        #expect(try consumer.assignment() == partitions(0..<4))
        // Nothing is fetched before it is begun, and the rest may follow any time later or never.
        try consumer.begin(TopicPartition("t", 2), at: .earliest, on: queue)
        #expect(try queue.records(1).map(\.partition.partition) == [2])
        try consumer.beginClose()
        let event = try consumer.event { if case .revoke = $0 { true } else { false } }
        guard case .revoke(let given) = event else { return }
        #expect(given.sorted() == partitions(0..<4))
        #expect(!consumer.isClosed)
        #expect(throws: KafkaClientError.self) { try consumer.begin(TopicPartition("t", 1), at: .earliest, on: queue) }
        try consumer.completeRevoke(given)
        let deadline = ContinuousClock.now + patience
        while !consumer.isClosed, ContinuousClock.now < deadline { _ = consumer.poll(timeout: .milliseconds(20)) }
        #expect(consumer.isClosed)
    }

    @Test func aMemberThatLeavesHandsItsPartitionsOn() throws {
        cluster.createTopic("t", partitions: 4)
        let first = try cluster.consumer()
        try first.subscribe(["t"])
        #expect(try first.assignment().count == 4)
        #expect(try first.close(timeout: patience))
        let second = try cluster.consumer()
        try second.subscribe(["t"])
        #expect(try second.assignment().count == 4)
        #expect(try second.close(timeout: patience))
    }

    @Test func aRebalanceWaitsForTheRevocationAndTakesNothingElse() throws {
        cluster.createTopic("t", partitions: 4)
        let producer = try cluster.producer()
        let first = try cluster.consumer()
        let queue = try first.makeWorkerQueue()
        try first.subscribe(["t"])
        for partition in try first.assignment() { try first.begin(partition, at: .earliest, on: queue) }
        let second = try cluster.consumer()
        try second.subscribe(["t"])
        var revoked: [TopicPartition] = []
        let deadline = ContinuousClock.now + patience
        while revoked.isEmpty, ContinuousClock.now < deadline {
            if case .revoke(let list)? = first.poll(timeout: .milliseconds(50)) { revoked = list }
            if case .assign(let list)? = second.poll(timeout: .milliseconds(50)) { #expect(list.isEmpty) }
        }
        try #require(revoked.count == 2)
        let kept = Set(partitions(0..<4)).subtracting(revoked)
        for partition in kept { try producer.produce("t", partition.partition, [("", "meanwhile"), ("", "more")]) }
        _ = try first.groupMetadata()
        try first.completeRevoke(revoked)
        // What is kept goes on where it was.
        var given: [TopicPartition] = []
        var read: [Record] = []
        while given.isEmpty || read.count < 4, ContinuousClock.now < deadline {
            if case .assign(let list)? = second.poll(timeout: .milliseconds(20)) { given += list }
            let event = first.poll(timeout: .milliseconds(20))
            #expect(event == nil || event == .assign([]))
            read += queue.consume(max: 10, timeout: .milliseconds(20)).records
        }
        #expect(read.count == 4)
        #expect(Set(read.map { "\($0.partition)@\($0.offset)" }) == Set(kept.flatMap { ["\($0)@0", "\($0)@1"] }))
        #expect(Set(given) == Set(revoked))
        #expect(first.reading == kept.sorted())
        #expect(try second.close(timeout: patience))
        #expect(try first.close(timeout: patience))
    }

    @Test func heartbeatsGoOnWhileARevocationIsOpen() throws {
        cluster.createTopic("t", partitions: 2)
        let first = try cluster.consumer(properties: ["heartbeat.interval.ms": "200"])
        try first.subscribe(["t"])
        #expect(try first.assignment().count == 2)
        let second = try cluster.consumer()
        try second.subscribe(["t"])
        var revoked: [TopicPartition] = []
        let start = ContinuousClock.now
        while revoked.isEmpty, ContinuousClock.now < start + patience {
            if case .revoke(let list)? = first.poll(timeout: .milliseconds(50)) { revoked = list }
            _ = second.poll(timeout: .milliseconds(50))
        }
        // Longer than the session time-out of 6 s.
        let open = ContinuousClock.now
        while ContinuousClock.now < open + .seconds(8) {
            let event = first.poll(timeout: .milliseconds(100))
            #expect(event == nil, "\(String(describing: event))")
            _ = second.poll(timeout: .milliseconds(100))
        }
        try first.completeRevoke(revoked)
        var given: [TopicPartition] = []
        while given.isEmpty, ContinuousClock.now < open + .seconds(30) {
            if case .assign(let list)? = second.poll(timeout: .milliseconds(50)) { given += list }
            let event = first.poll(timeout: .milliseconds(50))
            if case .lost? = event { Issue.record("\(String(describing: event))") }
        }
        #expect(given == revoked)
    }

    @Test func pollingAloneKeepsAMemberInTheGroup() throws {
        cluster.createTopic("t", partitions: 1)
        let consumer = try cluster.consumer(rebalanceTimeout: .seconds(6))
        try consumer.subscribe(["t"])
        #expect(try consumer.assignment().count == 1)
        let start = ContinuousClock.now
        while ContinuousClock.now < start + .seconds(8) {
            let event = consumer.poll(timeout: .milliseconds(500))
            #expect(event == nil, "\(String(describing: event))")
        }
    }

    @Test func partitionsOfAFencedMemberAreLostAndComeBackAfterTheAnswer() throws {
        cluster.createTopic("t", partitions: 2)
        try cluster.producer().produce("t", 0, [("", "a")])
        let consumer = try cluster.consumer(properties: ["heartbeat.interval.ms": "200"])
        let queue = try consumer.makeWorkerQueue()
        try consumer.subscribe(["t"])
        #expect(try consumer.assignment() == partitions(0..<2))
        try consumer.begin(TopicPartition("t", 0), at: .earliest, on: queue)
        #expect(try queue.records(1).count == 1)
        cluster.fail(.heartbeat, with: RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID)
        let event = try consumer.event { if case .lost = $0 { true } else { false } }
        guard case .lost(let lost) = event else { return }
        #expect(lost.sorted() == partitions(0..<2))
        try consumer.completeRevoke(lost)
        #expect(consumer.reading.isEmpty)
        #expect(try consumer.assignment() == partitions(0..<2))
        try consumer.begin(TopicPartition("t", 0), at: .earliest, on: queue)
        #expect(try queue.records(1).map(\.offset) == [0])
    }

    @Test func whatTheGroupNeverCommittedIsNil() throws {
        cluster.createTopic("t", partitions: 2)
        let consumer = try cluster.consumer()
        let committed = try consumer.committed(partitions(0..<2), timeout: patience)
        #expect(committed == partitions(0..<2).map { CommittedOffset(partition: $0, offset: nil, metadata: "") })
    }

    @Test func aConsumerThatIsDroppedWithARebalanceUnansweredDoesNotHang() throws {
        cluster.createTopic("t", partitions: 2)
        do {
            // Handed out and not completed.
            let consumer = try cluster.consumer(group: "revoked")
            let queue = try consumer.makeWorkerQueue()
            try consumer.subscribe(["t"])
            for partition in try consumer.assignment() { try consumer.begin(partition, at: .earliest, on: queue) }
            try consumer.beginClose()
            _ = try consumer.event { if case .revoke = $0 { true } else { false } }
        }
        do {
            // Not even polled: the other member's assignment shows that this one was given its own.
            let consumer = try cluster.consumer(group: "assigned")
            try consumer.subscribe(["t"])
            let other = try cluster.consumer(group: "assigned")
            try other.subscribe(["t"])
            _ = try other.assignment()
        }
    }

    @Test func aConsumerMayBeDroppedAtAnyMomentOfJoining() throws {
        cluster.createTopic("t", partitions: 2)
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SplitMix64(seed: seed)
        // The mock cluster answers a join after about 3 to 5 seconds.
        let moments = (0..<16).map { _ in Int.random(in: 0...6000, using: &random) }
        let threads = moments.enumerated().map { index, milliseconds in
            onThread { [cluster] () -> String? in
                do {
                    // Two of a group each, so that rebalances cross.
                    let consumer = try cluster.consumer(group: "group-\(index / 2)")
                    try consumer.subscribe(["t"])
                    let moment = ContinuousClock.now + .milliseconds(milliseconds)
                    while ContinuousClock.now < moment {
                        // Some leave their events unread.
                        if index % 4 == 3 {
                            consumer.wake()
                            Thread.sleep(forTimeInterval: 0.01)
                        } else {
                            _ = consumer.poll(timeout: .milliseconds(10))
                        }
                    }
                    return nil
                } catch {
                    return "\(error)"
                }
            }
        }
        for thread in threads { #expect(thread() == nil) }
    }
}
