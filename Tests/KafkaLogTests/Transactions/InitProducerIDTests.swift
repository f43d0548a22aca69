import KafkaLogCoordination
import KafkaLogTransactions
import Testing

struct InitProducerIDTests {
    @Test func idempotentProducersGetFreshIDsThatNoRestartGivesAgain() throws {
        let log = TransactionHarness()
        let first = try #require(log.initProducer(nil))
        let second = try #require(log.initProducer(nil))
        #expect(first.error == .none && first.producer.epoch == 0)
        #expect(second.producer.producerID == first.producer.producerID + 1)
        #expect(log.journal.count == 1, "a block of ids is one entry")
        try log.restart()
        let third = try #require(log.initProducer(nil))
        #expect(third.producer.producerID == 1_000)
    }

    @Test func theSameTransactionalIDGetsTheNextEpochAndTheOldOneIsFenced() throws {
        let log = TransactionHarness()
        let old = try log.producer("tx")
        let new = try log.producer("tx")
        #expect(new == old.at(1))
        #expect(log.add("tx", old) == .producerFenced)
        #expect(log.end("tx", old, commit: true) == .producerFenced)
        #expect(log.addOffsets("tx", old, group: "g") == .producerFenced)
        #expect(log.verify(old) == .invalidProducerEpoch)
        #expect(log.add("tx", new) == TransactionError.none)
    }

    @Test(arguments: [(0 as Int32, TransactionError.invalidTransactionTimeout), (-1, .invalidTransactionTimeout), (900_001, .invalidTransactionTimeout), (900_000, .none)])
    func theTimeoutHasALimit(timeout: Int32, error: TransactionError) {
        #expect(TransactionHarness().initProducer("tx", timeout: timeout)?.error == error)
    }

    @Test func anEmptyTransactionalIDIsRefused() {
        #expect(TransactionHarness().initProducer("")?.error == .invalidRequest)
    }

    @Test func anOngoingTransactionIsAbortedUnderANewEpochBeforeTheIDIsGivenOut() throws {
        let log = TransactionHarness()
        let old = try log.bring("tx", to: .ongoing)
        #expect(log.initProducer("tx")?.error == .concurrentTransactions)
        #expect(log.markers == [
            TransactionMarkers(producer: old.at(1), coordinatorEpoch: 0, commit: false, partitions: [TopicPartition("t", 0)], groups: [])
        ])
        #expect(log.verify(old) == .invalidProducerEpoch)
        #expect(log.end("tx", old, commit: true) == .producerFenced)
        #expect(log.initProducer("tx")?.error == .concurrentTransactions, "the markers are not written yet")
        log.writeMarkers()
        #expect(log.initProducer("tx")?.producer == old.at(2))
    }

    @Test(arguments: [TransactionState.prepareCommit, .prepareAbort])
    func aDecidedTransactionHasToBeCompleteFirst(state: TransactionState) throws {
        let log = TransactionHarness()
        let old = try log.bring("tx", to: state)
        #expect(log.initProducer("tx")?.error == .concurrentTransactions)
        #expect(log.markers.count == 1)
        log.writeMarkers()
        #expect(log.lastEnd != nil || log.state("tx") == .completeAbort || log.state("tx") == .completeCommit)
        #expect(log.initProducer("tx")?.producer == old.at(1))
    }

    @Test(arguments: [TransactionState.empty, .completeCommit, .completeAbort])
    func aProducerThatPresentsItselfIsBumpedAndGetsTheSameAnswerWhenItAsksAgain(state: TransactionState) throws {
        let log = TransactionHarness()
        let old = try log.bring("tx", to: state)
        #expect(log.initProducer("tx", current: old)?.producer == old.at(1))
        #expect(log.initProducer("tx", current: old)?.producer == old.at(1), "the first answer was lost")
        #expect(log.initProducer("tx", current: old.at(1))?.producer == old.at(2))
        #expect(log.initProducer("tx", current: old)?.error == .producerFenced)
        let stranger = ProducerIDAndEpoch(producerID: 77, epoch: old.epoch)
        #expect(log.initProducer("tx", current: stranger)?.error == .producerFenced)
    }

    @Test func theAnswerToABumpIsNotGivenAgainOnceItsProducerHasBegunATransaction() throws {
        let log = TransactionHarness()
        let old = try log.producer("tx")
        let new = try #require(log.initProducer("tx", current: old)).producer
        #expect(log.add("tx", new) == TransactionError.none)
        #expect(log.initProducer("tx", current: old)?.error == .producerFenced)
        #expect(log.state("tx") == .ongoing, "a zombie does not abort it")
        _ = log.end("tx", new, commit: true)
        log.writeMarkers()
        #expect(log.initProducer("tx", current: old)?.error == .producerFenced)
    }

    @Test func aProducerMayBumpItsEpochWithItsTransactionOngoing() throws {
        let log = TransactionHarness()
        let old = try log.bring("tx", to: .ongoing)
        #expect(log.initProducer("tx", current: old)?.error == .concurrentTransactions)
        try log.restart()
        #expect(log.markers.count == 1)
        log.writeMarkers()
        #expect(log.initProducer("tx", current: old)?.producer == old.at(1))
        // Somebody else's bump is not handed to it.
        #expect(log.add("tx", old.at(1)) == TransactionError.none)
        #expect(log.initProducer("tx")?.error == .concurrentTransactions)
        log.writeMarkers()
        #expect(log.initProducer("tx", current: old.at(1))?.error == .producerFenced)
    }

    @Test(arguments: [false, true])
    func atTheEndOfTheEpochsComesANewProducerID(presentsItself: Bool) throws {
        let log = TransactionHarness()
        var producer = try log.producer("tx")
        for _ in 0..<32_766 { producer = try log.producer("tx") }
        #expect(producer.epoch == 32_766)
        #expect(log.add("tx", producer) == TransactionError.none, "the last epoch works")
        _ = log.end("tx", producer, commit: true)
        log.writeMarkers()
        let current = presentsItself ? producer : nil
        let rotated = try #require(log.initProducer("tx", current: current)).producer
        #expect(rotated.producerID != producer.producerID && rotated.epoch == 0)
        #expect(log.verify(producer) == .invalidProducerIDMapping)
        #expect(log.add("tx", producer) == .invalidProducerIDMapping)
        if presentsItself {
            #expect(log.initProducer("tx", current: producer)?.producer == rotated, "the first answer was lost")
        }
    }

    @Test func theLastEpochCanBeFencedToo() throws {
        let log = TransactionHarness()
        var producer = try log.producer("tx")
        for _ in 0..<32_766 { producer = try log.producer("tx") }
        #expect(log.add("tx", producer) == TransactionError.none)
        #expect(log.initProducer("tx", current: producer)?.error == .concurrentTransactions)
        #expect(log.markers.first?.producer.epoch == 32_767)
        log.writeMarkers()
        let next = try #require(log.initProducer("tx", current: producer))
        #expect(next.error == .none && next.producer.epoch == 0 && next.producer.producerID != producer.producerID)
    }

    @Test func fencingIsToldToOldClientsInTheirWords() {
        #expect(TransactionError.producerFenced.forClient(knowsProducerFenced: false) == .invalidProducerEpoch)
        #expect(TransactionError.producerFenced.forClient(knowsProducerFenced: true) == .producerFenced)
        #expect(TransactionError.invalidTransactionState.forClient(knowsProducerFenced: false) == .invalidTransactionState)
    }

    @Test func transactionalIDsHaveALimit() throws {
        var configuration = TransactionConfiguration()
        configuration.maximumTransactionalIDs = 1
        let log = TransactionHarness(configuration)
        #expect(log.initProducer("one")?.error == TransactionError.none)
        #expect(log.initProducer("two")?.error == .policyViolation)
        #expect(log.initProducer("one")?.error == TransactionError.none)
    }
}
