/// The end of a producer's transaction in one partition, as a control batch of one record:
/// key = version i16 (0), type i16 (0 abort, 1 commit); value = version i16 (0), coordinator epoch i32.
package struct EndTransactionMarker: Sendable, Hashable {
    package let isCommit: Bool
    package let coordinatorEpoch: Int32

    package init(isCommit: Bool, coordinatorEpoch: Int32) {
        self.isCommit = isCommit
        self.coordinatorEpoch = coordinatorEpoch
    }

    /// The control batch. `timestamp` in milliseconds since 1970.
    package func batch(producerID: Int64, producerEpoch: Int16, timestamp: Int64) -> [UInt8] {
        var key: [UInt8] = []
        key.append(bigEndian: Int16(0))
        key.append(bigEndian: Int16(isCommit ? 1 : 0))
        var value: [UInt8] = []
        value.append(bigEndian: Int16(0))
        value.append(bigEndian: coordinatorEpoch)
        var builder = RecordBatchBuilder(producerID: producerID, producerEpoch: producerEpoch, isTransactional: true)
        builder.isControl = true
        return builder.build([Record(timestamp: timestamp, key: key, value: value)])
    }

    /// Reads the marker of a control batch; nil when it is another kind of control batch.
    /// - Throws: `corruptMessage` when it cannot be read.
    package init?(batch: [UInt8]) throws(StorageError) {
        var records = try RecordIterator(batch: batch)
        guard let record = try records.next(), let key = record.key, let value = record.value else { return nil }
        var keyReader = ByteReader(key[...])
        var valueReader = ByteReader(value[...])
        // Later versions may only add fields at the end.
        guard let keyVersion = keyReader.integer(Int16.self), keyVersion >= 0, let type = keyReader.integer(Int16.self), type == 0 || type == 1,
            let valueVersion = valueReader.integer(Int16.self), valueVersion >= 0, let epoch = valueReader.integer(Int32.self)
        else { return nil }
        self.init(isCommit: type == 1, coordinatorEpoch: epoch)
    }
}
