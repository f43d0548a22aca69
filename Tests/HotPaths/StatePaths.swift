import Batch
import Dataflow
import State

/// Keys hashed, rows folded into their windows, windows closed and put out.
final class WindowFolding: HotPath {
    let events = 4_096
    private var clicks = Clicks(seed: 4)
    private var batch: Batch
    private let window: WindowOperator
    private var output: Batch
    private var fates = RowFates()

    init(_ kind: WindowDefinition.Kind) throws {
        window = makeWindow(kind, clicks.decoder.schema)
        batch = Batch(schema: clicks.decoder.schema)
        output = Batch(schema: window.output)
        // As many keys are open as there are going to be.
        for _ in 0..<8 {
            prepare()
            try run()
        }
    }

    func prepare() { batch = clicks.batch(events) }

    func run() throws {
        fates.reset(rowCount: batch.rowCount)
        output.removeAll()
        try window.process(batch, fates: &fates)
        try window.advance(to: batch.watermarks[batch.rowCount - 1], into: &output)
    }
}

func makeWindow(_ kind: WindowDefinition.Kind, _ input: Schema) -> WindowOperator {
    let definition = WindowDefinition(
        name: "windows", input: input, groupBy: [1], kind: kind,
        aggregates: [
            Aggregate("events", .count), Aggregate("revenue", .sum, argument: 5), Aggregate("pages", .countDistinct, argument: 4),
            Aggregate("first_url", .first, argument: 4),
        ])
    guard let window = WindowOperator(definition, WindowOperator.Namespaces(windows: 16, sets: 17)) else {
        preconditionFailure("the aggregates take their arguments")
    }
    return window
}

final class Deduplicating: HotPath {
    enum Ids {
        /// None came before.
        case new
        /// All came before.
        case known
    }

    let events = 4_096
    private let ids: Ids
    private var clicks = Clicks(seed: 5)
    private var batch: Batch
    private let dedupe: Dedupe
    private var fates = RowFates()

    init(_ ids: Ids) throws {
        self.ids = ids
        batch = Batch(schema: clicks.decoder.schema)
        dedupe = makeDedupe(clicks.decoder.schema)
        for _ in 0..<8 {
            batch = clicks.batch(events)
            try run()
        }
    }

    func prepare() {
        if case .new = ids { batch = clicks.batch(events) }
    }

    func run() throws {
        var kept = batch
        fates.reset(rowCount: batch.rowCount)
        try dedupe.process(&kept, fates: &fates)
    }
}

func makeDedupe(_ input: Schema) -> Dedupe {
    let day: Int64 = 86_400_000_000
    return Dedupe(
        input: input, by: [0], within: day,
        remembered: DedupeSet(within: day, namespace: 18, memoryBudget: 1 << 30, spillDirectory: "."))
}

/// What an epoch of windows and ids leaves for its delta; an event is a row of the epoch.
final class Freezing: HotPath {
    let events = 4_096
    private var clicks = Clicks(seed: 6)
    private let window: WindowOperator
    private let dedupe: Dedupe
    private var epoch = 0
    private var watermark: Int64 = 0
    private(set) var changes = ChangeSet()

    init() throws {
        window = makeWindow(.session(gap: 1_800_000_000, max: nil), clicks.decoder.schema)
        dedupe = makeDedupe(clicks.decoder.schema)
        for _ in 0..<8 {
            try prepare()
            run()
        }
    }

    func prepare() throws {
        var batch = clicks.batch(events)
        var fates = RowFates(rowCount: batch.rowCount)
        var output = Batch(schema: window.output)
        try dedupe.process(&batch, fates: &fates)
        try window.process(batch, fates: &fates)
        watermark = batch.watermarks[batch.rowCount - 1]
        try window.advance(to: watermark, into: &output)
    }

    func run() {
        epoch += 1
        changes = ChangeSet()
        let all = EpochChanges()
        window.beginFreeze(epoch: epoch, into: all)
        dedupe.remembered.beginFreeze(epoch: epoch, watermark: watermark, into: all)
        // In slices, as a worker does.
        var isDone = false
        while !isDone {
            var budget = 8_192
            isDone = window.continueFreeze(budget: &budget) && dedupe.remembered.continueFreeze(budget: &budget)
        }
        changes = all.changes
    }
}

/// The delta of such an epoch: compressed and with its checksum.
final class DeltaEncoding: HotPath {
    var events: Int { freezing.events }
    private let freezing: Freezing
    private var bytes: [UInt8] = []

    init() throws { freezing = try Freezing() }

    func run() {
        let header = DeltaHeader(job: "hot", task: "clicks-0", reference: DeltaReference(epoch: 1, id: 1), parent: nil)
        bytes = DeltaFile.encode(header, freezing.changes, level: -5)
    }
}
