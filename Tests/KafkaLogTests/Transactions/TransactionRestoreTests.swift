import KafkaLogCoordination
import KafkaLogTransactions
import Testing

struct TransactionRestoreTests {
    @Test(arguments: TransactionState.allCases)
    func everyStateComesBack(state: TransactionState) throws {
        let log = TransactionHarness()
        let producer = try log.bring("tx", to: state)
        let before = log.coordinator.describe(transactionalID: "tx")
        let markers = log.markers
        try log.restart()
        #expect(log.coordinator.describe(transactionalID: "tx") == before)
        #expect(log.markers == markers, "a decided transaction gets its markers again, no other does")
        log.writeMarkers()
        #expect(log.add("tx", producer) == TransactionError.none)
    }

    @Test func anOngoingTransactionHasItsWholeTimeoutAgain() throws {
        let log = TransactionHarness()
        _ = try log.bring("tx", to: .ongoing)
        log.advance(50_000)
        try log.restart()
        log.advance(59_999)
        #expect(log.state("tx") == .ongoing)
        log.advance(1)
        #expect(log.state("tx") == .prepareAbort)
    }

    @Test func theFormatIsWhatItWas() throws {
        let log = TransactionHarness()
        log.now.wallMilliseconds = 0x0102
        let producer = try log.producer("tx", timeout: 60_000)
        _ = log.add("tx", producer, [TopicPartition("t", 3)])
        _ = log.addOffsets("tx", producer, group: "g")
        _ = log.end("tx", producer, commit: true)
        let block = CoordinatorRecord(key: [0x12], value: [1, 0, 0, 0, 0, 0, 0, 3, 0xe8])
        let decided: [UInt8] = [1]
            + [0, 0, 0, 0, 0, 0, 0, 0] + [255, 255, 255, 255, 255, 255, 255, 255] + [0, 0] + [255, 255]
            + [0, 0, 0xea, 0x60] + [2] + [0, 0, 0, 0, 0, 0, 1, 2] + [0, 0, 0, 0, 0, 0, 1, 2]
            + [0, 0, 0, 1] + [0, 0, 0, 1, 0x74] + [0, 0, 0, 3] + [0, 0, 0, 1] + [0, 0, 0, 1, 0x67]
        #expect(log.journal.first == block)
        #expect(log.journal.last == CoordinatorRecord(key: [0x11, 0, 0, 0, 2, 0x74, 0x78], value: decided))
    }

    @Test func entriesThatAreNotUnderstoodStopTheStart() throws {
        let log = TransactionHarness()
        _ = try log.bring("tx", to: .ongoing)
        let good = try #require(log.journal.last)
        let value = try #require(good.value)
        let bad: [(CoordinatorRecord, CoordinatorRecordError?)] = [
            (CoordinatorRecord(key: [], value: []), .unknownKind(nil)),
            (CoordinatorRecord(key: [0x77], value: []), .unknownKind(0x77)),
            (CoordinatorRecord(key: [0x01], value: []), .unknownKind(0x01)),
            (CoordinatorRecord(key: good.key, value: [2] + value.dropFirst()), .unknownVersion(.transaction, 2)),
            (CoordinatorRecord(key: good.key, value: value + [0]), nil),
            (CoordinatorRecord(key: good.key.dropLast(), value: value), nil),
            (CoordinatorRecord(key: [0x12], value: nil), nil),
        ]
        for (record, error) in bad {
            let coordinator = TransactionCoordinator(configuration: TransactionConfiguration())
            let thrown = #expect(throws: CoordinatorRecordError.self, "\(record)") { try coordinator.restore(record) }
            if let error { #expect(thrown == error) }
        }
        for length in 0..<value.count {
            let coordinator = TransactionCoordinator(configuration: TransactionConfiguration())
            let cut = CoordinatorRecord(key: good.key, value: Array(value.prefix(length)))
            #expect(throws: CoordinatorRecordError.self, "cut to \(length)") { try coordinator.restore(cut) }
        }
    }

    @Test func aProducerIDOfTwoTransactionalIDsIsDamage() throws {
        let log = TransactionHarness()
        _ = try log.bring("tx", to: .ongoing)
        let value = try #require(log.journal.last?.value)
        let coordinator = TransactionCoordinator(configuration: TransactionConfiguration())
        for record in log.journal { try coordinator.restore(record) }
        #expect(throws: CoordinatorRecordError.self) {
            try coordinator.restore(CoordinatorRecord(key: [0x11, 0, 0, 0, 1, 0x79], value: value))
        }
    }

    @Test func journalsAreToldApartByTheirFirstByte() {
        #expect(TransactionCoordinator.owns(CoordinatorRecord(key: [0x11, 0], value: nil)))
        #expect(TransactionCoordinator.owns(CoordinatorRecord(key: [0x12], value: nil)))
        #expect(!TransactionCoordinator.owns(CoordinatorRecord(key: [0x01], value: nil)))
        #expect(!TransactionCoordinator.owns(CoordinatorRecord(key: [], value: nil)))
    }
}
