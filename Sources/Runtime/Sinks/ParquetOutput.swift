import Batch
import JobFile
import State

/// Rows of a Parquet sink that are in no file yet. They are part of the task's state: a file may span epochs, a row is
/// durable with the epoch that made it.
struct ParquetOutput {
    /// Rows of one directory.
    private struct Pending {
        var columns: [Column]
        var rows = 0
        var bytes = 0
        /// The first so many rows are in the state already.
        var rowsInState = 0
        /// When the first of them came.
        var since: ContinuousClock.Instant
    }

    let name: String
    let plan: ParquetSinkPlan
    /// What the files hold.
    let schema: Schema
    private let columns: [Int]
    let namespace: UInt16
    private var path: PartitionPath
    private var pending: [String: Pending] = [:]
    private(set) var size = 0

    init(_ name: String, _ plan: ParquetSinkPlan, columns: [Int], input: Schema, namespace: UInt16) {
        self.name = name
        self.plan = plan
        self.columns = columns
        self.namespace = namespace
        schema = Schema(columns.map { input.fields[$0] })
        path = PartitionPath(plan.partitionBy)
    }

    /// What stored rows have to agree with.
    var fingerprint: String {
        let partitions = plan.partitionBy.map { "\($0.name):\($0.transform.rawValue)" }.joined(separator: ",")
        return "parquet/1 \(schema.fields.map(\.description).joined(separator: ", ")) by \(partitions)"
    }

    mutating func append(_ batch: Batch, now: ContinuousClock.Instant) {
        for row in batch.selection {
            let directory = path.directory(batch.columns, Int(row))
            var rows = pending.removeValue(forKey: directory) ?? Pending(columns: schema.fields.map { Column($0.type) }, since: now)
            var bytes = 0
            for (target, source) in columns.enumerated() {
                bytes += rows.columns[target].append(row: Int(row), of: batch.columns[source])
            }
            rows.rows += 1
            rows.bytes += bytes
            size += bytes
            pending[directory] = rows
        }
    }

    /// Whether something is to be done at the next freeze even if no record comes.
    func isDue(now: ContinuousClock.Instant) -> Bool {
        pending.values.contains { now - $0.since >= .microseconds(plan.rollEvery) }
    }

    /// Puts new rows into `changes`, and takes out those that are to become files now: all with `isForced`, else what is
    /// old or large enough.
    mutating func freeze(epoch: Int, isForced: Bool, now: ContinuousClock.Instant, into changes: inout ChangeSet) -> [RolledRows] {
        var rolled: [RolledRows] = []
        for directory in pending.keys.sorted() {
            guard var rows = pending[directory] else { continue }
            let key = Self.prefix(directory)
            if isForced || rows.bytes >= plan.rollSize || now - rows.since >= .microseconds(plan.rollEvery) {
                if rows.rowsInState > 0 { key.withUnsafeBytes { changes.deletePrefix(namespace, prefix: $0) } }
                rolled.append(
                    RolledRows(
                        sink: name, path: plan.path, directory: directory, compression: plan.compression, schema: schema,
                        columns: rows.columns, rows: rows.rows))
                size -= rows.bytes
                pending[directory] = nil
            } else if rows.rowsInState < rows.rows {
                var value: [UInt8] = []
                BatchCodec.encode(rows.columns, rows: rows.rowsInState..<rows.rows, into: &value)
                (key + Self.bigEndian(epoch)).withUnsafeBytes { key in
                    value.withUnsafeBytes { changes.put(namespace, key: key, value: $0) }
                }
                rows.rowsInState = rows.rows
                pending[directory] = rows
            }
        }
        return rolled
    }

    /// Takes up rows that an earlier life of the task left in its state, in ascending order of their keys.
    /// - Returns: false when they are no rows of this sink.
    mutating func load(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, now: ContinuousClock.Instant) -> Bool {
        guard key.count > 8, key[key.count - 9] == 0 else { return false }
        let directory = String(decoding: key.prefix(key.count - 9), as: UTF8.self)
        var rows = pending.removeValue(forKey: directory) ?? Pending(columns: schema.fields.map { Column($0.type) }, since: now)
        guard let count = BatchCodec.decode(value, into: &rows.columns) else { return false }
        rows.rows += count
        rows.rowsInState = rows.rows
        rows.bytes += value.count
        size += value.count
        pending[directory] = rows
        return true
    }

    /// Forgets what is pending below `prefix`: it became a file.
    mutating func loadDeleted(prefix: UnsafeRawBufferPointer) {
        let directory = String(decoding: prefix.dropLast(), as: UTF8.self)
        if let rows = pending.removeValue(forKey: directory) { size -= rows.bytes }
    }

    /// No directory has a NUL, so that no directory's prefix begins another's.
    private static func prefix(_ directory: String) -> [UInt8] { Array(directory.utf8) + [0] }

    private static func bigEndian(_ epoch: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt64(epoch).bigEndian) { Array($0) }
    }
}

/// Rows that become one file with the epoch that freezes.
package struct RolledRows: Sendable {
    var sink: String
    /// The sink's directory.
    package var path: String
    /// Below it; empty without partitions.
    var directory: String
    var compression: ParquetCompression
    var schema: Schema
    package var columns: [Column]
    package var rows: Int
}

extension Column {
    /// Appends row `row` of `other`, a column of the same type, and says how many bytes that took.
    fileprivate mutating func append(row: Int, of other: Column) -> Int {
        if other.isNull(row) {
            appendNull()
            return 1
        }
        switch type {
        case .bool:
            append(bool: other.bools[row] == 1)
            return 1
        case .int64, .timestamp:
            append(integer: other.integers[row])
            return 8
        case .float64:
            append(double: other.doubles[row])
            return 8
        case .decimal:
            append(decimal: other.decimals[row])
            return 16
        case .string:
            let view = other.views[row]
            other.bytes.withUnsafeBytes {
                append(utf8: UnsafeRawBufferPointer(rebasing: $0[Int(view.start)..<Int(view.start) + Int(view.length)]))
            }
            return 8 + Int(view.length)
        }
    }
}
