import KafkaLogCoordination

/// The journal entries of the transaction coordinator, version 1. Fields as `RecordWriter` writes them.
///
/// | entry | key | value |
/// |---|---|---|
/// | transaction | 0x11, transactional id (string) | version u8, producer id i64, last producer id i64, epoch i16, last epoch i16, time-out ms i32, state u8, start ms i64, update ms i64, number of partitions u32 and each: topic string, partition i32; number of groups u32 and each: string |
/// | producer id block | 0x12 | version u8, first producer id that was not taken yet i64 |
///
/// States: 0 empty, 1 ongoing, 2 prepare commit, 3 prepare abort, 4 complete commit, 5 complete abort. Partitions and groups
/// are ascending. A value of nil forgets the transactional id. A change of the format gets a new version byte, and the
/// code that reads version 1 stays.
enum TransactionRecordFormat {
    static let version: UInt8 = 1

    private static let states: [TransactionState] = [
        .empty, .ongoing, .prepareCommit, .prepareAbort, .completeCommit, .completeAbort,
    ]

    enum Entry: Hashable {
        case transaction(Transaction)
        case forgotten(transactionalID: String)
        case producerIDBlock(next: Int64)
    }

    static func record(_ transaction: Transaction) -> CoordinatorRecord {
        var value = RecordWriter()
        value.integer(version)
        value.integer(transaction.producer.producerID)
        value.integer(transaction.lastProducerID)
        value.integer(transaction.producer.epoch)
        value.integer(transaction.lastEpoch)
        value.integer(transaction.timeoutMilliseconds)
        value.integer(UInt8(states.firstIndex(of: transaction.state)!))
        value.integer(transaction.startTimestamp)
        value.integer(transaction.updateTimestamp)
        value.integer(UInt32(transaction.partitions.count))
        for partition in transaction.partitions.sorted() {
            value.string(partition.topic)
            value.integer(partition.partition)
        }
        value.integer(UInt32(transaction.groups.count))
        for group in transaction.groups.sorted() { value.string(group) }
        return CoordinatorRecord(key: key(transaction.transactionalID), value: value.bytes)
    }

    static func forget(_ transactionalID: String) -> CoordinatorRecord {
        CoordinatorRecord(key: key(transactionalID), value: nil)
    }

    static func producerIDBlock(next: Int64) -> CoordinatorRecord {
        var value = RecordWriter()
        value.integer(version)
        value.integer(next)
        return CoordinatorRecord(key: [CoordinatorRecordKind.producerIDBlock.rawValue], value: value.bytes)
    }

    private static func key(_ transactionalID: String) -> [UInt8] {
        var key = RecordWriter()
        key.integer(CoordinatorRecordKind.transaction.rawValue)
        key.string(transactionalID)
        return key.bytes
    }

    static func decode(_ record: CoordinatorRecord) throws(CoordinatorRecordError) -> Entry {
        guard let kind = record.key.first.flatMap(CoordinatorRecordKind.init(rawValue:)) else {
            throw .unknownKind(record.key.first)
        }
        var key = RecordReader(Array(record.key.dropFirst()), of: kind)
        switch kind {
        case .producerIDBlock:
            try key.end()
            guard let bytes = record.value else { throw key.malformed("a producer id block cannot be deleted") }
            var value = RecordReader(bytes, of: kind)
            try value.version(version)
            let next: Int64 = try value.integer("next producer id")
            try value.end()
            guard next >= 0 else { throw value.malformed("next producer id is \(next)") }
            return .producerIDBlock(next: next)
        case .transaction:
            let transactionalID = try key.string("transactional id")
            try key.end()
            guard let bytes = record.value else { return .forgotten(transactionalID: transactionalID) }
            return .transaction(try transaction(transactionalID, bytes))
        case .group, .committedOffset, .pendingOffset:
            throw .unknownKind(kind.rawValue)
        }
    }

    private static func transaction(_ transactionalID: String, _ bytes: [UInt8]) throws(CoordinatorRecordError) -> Transaction {
        var value = RecordReader(bytes, of: .transaction)
        try value.version(version)
        let producerID: Int64 = try value.integer("producer id")
        let lastProducerID: Int64 = try value.integer("last producer id")
        let epoch: Int16 = try value.integer("epoch")
        let lastEpoch: Int16 = try value.integer("last epoch")
        let timeout: Int32 = try value.integer("time-out")
        let state = Int(try value.integer("state", as: UInt8.self))
        guard producerID >= 0, epoch >= 0, timeout > 0, states.indices.contains(state) else {
            throw value.malformed("producer id \(producerID), epoch \(epoch), time-out \(timeout), state \(state)")
        }
        var transaction = Transaction(
            transactionalID: transactionalID, producer: ProducerIDAndEpoch(producerID: producerID, epoch: epoch),
            lastProducerID: lastProducerID, lastEpoch: lastEpoch, timeoutMilliseconds: timeout, state: states[state],
            startTimestamp: try value.integer("start"), updateTimestamp: try value.integer("update"))
        for _ in 0..<(try value.count("number of partitions", bytesEach: 8)) {
            transaction.partitions.insert(TopicPartition(try value.string("topic"), try value.integer("partition")))
        }
        for _ in 0..<(try value.count("number of groups", bytesEach: 4)) {
            transaction.groups.insert(try value.string("group"))
        }
        try value.end()
        return transaction
    }
}
