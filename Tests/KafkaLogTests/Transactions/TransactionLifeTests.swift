import KafkaLogCoordination
import KafkaLogTransactions
import Testing

struct TransactionLifeTests {
    let partition = TopicPartition("t", 0)

    @Test(arguments: [
        (TransactionState.empty, TransactionError.none), (.ongoing, .none), (.prepareCommit, .concurrentTransactions),
        (.prepareAbort, .concurrentTransactions), (.completeCommit, .none), (.completeAbort, .none),
    ])
    func partitionsAndOffsetsAreTakenUnlessATransactionIsBeingEnded(state: TransactionState, error: TransactionError) throws {
        let log = TransactionHarness()
        let producer = try log.bring("tx", to: state)
        #expect(log.add("tx", producer, [TopicPartition("u", 3)]) == error)
        #expect(log.addOffsets("tx", producer, group: "g") == error)
        let description = log.coordinator.describe(transactionalID: "tx")
        if error == .none {
            #expect(description.state == .ongoing)
            let before = state == .ongoing ? [partition] : []
            #expect(description.partitions == before + [TopicPartition("u", 3)], "nothing is left of the transaction before")
            #expect(description.groups == ["g"])
        } else {
            #expect(description.partitions == [partition])
        }
    }

    @Test(arguments: [
        (TransactionState.empty, true, TransactionError.invalidTransactionState), (.empty, false, .invalidTransactionState),
        (.prepareCommit, true, .concurrentTransactions), (.prepareCommit, false, .invalidTransactionState),
        (.prepareAbort, true, .invalidTransactionState), (.prepareAbort, false, .concurrentTransactions),
        (.completeCommit, true, .none), (.completeCommit, false, .invalidTransactionState),
        (.completeAbort, true, .invalidTransactionState), (.completeAbort, false, .none),
    ])
    func endingATransactionThatIsNotOngoing(state: TransactionState, commit: Bool, error: TransactionError) throws {
        let log = TransactionHarness()
        let producer = try log.bring("tx", to: state)
        let markers = log.markers
        #expect(log.end("tx", producer, commit: commit) == error)
        #expect(log.markers == markers)
        #expect(log.state("tx") == state)
    }

    @Test(arguments: [true, false])
    func theEndIsAnsweredWhenTheMarkersAreWritten(commit: Bool) throws {
        let log = TransactionHarness()
        let producer = try log.bring("tx", to: .ongoing)
        #expect(log.addOffsets("tx", producer, group: "g") == TransactionError.none)
        #expect(log.end("tx", producer, commit: commit) == nil)
        #expect(log.markers == [
            TransactionMarkers(producer: producer, coordinatorEpoch: 0, commit: commit, partitions: [partition], groups: ["g"])
        ])
        log.writeMarkers()
        #expect(log.lastEnd == TransactionError.none)
        #expect(log.state("tx") == (commit ? .completeCommit : .completeAbort))
    }

    @Test func theDecisionIsPersistedBeforeTheMarkersAreAskedFor() throws {
        let log = TransactionHarness()
        let producer = try log.bring("tx", to: .ongoing)
        let actions = log.coordinator.endTransaction(
            transactionalID: "tx", producer: producer, commit: true, RequestToken(99), log.now)
        try #require(actions.count == 2)
        guard case .persist = actions[0], case .writeMarkers = actions[1] else {
            Issue.record("\(actions)")
            return
        }
    }

    @Test func partitionsThatAreAlreadyInCostNoEntryButWaitForTheFirstOne() throws {
        let log = TransactionHarness()
        let producer = try log.bring("tx", to: .ongoing)
        let actions = log.coordinator.addPartitions(
            transactionalID: "tx", producer: producer, partitions: [partition], RequestToken(99), log.now)
        #expect(actions == [.replyWhenDurable(RequestToken(99), .addPartitions(.none))])
    }

    @Test func unknownProducersAreTold() throws {
        let log = TransactionHarness()
        let producer = try log.bring("tx", to: .ongoing)
        let stranger = ProducerIDAndEpoch(producerID: 77, epoch: 0)
        #expect(log.add("other", producer) == .invalidProducerIDMapping)
        #expect(log.add("tx", stranger) == .invalidProducerIDMapping)
        #expect(log.addOffsets("tx", stranger, group: "g") == .invalidProducerIDMapping)
        #expect(log.end("tx", stranger, commit: true) == .invalidProducerIDMapping)
        #expect(log.end("tx", producer.at(5), commit: true) == .producerFenced)
        #expect(log.add("", producer) == .invalidRequest)
        #expect(log.addOffsets("tx", producer, group: "") == .invalidGroupID)
        #expect(log.verify(stranger) == .invalidProducerIDMapping)
    }

    @Test(arguments: TransactionState.allCases)
    func aBatchMayOnlyGoIntoTheOngoingTransactionAndItsPartitions(state: TransactionState) throws {
        let log = TransactionHarness()
        let producer = try log.bring("tx", to: state)
        #expect(log.verify(producer) == (state == .ongoing ? .none : .invalidTransactionState))
        #expect(log.verify(producer, TopicPartition("t", 1)) == .invalidTransactionState)
        #expect(log.verify(producer.at(producer.epoch + 1)) == .invalidProducerEpoch)
        #expect(throws: TransactionError.invalidTransactionState) { try log.coordinator.verify(producer, groupID: "g") }
    }

    @Test func aTransactionThatTakesTooLongIsAbortedAndItsProducerFenced() throws {
        let log = TransactionHarness()
        let producer = try log.producer("tx", timeout: 5_000)
        log.advance(100_000)
        #expect(log.state("tx") == .empty, "only a transaction has a time-out")
        #expect(log.add("tx", producer) == TransactionError.none)
        log.advance(4_000)
        #expect(log.add("tx", producer, [TopicPartition("t", 1)]) == TransactionError.none)
        #expect(log.coordinator.nextDeadline.map { $0 <= log.now.monotonicMilliseconds + 1_000 } == true)
        log.advance(999)
        #expect(log.state("tx") == .ongoing)
        log.advance(1)
        #expect(log.state("tx") == .prepareAbort)
        #expect(log.markers.map(\.producer) == [producer.at(1)])
        #expect(log.markers.first?.commit == false)
        #expect(log.end("tx", producer, commit: true) == .producerFenced)
        log.writeMarkers()
        #expect(log.add("tx", producer) == .producerFenced)
        #expect(log.initProducer("tx", current: producer)?.error == .producerFenced)
        #expect(log.initProducer("tx")?.producer == producer.at(2))
    }

    @Test func aDecidedTransactionDoesNotTimeOut() throws {
        let log = TransactionHarness()
        let producer = try log.producer("tx", timeout: 5_000)
        _ = log.add("tx", producer)
        _ = log.end("tx", producer, commit: true)
        log.advance(60_000)
        #expect(log.state("tx") == .prepareCommit)
        #expect(log.markers.map(\.commit) == [true])
        log.writeMarkers()
        #expect(log.lastEnd == TransactionError.none)
    }

    @Test func aJumpOfTheWallClockEndsNoTransaction() throws {
        let log = TransactionHarness()
        let producer = try log.producer("tx", timeout: 5_000)
        _ = log.add("tx", producer)
        log.now.wallMilliseconds += 3_600_000
        log.advance(10)
        log.now.wallMilliseconds -= 7_200_000
        log.advance(10)
        #expect(log.state("tx") == .ongoing)
        #expect(log.end("tx", producer, commit: true) == nil)
    }

    @Test func markersThatAreReportedTwiceOrForAnOldEpochChangeNothing() throws {
        let log = TransactionHarness()
        let producer = try log.bring("tx", to: .prepareCommit)
        #expect(log.coordinator.markersWritten(producer.at(9), log.now).isEmpty)
        log.writeMarkers()
        #expect(log.coordinator.markersWritten(producer, log.now).isEmpty)
        #expect(log.add("tx", producer) == TransactionError.none)
        #expect(log.coordinator.markersWritten(producer, log.now).isEmpty)
        #expect(log.state("tx") == .ongoing)
    }

    @Test func idleTransactionalIDsAreForgottenForGood() throws {
        let log = TransactionHarness()
        _ = try log.bring("idle", to: .completeCommit)
        let week: Int64 = 7 * 24 * 3_600_000
        log.advance(week - 10_000_000)
        let producer = try log.bring("busy", to: .ongoing)
        log.advance(20_000_000)
        #expect(log.coordinator.describe(transactionalID: "idle").error == .transactionalIDNotFound)
        #expect(log.coordinator.list().map(\.transactionalID) == ["busy"])
        try log.restart()
        #expect(log.coordinator.list().map(\.transactionalID) == ["busy"])
        #expect(log.coordinator.list().map(\.producerID) == [producer.producerID])
    }

    @Test func descriptionsSayWhatIsThere() throws {
        let log = TransactionHarness()
        let producer = try log.bring("tx", to: .ongoing)
        let description = log.coordinator.describe(transactionalID: "tx")
        #expect(description.producer == producer)
        #expect(description.startTimestamp == log.now.wallMilliseconds)
        #expect(description.timeoutMilliseconds == 60_000)
        #expect(log.coordinator.countByState() == [.ongoing: 1])
        #expect(log.coordinator.describe(transactionalID: "none").error == .transactionalIDNotFound)
        #expect(log.coordinator.knows(producerID: producer.producerID, partition))
        #expect(!log.coordinator.knows(producerID: producer.producerID, TopicPartition("t", 1)))
        #expect(!log.coordinator.knows(producerID: 77, partition))
    }
}
