import Batch
import JobFile
import State

/// Rows of a Parquet sink that are in no file yet. They are part of the task's state: a file may span epochs, a row is
/// durable with the epoch that made it.
package struct ParquetOutput {
    /// What decides which rows share a file.
    package enum FileRule {
        /// At a freeze, size, age and need of memory: readers wait no longer than that.
        case byAge
        /// The rows and their order alone: a file ends with the row that fills it, or that makes all that wait more than
        /// `pendingBytesMax`.
        case byRows(pendingBytesMax: Int)
    }

    /// Rows of one directory.
    private struct Pending {
        var columns: [Column]
        var rows = 0
        var bytes = 0
        /// The first so many rows are in the state already.
        var rowsInState = 0
        /// Those after them as the state will have them, in pieces of `pieceRows`: so that a freeze has little to encode.
        var encoded: [[UInt8]] = []
        var rowsEncoded: Int { rowsInState + encoded.count * ParquetOutput.pieceRows }
        /// When the first of them came.
        var since: ContinuousClock.Instant
    }

    private static let pieceRows = 1_024
    /// The number of a piece has 16 bits of its key.
    private static let piecesMax = 1 << 16

    let name: String
    let plan: ParquetSinkPlan
    /// What the files hold.
    let schema: Schema
    private let columns: [Int]
    let namespace: UInt16
    private var path: PartitionPath
    private let rule: FileRule
    private var pending: [String: Pending] = [:]
    /// Bytes of rows in no file yet.
    private(set) var size = 0
    /// Since the last freeze, in order: what is to become files with the next.
    private var full: [(directory: String, rows: Pending)] = []
    /// Bytes of `full`.
    private(set) var fullSize = 0

    package init(_ name: String, _ plan: ParquetSinkPlan, columns: [Int], input: Schema, namespace: UInt16, rule: FileRule = .byAge) {
        self.name = name
        self.plan = plan
        self.columns = columns
        self.namespace = namespace
        self.rule = rule
        schema = Schema(columns.map { input.fields[$0] })
        path = PartitionPath(plan.partitionBy)
    }

    /// What stored rows have to agree with.
    var fingerprint: String {
        let partitions = plan.partitionBy.map { "\($0.name):\($0.transform.rawValue)" }.joined(separator: ",")
        return "parquet/1 \(schema.fields.map(\.description).joined(separator: ", ")) by \(partitions)"
    }

    package mutating func append(_ batch: Batch, now: ContinuousClock.Instant) {
        batch.selection.withUnsafeBufferPointer { rows in
            guard let row = rows.first else { return }
            let sizes = sizes(rows, batch)
            var directory = path.directory(batch.columns, Int(row))
            var first = 0
            while first < rows.count {
                // Rows of one batch mostly share their directory.
                var end = first + 1
                var next = directory
                while end < rows.count {
                    next = path.directory(batch.columns, Int(rows[end]))
                    if next != directory { break }
                    end += 1
                }
                append(.init(rebasing: rows[first..<end]), sizes[first..<end], of: batch, to: directory, now)
                first = end
                directory = next
            }
        }
    }

    /// Appends rows of one directory, as many at a time as go into one file.
    private mutating func append(
        _ rows: UnsafeBufferPointer<Int32>, _ sizes: ArraySlice<Int>, of batch: Batch, to directory: String, _ now: ContinuousClock.Instant
    ) {
        var first = 0
        while first < rows.count {
            var waiting = takeOut(directory, now)
            var end = first
            var isDue = false
            while end < rows.count, !isDue {
                let bytes = sizes[sizes.startIndex + end]
                waiting.bytes += bytes
                size += bytes
                end += 1
                if case .byRows(let pendingBytesMax) = rule { isDue = waiting.bytes >= plan.rollSize || size > pendingBytesMax }
            }
            let some = UnsafeBufferPointer(rebasing: rows[first..<end])
            for (target, source) in columns.enumerated() { waiting.columns[target].append(some, of: batch.columns[source], isNullable: true) }
            waiting.rows += some.count
            let isFull = waiting.bytes >= plan.rollSize
            putBack(waiting, directory)
            first = end
            guard isDue, case .byRows(let pendingBytesMax) = rule else { continue }
            if isFull { close(directory) }
            if size > pendingBytesMax, let largest = pending.max(by: { ($0.value.bytes, $0.key) < ($1.value.bytes, $1.key) }) {
                close(largest.key)
            }
        }
    }

    /// Bytes that each of `rows` counts for.
    private func sizes(_ rows: UnsafeBufferPointer<Int32>, _ batch: Batch) -> [Int] {
        var sizes = [Int](repeating: 0, count: rows.count)
        for column in columns { batch.columns[column].addSizes(of: rows, to: &sizes) }
        return sizes
    }

    private mutating func takeOut(_ directory: String, _ now: ContinuousClock.Instant) -> Pending {
        pending.removeValue(forKey: directory) ?? Pending(columns: schema.fields.map { Column($0.type) }, since: now)
    }

    private mutating func putBack(_ rows: consuming Pending, _ directory: String) {
        guard rows.rows > 0 else { return }
        while rows.rows - rows.rowsEncoded >= Self.pieceRows, rows.encoded.count < Self.piecesMax - 1 {
            rows.encoded.append(Self.encode(rows.columns, rows.rowsEncoded..<rows.rowsEncoded + Self.pieceRows))
        }
        pending[directory] = rows
    }

    private static func encode(_ columns: [Column], _ rows: Range<Int>) -> [UInt8] {
        var value: [UInt8] = []
        BatchCodec.encode(columns, rows: rows, into: &value)
        return value
    }

    private mutating func close(_ directory: String) {
        guard let rows = pending.removeValue(forKey: directory) else { return }
        size -= rows.bytes
        fullSize += rows.bytes
        full.append((directory, rows))
    }

    /// Whether something is to be done at the next freeze even if no record comes.
    func isDue(now: ContinuousClock.Instant) -> Bool {
        guard case .byAge = rule else { return false }
        return pending.values.contains { now - $0.since >= .microseconds(plan.rollEvery) }
    }

    /// Puts new rows into `changes`, and takes out those that are to become files now: all with `rollAll`, else what the rule says.
    /// - Parameter memoryMax: bytes; what is above it may be written early.
    package mutating func freeze(
        epoch: Int, rollAll: Bool, memoryMax: Int, now: ContinuousClock.Instant, into changes: inout ChangeSet
    ) -> [RolledRows] {
        var rolled = full.map { roll($0.rows, $0.directory, into: &changes) }
        full = []
        fullSize = 0
        // Rows that wait for their file cannot be evicted, but a file may be closed early.
        let isForced = if case .byAge = rule { size > memoryMax } else { false }
        for directory in pending.keys.sorted() {
            guard var rows = pending[directory] else { continue }
            let isDue = if case .byAge = rule { rows.bytes >= plan.rollSize || now - rows.since >= .microseconds(plan.rollEvery) } else { false }
            if rollAll || isForced || isDue {
                rolled.append(roll(rows, directory, into: &changes))
                size -= rows.bytes
                pending[directory] = nil
            } else if rows.rowsInState < rows.rows {
                if rows.rowsEncoded < rows.rows { rows.encoded.append(Self.encode(rows.columns, rows.rowsEncoded..<rows.rows)) }
                for (number, value) in rows.encoded.enumerated() {
                    (Self.prefix(directory) + Self.bigEndian(epoch << 16 | number)).withUnsafeBytes { key in
                        value.withUnsafeBytes { changes.put(namespace, key: key, value: $0) }
                    }
                }
                rows.encoded = []
                rows.rowsInState = rows.rows
                pending[directory] = rows
            }
        }
        return rolled
    }

    private func roll(_ rows: Pending, _ directory: String, into changes: inout ChangeSet) -> RolledRows {
        if rows.rowsInState > 0 { Self.prefix(directory).withUnsafeBytes { changes.deletePrefix(namespace, prefix: $0) } }
        return RolledRows(
            sink: name, path: plan.path, directory: directory, compression: plan.compression, schema: schema, columns: rows.columns,
            rows: rows.rows)
    }

    /// Takes up rows that an earlier life of the task left in its state, in ascending order of their keys: directory, 0, and 8 bytes that rise, epoch
    /// and number of the piece (once the epoch alone, which is less than any of these).
    /// - Returns: false when they are no rows of this sink.
    package mutating func load(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, now: ContinuousClock.Instant) -> Bool {
        guard key.count > 8, key[key.count - 9] == 0 else { return false }
        let directory = String(decoding: key.prefix(key.count - 9), as: UTF8.self)
        var rows = pending.removeValue(forKey: directory) ?? Pending(columns: schema.fields.map { Column($0.type) }, since: now)
        guard let count = BatchCodec.decode(value, into: &rows.columns) else { return false }
        // As much as they took before, so that their file ends where it would have.
        let bytes = (rows.rows..<rows.rows + count).reduce(0) { sum, row in sum + rows.columns.reduce(0) { $0 + $1.size(ofRow: row) } }
        rows.rows += count
        rows.rowsInState = rows.rows
        rows.bytes += bytes
        size += bytes
        pending[directory] = rows
        return true
    }

    /// Forgets what is pending below `prefix`: it became a file.
    package mutating func loadDeleted(prefix: UnsafeRawBufferPointer) {
        let directory = String(decoding: prefix.dropLast(), as: UTF8.self)
        if let rows = pending.removeValue(forKey: directory) { size -= rows.bytes }
    }

    /// No directory has a NUL, so that no directory's prefix begins another's.
    private static func prefix(_ directory: String) -> [UInt8] { Array(directory.utf8) + [0] }

    private static func bigEndian(_ number: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt64(number).bigEndian) { Array($0) }
    }
}

/// Rows that become one file with the epoch that freezes.
package struct RolledRows: Sendable {
    var sink: String
    /// The sink's directory.
    package var path: String
    /// Below it; empty without partitions.
    package var directory: String
    var compression: ParquetCompression
    var schema: Schema
    package var columns: [Column]
    package var rows: Int
}

extension Column {
    /// Adds to each of `sizes` the bytes that the one of `rows` at its position counts for.
    fileprivate func addSizes(of rows: UnsafeBufferPointer<Int32>, to sizes: inout [Int]) {
        guard type == .string || hasNulls else {
            let width = width
            for position in rows.indices { sizes[position] += width }
            return
        }
        let views = views, validity = validity
        for position in rows.indices {
            let row = Int(rows[position])
            let isNull = !validity.isEmpty && validity[row] == 0
            sizes[position] += isNull ? 1 : type == .string ? 8 + Int(views[row].length) : width
        }
    }

    /// Bytes that a value counts for that is no string.
    private var width: Int {
        switch type {
        case .bool: 1
        case .int64, .timestamp, .float64: 8
        case .decimal: 16
        case .string: 0
        }
    }

    /// Bytes that a row counts for.
    fileprivate func size(ofRow row: Int) -> Int {
        isNull(row) ? 1 : type == .string ? 8 + Int(views[row].length) : width
    }
}
