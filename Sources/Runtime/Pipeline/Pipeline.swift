import Batch
import Dataflow
import Expression
import JobFile
import KafkaClient
import State

/// What a task does with the batches of its source: the job's transforms below that source, and the ends of its sinks.
/// No thread, no clock of its own, no I/O but reads of the task's home.
final class Pipeline {
    /// A transform and what reads its result.
    final class Node {
        enum Operation {
            case filter(Reference<Filter>)
            case select(Reference<Projection>)
            case dedupe(Dedupe)
            /// `extras` are computed for the window and stand behind the columns of its input.
            case window(WindowOperator, extras: [TypedExpression])
            /// The upper half of a window below a shuffle: folds rows into windows that the shuffle takes at the epoch's end.
            case partialWindow(WindowOperator, extras: [TypedExpression], shuffle: Int)
        }

        let name: String
        let operation: Operation
        /// The first of its state's; 0 without state.
        let namespace: UInt16
        var targets = Targets()

        init(_ name: String, _ operation: Operation, namespace: UInt16 = 0) {
            self.name = name
            self.operation = operation
            self.namespace = namespace
        }

        /// Bytes of its state in memory.
        var memory: Int {
            switch operation {
            case .window(let window, _): window.memory
            case .dedupe(let dedupe): dedupe.remembered.memory
            case .filter, .select, .partialWindow: 0
            }
        }
    }

    /// An operator that is a value and keeps its scratch memory from batch to batch.
    final class Reference<Value> {
        var value: Value

        init(_ value: Value) { self.value = value }
    }

    /// What reads a stage.
    struct Targets {
        var nodes: [Node] = []
        /// Positions in `kafka`, `parquet` and `shuffles`.
        var kafka: [Int] = []
        var parquet: [Int] = []
        var shuffles: [Int] = []
    }

    /// In topological order.
    let nodes: [Node]
    private let source: Targets
    var kafka: [KafkaOutput]
    var parquet: [ParquetOutput]
    var shuffles: [ShuffleOutput]
    /// Where the source's records are windows that tasks above have begun: what combines them.
    private let merged: Node?
    private var scratch = ExpressionScratch()
    /// The first namespaces of what keeps state here. Others below `firstUnused` are those of state that was dropped.
    private let namespaces: [UInt16]
    private let firstUnused: UInt16

    /// Below a shuffle: what its blocks have to be like.
    let blockFingerprint: UInt64?

    /// Bytes of memory for the state of all transforms.
    private let memoryMax: Int
    /// Of these, for the windows in use of each window transform; and how many transforms remember ids.
    private let hotMax: Int
    private let dedupeCount: Int
    /// Bytes of an epoch's changes of each of them.
    private let changesEach: Int
    private let home: Home
    /// Memory is over the budget, and nothing more may be evicted before the next freeze.
    private var needsFreeze = false

    init(
        nodes: [Node], source: Targets, kafka: [KafkaOutput], parquet: [ParquetOutput], shuffles: [ShuffleOutput], merged: Node?,
        blockFingerprint: UInt64?, memoryMax: Int, changesEach: Int, home: Home, firstUnused: UInt16
    ) {
        self.nodes = nodes
        self.source = source
        self.kafka = kafka
        self.parquet = parquet
        self.shuffles = shuffles
        self.merged = merged
        self.blockFingerprint = blockFingerprint
        self.memoryMax = memoryMax
        let windowCount = nodes.count { if case .window = $0.operation { true } else { false } }
        dedupeCount = nodes.count { if case .dedupe = $0.operation { true } else { false } }
        // The rest is for ids, and for finding windows on the disk.
        hotMax = memoryMax / 8 * (dedupeCount > 0 ? 5 : 6) / max(windowCount, 1)
        self.changesEach = changesEach
        self.home = home
        self.firstUnused = firstUnused
        namespaces = nodes.map(\.namespace).filter { $0 > 0 } + parquet.map(\.namespace)
    }

    /// Takes a batch of the source through everything below it, up to `watermark`, the batch's last. `clock` is told which
    /// stage the time went into.
    func push(
        _ batch: Batch, watermark: Int64, now: ContinuousClock.Instant, fates: inout RowFates, clock: inout StageClock
    ) throws(StateError) {
        try deliver(batch, to: source, watermark, now, &fates, isSource: true, &clock)
    }

    /// Combines a block of windows that a task above has begun with those that are open here. `push` then closes what is over.
    func merge(_ block: UnsafeRawBufferPointer, clock: inout StageClock) throws(StateError) {
        guard case .window(let window, _)? = merged?.operation else { preconditionFailure("the source's records are rows") }
        clock.lap(.operators)
        try window.merge(block)
        clock.lap(.window)
    }

    /// Windows that are taken from one operator to the next at a time at the end, however many there are.
    private static let windowsAtOnce = 4_096

    /// Closes every open window, from the source to the sinks.
    func closeWindows(now: ContinuousClock.Instant, clock: inout StageClock) throws(StateError) {
        for node in nodes {
            guard case .window(let window, _) = node.operation else { continue }
            var output = Batch(schema: window.output)
            var isLeft = true
            while isLeft {
                output.removeAll()
                isLeft = try window.flush(into: &output, max: Self.windowsAtOnce)
                output.selectAll()
                var fates = RowFates(rowCount: output.rowCount)
                // Windows further down are later in the order: they are closed once everything above has been put into them.
                try deliver(output, to: node.targets, EventTimeRange.noWatermark, now, &fates, isSource: false, &clock)
            }
        }
    }

    private func deliver(
        _ batch: Batch, to targets: Targets, _ watermark: Int64, _ now: ContinuousClock.Instant, _ fates: inout RowFates,
        isSource: Bool, _ clock: inout StageClock
    ) throws(StateError) {
        if !batch.selection.isEmpty {
            for index in targets.kafka { kafka[index].append(batch) }
            for index in targets.parquet { parquet[index].append(batch, now: now) }
            for index in targets.shuffles { shuffles[index].append(batch, fates: &fates) }
            if isSource, !targets.kafka.isEmpty || !targets.parquet.isEmpty {
                for row in batch.selection { fates.raise(Int(row), to: .aggregated) }
            }
        }
        for index in targets.shuffles { shuffles[index].advance(to: watermark) }
        for node in targets.nodes { try run(node, batch, watermark, now, &fates, isSource: isSource, &clock) }
    }

    private func run(
        _ node: Node, _ batch: Batch, _ watermark: Int64, _ now: ContinuousClock.Instant, _ fates: inout RowFates,
        isSource: Bool, _ clock: inout StageClock
    ) throws(StateError) {
        switch node.operation {
        case .filter(let filter):
            var kept = batch
            filter.value.process(&kept, fates: &fates)
            try deliver(kept, to: node.targets, watermark, now, &fates, isSource: isSource, &clock)
        case .select(let projection):
            try deliver(projection.value.process(batch), to: node.targets, watermark, now, &fates, isSource: isSource, &clock)
        case .dedupe(let dedupe):
            var kept = batch
            clock.lap(.operators)
            try dedupe.process(&kept, fates: &fates)
            clock.lap(.dedupe)
            try deliver(kept, to: node.targets, watermark, now, &fates, isSource: isSource, &clock)
        case .partialWindow(let window, let extras, let shuffle):
            let input = input(of: window, extras, batch)
            clock.lap(.operators)
            try window.process(input, fates: &fates)
            shuffles[shuffle].advance(to: watermark)
            clock.lap(.window)
        case .window(let window, let extras):
            let input = input(of: window, extras, batch)
            clock.lap(.operators)
            try window.process(input, fates: &fates)
            var output = Batch(schema: window.output)
            try window.advance(to: watermark, into: &output)
            clock.lap(.window)
            output.selectAll()
            var outputFates = RowFates(rowCount: output.rowCount)
            try deliver(output, to: node.targets, window.outputWatermark, now, &outputFates, isSource: false, &clock)
        }
    }

    private func input(of window: WindowOperator, _ extras: [TypedExpression], _ batch: Batch) -> Batch {
        if extras.isEmpty { return batch }
        var input = batch
        input.schema = window.definition.input
        for expression in extras { input.columns.append(expression.evaluate(batch, &scratch)) }
        return input
    }

    /// Bytes of output that wait for the commit, windows that a shuffle takes then among them, and of rows that wait for their file: what an epoch adds
    /// to them has no other bound.
    var outputBytes: Int {
        kafka.reduce(0) { $0 + $1.size } + parquet.reduce(0) { $0 + $1.size + $1.fullSize } + shuffles.reduce(0) { $0 + $1.size }
    }

    /// Bytes of state in memory.
    var memory: Int {
        var sum = parquet.reduce(0) { $0 + $1.size + $1.fullSize } + shuffles.reduce(0) { $0 + $1.size }
        for node in nodes { sum += node.memory }
        return sum
    }

    var keyCount: Int {
        var sum = 0
        for node in nodes {
            switch node.operation {
            case .window(let window, _): sum += window.keyCount
            case .dedupe(let dedupe): sum += dedupe.remembered.count
            case .filter, .select, .partialWindow: break
            }
        }
        return sum
    }

    /// How much the open epoch has changed: 1 is all that it may.
    var changeShare: Double {
        nodes.reduce(0) { share, node in
            switch node.operation {
            case .window(let window, _): max(share, window.changeShare(hotMax: hotMax, changesMax: changesEach))
            case .dedupe(let dedupe): max(share, Double(dedupe.remembered.changeBytes) / Double(max(changesEach, 1)))
            case .filter, .select, .partialWindow: share
            }
        }
    }

    /// So far over the budget that input has to wait until a freeze lets something go.
    /// - Parameter hasOpenChanges: something has changed since the last freeze.
    func mustWait(hasOpenChanges: Bool) -> Bool {
        guard needsFreeze, hasOpenChanges else { return false }
        return nodes.contains { node in
            if case .window(let window, _) = node.operation { window.hotMemory > hotMax + hotMax / 5 } else { false }
        }
    }

    /// Keeps memory within its budget, between two batches. Ids have what windows have not taken, and an eighth at least: their tables
    /// give memory back when they are spilled; those of windows do not, which counts when they have been full.
    func evict() throws(StateError) {
        needsFreeze = false
        var taken = 0
        for node in nodes {
            guard case .window(let window, _) = node.operation else { continue }
            if try window.evict(hotMax: hotMax) { needsFreeze = true }
            taken += window.spilledKeyCount > 0 ? window.allocatedMemory : window.memory
        }
        guard dedupeCount > 0 else { return }
        let budget = max(memoryMax / 8, memoryMax - taken) / dedupeCount
        for node in nodes {
            if case .dedupe(let dedupe) = node.operation { dedupe.remembered.memoryBudget = budget }
        }
    }

    /// Says before the first record how many there will be at most.
    func expect(records: Int) {
        for node in nodes {
            if case .dedupe(let dedupe) = node.operation { dedupe.remembered.expect(records) }
        }
    }

    /// The rows that become files with the epoch that ends; those that still wait are part of `changes`.
    func takeRows(epoch: Int, rollAll: Bool, now: ContinuousClock.Instant, into changes: EpochChanges) -> [RolledRows] {
        var rolled: [RolledRows] = []
        for index in parquet.indices {
            rolled += parquet[index].freeze(epoch: epoch, rollAll: rollAll, memoryMax: memoryMax / 2, now: now, into: &changes.changes)
        }
        return rolled
    }

    /// Ends the epoch: has `continueFreeze` append what changed in windows and ids to `changes`.
    func beginFreeze(epoch: Int, watermark: Int64, into changes: EpochChanges) {
        for node in nodes {
            switch node.operation {
            case .window(let window, _): window.beginFreeze(epoch: epoch, into: changes)
            case .dedupe(let dedupe): dedupe.remembered.beginFreeze(epoch: epoch, watermark: watermark, into: changes)
            case .filter, .select, .partialWindow: break
            }
        }
    }

    /// Appends some of what changed in the epoch that has ended, as it was then.
    /// - Parameter budget: how much, as `WindowOperator.continueFreeze` counts; what that takes is taken off.
    /// - Returns: false when something is left.
    func continueFreeze(budget: inout Int) -> Bool {
        for node in nodes {
            switch node.operation {
            case .window(let window, _): if !window.continueFreeze(budget: &budget) { return false }
            case .dedupe(let dedupe): if !dedupe.remembered.continueFreeze(budget: &budget) { return false }
            case .filter, .select, .partialWindow: break
            }
        }
        return true
    }

    /// The home is complete to `epoch`.
    func flushed(upTo epoch: Int) {
        for node in nodes {
            switch node.operation {
            case .window(let window, _): window.flushed(upTo: epoch)
            case .dedupe, .filter, .select, .partialWindow: break
            }
        }
    }

    /// Takes up what the home has and what `deltas`, oldest first, say of the time after it.
    func load(_ deltas: [DeltaFile], now: ContinuousClock.Instant) throws(StateError) {
        let isHomeEmpty = try home.isEmpty
        for node in nodes {
            switch node.operation {
            case .window(let window, _): if !isHomeEmpty { try window.noteHomeIsNotEmpty() }
            case .dedupe(let dedupe): if !isHomeEmpty { try dedupe.remembered.load(from: home) }
            case .filter, .select, .partialWindow: break
            }
        }
        for index in parquet.indices where !isHomeEmpty { try loadRows(index, now) }
        for delta in deltas {
            try delta.forEach { change throws(StateError) in try load(change, of: delta.header, now) }
            try evict()
        }
        for node in nodes {
            if case .window(let window, _) = node.operation { try window.finishLoading() }
        }
        try evict()
    }

    private func loadRows(_ index: Int, _ now: ContinuousClock.Instant) throws(StateError) {
        var isGood = true
        try home.scan(parquet[index].namespace) { key, value in
            isGood = parquet[index].load(key: key, value: value, now: now)
            return isGood
        }
        if !isGood { throw damaged(parquet[index].name) }
    }

    private func load(_ change: Change, of header: DeltaHeader, _ now: ContinuousClock.Instant) throws(StateError) {
        for node in nodes {
            switch node.operation {
            case .window(let window, _): if try window.load(change, epoch: header.reference.epoch) { return }
            case .dedupe(let dedupe):
                if change.namespace == node.namespace { return try dedupe.remembered.load(change) }
            case .filter, .select, .partialWindow: break
            }
        }
        for index in parquet.indices where parquet[index].namespace == change.namespace {
            switch change.kind {
            case .put: if !parquet[index].load(key: change.key, value: change.value, now: now) { throw damaged(parquet[index].name) }
            case .delete, .deletePrefix: parquet[index].loadDeleted(prefix: change.key)
            }
            return
        }
        guard isDropped(change.namespace) else { throw damaged("namespace \(change.namespace)") }
    }

    private func isDropped(_ namespace: UInt16) -> Bool {
        namespace >= StateNamespace.firstOfTables && namespace < firstUnused
            && !namespaces.contains { namespace >= $0 && namespace < $0 + StateRegistry.namespacesEach }
    }

    private func damaged(_ what: String) -> StateError {
        StateError(
            .damaged, home.directory, "an entry of \(what) is not what this job writes",
            remedy: "if the job file is as it was, this is a defect: keep the checkpoint storage and report it")
    }
}
