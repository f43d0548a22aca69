import Batch

/// Rows of one schema on their way to other tasks, by target partition.
///
/// The partition of a row follows from the hash of its `by` columns (`shufflePartition`); with a salt of N the rows of a key
/// are spread evenly over that partition and the N - 1 behind it, by a number drawn from the position of the row among those that
/// were appended. Not thread-safe: its task's worker owns it.
///
/// A block (little-endian; its version stands in the header of whoever sends it): the hash of the schema, 8 bytes, then rows as
/// of `BatchCodec`, with the event times as one more column at the end.
package struct RowBlocks: Sendable {
    private let schemaHash: UInt64
    private let codec: KeyCodec
    private let salt: Int
    private let isNullable: [Bool]
    /// Of a row without its strings.
    private let fixedBytes: Int
    private var appended: UInt64 = 0
    private var waiting: [WaitingRows]

    // Per row of a batch; keep the size of the largest batch so far.
    private var keys = KeyColumn()
    private var rowBytes: [Int] = []

    /// - Parameters:
    ///   - by: positions in `schema`; none for one partition that takes all.
    ///   - salt: over how many partitions the rows of a key are spread, at least 1. No more than there are.
    ///   - partitions: at least 1.
    package init(schema: Schema, by: [Int], salt: Int, partitions: Int) {
        precondition(salt > 0 && partitions > 0, "a shuffle has a salt and partitions")
        schemaHash = Self.hash(schema)
        codec = KeyCodec(schema: schema, positions: by)
        self.salt = min(salt, partitions)
        isNullable = schema.fields.map(\.isNullable)
        fixedBytes = schema.fields.reduce(8) { $0 + Self.fixedBytes($1) }
        waiting = Array(repeating: WaitingRows(schema), count: partitions)
    }

    private static func fixedBytes(_ field: Field) -> Int {
        let validity = field.isNullable ? 1 : 0
        switch field.type {
        case .bool: return validity + 1
        case .int64, .timestamp, .float64: return validity + 8
        case .decimal: return validity + 16
        case .string: return validity + 4
        }
    }

    /// Rows of other columns are not to be taken for these.
    private static func hash(_ schema: Schema) -> UInt64 {
        var text = schema.fields.map(\.description).joined(separator: ", ")
        return text.withUTF8 { hash64(UnsafeRawBufferPointer($0)) }
    }

    /// Bytes that wait, about.
    package private(set) var size = 0

    /// Takes the selected rows with their event times.
    package mutating func append(_ batch: Batch) {
        guard !batch.selection.isEmpty else { return }
        codec.encode(batch, into: &keys)
        measure(batch)
        let (rows, ends) = byPartition(batch.selection)
        rows.withUnsafeBufferPointer { rows in
            var begin = 0
            for partition in waiting.indices where ends[partition] > begin {
                append(UnsafeBufferPointer(rebasing: rows[begin..<ends[partition]]), of: batch, to: partition)
                begin = ends[partition]
            }
        }
    }

    /// The rows in the order of their partitions, those of one partition in the batch's; and where each partition's end.
    private mutating func byPartition(_ selection: [Int32]) -> (rows: [Int32], ends: [Int]) {
        var targets = [Int32](repeating: 0, count: selection.count)
        var places = [Int](repeating: 0, count: waiting.count)
        for position in selection.indices {
            var target = shufflePartition(keys.hashes[Int(selection[position])], of: waiting.count)
            if salt > 1 {
                // Not the number itself: what comes in turns would always meet the same salt.
                target = (target + shufflePartition(appended, of: salt)) % waiting.count
                appended &+= 1
            }
            targets[position] = Int32(target)
            places[target] += 1
        }
        var end = 0
        for partition in places.indices {
            end += places[partition]
            places[partition] = end - places[partition]
        }
        var rows = [Int32](repeating: 0, count: selection.count)
        for position in selection.indices {
            let target = Int(targets[position])
            rows[places[target]] = selection[position]
            places[target] += 1
        }
        return (rows, places)
    }

    /// How many bytes each row is in a block.
    private mutating func measure(_ batch: Batch) {
        rowBytes.removeAll(keepingCapacity: true)
        rowBytes.append(contentsOf: repeatElement(fixedBytes, count: batch.rowCount))
        for column in batch.columns where column.type == .string {
            for row in 0..<batch.rowCount { rowBytes[row] += Int(column.views[row].length) }
        }
    }

    private mutating func append(_ rows: UnsafeBufferPointer<Int32>, of batch: Batch, to partition: Int) {
        var begin = 0
        var bytes = 0
        for position in rows.indices {
            let added = rowBytes[Int(rows[position])]
            if waiting[partition].rowCount + position > begin, waiting[partition].bytes + bytes + added > shuffleBlockBytes {
                waiting[partition].append(UnsafeBufferPointer(rebasing: rows[begin..<position]), of: batch, bytes, isNullable)
                waiting[partition].endBlock(schemaHash)
                begin = position
                bytes = 0
            }
            bytes += added
            size += added
        }
        waiting[partition].append(UnsafeBufferPointer(rebasing: rows[begin...]), of: batch, bytes, isNullable)
    }

    /// What waits for `partition`, in order, as blocks of at most about 512 KiB (or one row). It waits no longer.
    package mutating func take(partition: Int) -> [(rows: Int, bytes: [UInt8])] {
        size -= waiting[partition].allBytes
        return waiting[partition].take(schemaHash)
    }

    /// Appends a block's rows to `batch`, all of them selected, with `watermark` at each.
    /// - Parameter watermark: not below those of the rows that are in `batch`.
    /// - Returns: false when the bytes are no block of rows of `schema`; the batch is then empty.
    package static func decode(_ block: UnsafeRawBufferPointer, schema: Schema, watermark: Int64, into batch: inout Batch) -> Bool {
        guard block.count >= 8, block.loadUnaligned(as: UInt64.self) == hash(schema),
            let count = decodeRows(UnsafeRawBufferPointer(rebasing: block[8...]), into: &batch),
            batch.eventTimes.suffix(count).allSatisfy({ $0 >= -eventTimeMax && $0 <= eventTimeMax }),
            zip(schema.fields, batch.columns).allSatisfy({ $0.isNullable || !$1.hasNulls })
        else {
            batch = Batch(schema: schema)
            return false
        }
        batch.watermarks.append(contentsOf: repeatElement(watermark, count: count))
        batch.selection.append(contentsOf: Int32(batch.rowCount)..<Int32(batch.rowCount + count))
        batch.rowCount += count
        return true
    }

    /// As far as `TimedWord` goes.
    private static let eventTimeMax: Int64 = 1 << 61

    private static func decodeRows(_ rows: UnsafeRawBufferPointer, into batch: inout Batch) -> Int? {
        // Out of the batch while they grow: arrays that are held twice would be copied.
        var columns: [Column] = []
        swap(&columns, &batch.columns)
        columns.append(Column(.timestamp))
        let last = columns.count - 1
        swap(&columns[last].integers, &batch.eventTimes)
        let count = BatchCodec.decode(rows, into: &columns)
        swap(&columns[last].integers, &batch.eventTimes)
        let hasTimes = !columns[last].hasNulls
        columns.removeLast()
        swap(&columns, &batch.columns)
        return hasTimes ? count : nil
    }
}

/// The rows that wait for one partition.
private struct WaitingRows: Sendable {
    /// The schema's, then the event times.
    private var columns: [Column]
    private(set) var rowCount = 0
    /// Of those rows, in a block.
    private(set) var bytes = 0
    /// Together with the finished blocks.
    private(set) var allBytes = 0
    private var blocks: [(rows: Int, bytes: [UInt8])] = []

    init(_ schema: Schema) {
        columns = schema.fields.map { Column($0.type) } + [Column(.timestamp)]
    }

    mutating func append(_ rows: UnsafeBufferPointer<Int32>, of batch: Batch, _ added: Int, _ isNullable: [Bool]) {
        for index in batch.columns.indices {
            columns[index].append(rows, of: batch.columns[index], isNullable: isNullable[index])
        }
        columns[columns.count - 1].integers.append(rows, of: batch.eventTimes)
        rowCount += rows.count
        bytes += added
        allBytes += added
    }

    mutating func endBlock(_ schemaHash: UInt64) {
        guard rowCount > 0 else { return }
        var block: [UInt8] = []
        block.reserveCapacity(bytes + 64)
        withUnsafeBytes(of: schemaHash) { block.append(contentsOf: $0) }
        BatchCodec.encode(columns, rows: 0..<rowCount, into: &block)
        blocks.append((rowCount, block))
        for index in columns.indices { columns[index].removeAll() }
        rowCount = 0
        bytes = 0
    }

    mutating func take(_ schemaHash: UInt64) -> [(rows: Int, bytes: [UInt8])] {
        endBlock(schemaHash)
        defer {
            blocks = []
            allBytes = 0
        }
        return blocks
    }
}
