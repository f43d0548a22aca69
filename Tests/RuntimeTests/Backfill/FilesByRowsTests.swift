import Batch
import JobFile
import Runtime
import Seeded
import State
import Testing

/// A sink's part of a task, with what its changes have made of the state.
private struct Writer {
    static let schema = Schema([Field("country", .string, isNullable: false), Field("amount", .int64, isNullable: true)])

    /// Bytes of a file; four times as many wait at most.
    private let rollSize: Int
    private var output: ParquetOutput
    /// By key, as a home would have it.
    var state: [[UInt8]: [UInt8]] = [:]
    var files: [String] = []
    private var epoch = 0

    init(rollSize: Int) {
        self.rollSize = rollSize
        output = Self.fresh(rollSize)
    }

    private static func fresh(_ rollSize: Int) -> ParquetOutput {
        let plan = ParquetSinkPlan(
            path: "/lake", partitionBy: [ParquetPartition(name: "country", column: 0, transform: .identity)], rollEvery: 1, rollSize: rollSize,
            compression: .none)
        return ParquetOutput("files", plan, columns: [0, 1], input: schema, namespace: 8, rule: .byRows(pendingBytesMax: 4 * rollSize))
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
        output = Self.fresh(rollSize)
        for (key, value) in state.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let isGood = key.withUnsafeBytes { key in value.withUnsafeBytes { output.load(key: key, value: $0, now: .now) } }
            #expect(isGood)
        }
    }
}

struct FilesByRowsTests {
    private static func rows(_ count: Int, _ dice: inout SplitMix64) -> [(country: String, amount: Int64?)] {
        (0..<count).map { number in
            // A few large directories and many small ones, so that both limits are met.
            let country = Bool.random(using: &dice) ? "C\(Int.random(in: 0..<2, using: &dice))" : "c\(Int.random(in: 0..<80, using: &dice))"
            return (country, number % 7 == 0 ? nil : Int64(number))
        }
    }

    /// The larger files are of several pieces of state an epoch.
    @Test(arguments: [(10_000, 20_000, 82 * 2), (100_000, 60_000, 82 + 5)])
    func filesFollowFromTheRowsHoweverTheyAreCutIntoBatchesEpochsAndLives(_ rollSize: Int, _ count: Int, _ filesMin: Int) {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var dice = SplitMix64(seed: seed)
        let rows = Self.rows(count, &dice)
        var wanted = Writer(rollSize: rollSize)
        wanted.append(rows[...])
        wanted.freeze(rollAll: true)
        // Some were full, and some had to make room for others.
        #expect(wanted.files.count > filesMin)

        for _ in 0..<6 {
            var writer = Writer(rollSize: rollSize)
            var done = 0
            var committed = 0
            while done < rows.count {
                let next = min(rows.count, done + Int.random(in: 1...count / 7, using: &dice))
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
