import Batch
import JobFile
import Runtime
import State
import Testing

/// A sink's part of a task, with what its changes have made of the state.
private struct Writer {
    static let pendingBytesMax = 40_000
    static let schema = Schema([Field("country", .string, isNullable: false), Field("amount", .int64, isNullable: true)])
    static let plan = ParquetSinkPlan(
        path: "/lake", partitionBy: [ParquetPartition(name: "country", column: 0, transform: .identity)], rollEvery: 1, rollSize: 10_000,
        compression: .none)

    var output = Self.fresh()
    /// By key, as a home would have it.
    var state: [[UInt8]: [UInt8]] = [:]
    var files: [String] = []
    private var epoch = 0

    static func fresh() -> ParquetOutput {
        ParquetOutput("files", plan, columns: [0, 1], input: schema, namespace: 8, rule: .byRows(pendingBytesMax: pendingBytesMax))
    }

    mutating func append(_ rows: ArraySlice<(country: String, amount: Int64?)>) {
        var batch = Batch(schema: Self.schema)
        for row in rows {
            batch.columns[0].append(string: row.country)
            if let amount = row.amount { batch.columns[1].append(integer: amount) } else { batch.columns[1].appendNull() }
        }
        batch.rowCount = rows.count
        batch.selectAll()
        output.append(batch, now: .now)
    }

    mutating func freeze(rollAll: Bool = false) {
        epoch += 1
        var changes = ChangeSet()
        let rolled = output.freeze(epoch: epoch, rollAll: rollAll, memoryMax: 1, now: .now + .seconds(3_600), into: &changes)
        changes.forEach { change in
            let key = Array(change.key)
            switch change.kind {
            case .put: state[key] = Array(change.value)
            case .delete: state[key] = nil
            case .deletePrefix: state = state.filter { !$0.key.starts(with: key) }
            }
        }
        for file in rolled {
            var bytes: [UInt8] = []
            BatchCodec.encode(file.columns, rows: 0..<file.rows, into: &bytes)
            files.append("\(file.directory) \(file.rows) \(bytes)")
        }
    }

    /// The process ends and another one takes up what was frozen.
    mutating func restart() {
        output = Self.fresh()
        for (key, value) in state.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let isGood = key.withUnsafeBytes { key in value.withUnsafeBytes { output.load(key: key, value: $0, now: .now) } }
            #expect(isGood)
        }
    }
}

struct FilesByRowsTests {
    private static func rows(_ dice: inout some RandomNumberGenerator) -> [(country: String, amount: Int64?)] {
        (0..<20_000).map { number in
            // A few large directories and many small ones, so that both limits are met.
            let country = Bool.random(using: &dice) ? "C\(Int.random(in: 0..<2, using: &dice))" : "c\(Int.random(in: 0..<80, using: &dice))"
            return (country, number % 7 == 0 ? nil : Int64(number))
        }
    }

    @Test func filesFollowFromTheRowsHoweverTheyAreCutIntoBatchesEpochsAndLives() {
        var dice = SystemRandomNumberGenerator()
        let rows = Self.rows(&dice)
        var wanted = Writer()
        wanted.append(rows[...])
        wanted.freeze(rollAll: true)
        // Some were full, and some had to make room for others.
        #expect(wanted.files.count > 82 * 2)

        for _ in 0..<6 {
            var writer = Writer()
            var done = 0
            var committed = 0
            while done < rows.count {
                let next = min(rows.count, done + Int.random(in: 1...3_000, using: &dice))
                writer.append(rows[done..<next])
                done = next
                switch Int.random(in: 0..<4, using: &dice) {
                case 0, 1:
                    writer.freeze()
                    committed = done
                case 2:
                    writer.restart()
                    done = committed
                default: break
                }
            }
            writer.freeze(rollAll: true)
            #expect(writer.files == wanted.files)
            #expect(writer.state.isEmpty)
        }
    }
}
