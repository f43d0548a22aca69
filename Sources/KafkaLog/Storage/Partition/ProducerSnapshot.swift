/// The producers of a partition at an offset, as a file `<offset, 20 digits>.snapshot`, all big-endian:
///
///     magic u32 "MRPS"   version u16 (1)   CRC-32C u32 of all that follows   offset i64   count u32
///     per producer, by id: producer id i64, epoch i16, coordinator epoch i32, transaction start i64 (-1 none), last append i64,
///     batch count u8; per batch: first sequence i32, last sequence i32, first offset i64, last offset i64
enum ProducerSnapshot {
    private static let magic: UInt32 = 0x4d52_5053
    private static let version: UInt16 = 1
    private static let prefix = 10

    static func encode(_ states: ProducerStates, offset: Int64) -> [UInt8] {
        var body: [UInt8] = []
        body.append(bigEndian: offset)
        body.append(bigEndian: UInt32(states.entries.count))
        for (id, state) in states.entries.sorted(by: { $0.key < $1.key }) {
            body.append(bigEndian: id)
            body.append(bigEndian: state.epoch)
            body.append(bigEndian: state.coordinatorEpoch)
            body.append(bigEndian: state.transactionStart)
            body.append(bigEndian: state.lastAppend)
            body.append(UInt8(state.batches.count))
            for batch in state.batches {
                body.append(bigEndian: batch.firstSequence)
                body.append(bigEndian: batch.lastSequence)
                body.append(bigEndian: batch.firstOffset)
                body.append(bigEndian: batch.lastOffset)
            }
        }
        var bytes: [UInt8] = []
        bytes.append(bigEndian: magic)
        bytes.append(bigEndian: version)
        bytes.append(bigEndian: CheckedFile.checksum(body))
        return bytes + body
    }

    /// nil when the bytes are no snapshot at this offset: it can be rebuilt from the log.
    static func decode(_ bytes: [UInt8], offset: Int64) -> ProducerStates? {
        var reader = ByteReader(bytes[...])
        guard reader.integer(UInt32.self) == magic, reader.integer(UInt16.self) == version,
            let checksum = reader.integer(UInt32.self), CheckedFile.checksum([UInt8](bytes[prefix...])) == checksum,
            reader.integer(Int64.self) == offset, let count = reader.integer(UInt32.self)
        else { return nil }
        var entries: [Int64: ProducerState] = [:]
        for _ in 0..<count {
            guard let id = reader.integer(Int64.self), let epoch = reader.integer(Int16.self),
                let coordinatorEpoch = reader.integer(Int32.self), let transactionStart = reader.integer(Int64.self),
                let lastAppend = reader.integer(Int64.self), let batchCount = reader.integer(UInt8.self),
                batchCount <= ProducerState.remembered
            else { return nil }
            var state = ProducerState(
                epoch: epoch, coordinatorEpoch: coordinatorEpoch, lastAppend: lastAppend, transactionStart: transactionStart)
            for _ in 0..<batchCount {
                guard let firstSequence = reader.integer(Int32.self), let lastSequence = reader.integer(Int32.self),
                    let firstOffset = reader.integer(Int64.self), let lastOffset = reader.integer(Int64.self)
                else { return nil }
                state.batches.append(
                    ProducerState.Batch(
                        firstSequence: firstSequence, lastSequence: lastSequence, firstOffset: firstOffset, lastOffset: lastOffset))
            }
            entries[id] = state
        }
        return reader.remaining == 0 ? ProducerStates(entries: entries) : nil
    }
}
