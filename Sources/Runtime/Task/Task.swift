import Batch
import Dataflow
import Formats
import JobFile
import KafkaClient
import State

/// The work for one partition of one source: decodes its records, takes them through the job's transforms, keeps their
/// state, and says what became of each. Built by the job's thread, then touched by one worker only. What is particular to the
/// records of a shuffle is in `Task+Shuffle`.
final class Task {
    let id: TaskID
    let partition: TopicPartition
    let progress: TaskProgress
    /// A bounded run takes nothing at or above this offset. Set before the task is handed to its worker.
    var end: Int64?
    /// Closes all windows when it has come to its end. Set with it.
    var closesAtEnd = false

    private let job: String
    let source: SourcePlan
    /// Nil below a shuffle.
    private let decoder: JSONDecoder?
    let pipeline: Pipeline
    private let registry: StateRegistry
    private let metrics: TaskMetrics
    private let clock: RuntimeClock

    var batch: Batch
    private var payloads: [UnsafeRawBufferPointer] = []
    private var failures: [DecodeFailure] = []
    private var fates = RowFates()

    var watermark: Int64
    /// Below a shuffle: how far the tasks above are.
    var upstream: UpstreamWatermarks
    private var position: Int64
    var ledger = Ledger()
    private var deadLetters: [DeadLetter] = []
    private var deadLetterBytes = 0
    private var ages: [(timestampMilliseconds: Int64, records: Int)] = []
    /// What the next epoch deletes before anything else.
    private var deletions: ChangeSet
    /// Something has happened since the last freeze that the next start has to know.
    private var hasChanged: Bool
    /// The epoch that has ended and is being taken out.
    private var freezing: (content: FrozenTask, changes: EpochChanges)?

    /// - Parameter deletions: of state that was dropped; the first epoch makes them durable, whether or not a record comes.
    init(
        id: TaskID, plan: JobPlan, source: SourcePlan, pipeline: Pipeline, registry: StateRegistry, position: Int64,
        watermark: Int64, upstream: UpstreamWatermarks = UpstreamWatermarks(), metrics: TaskMetrics, clock: RuntimeClock,
        deletions: ChangeSet = ChangeSet()
    ) {
        self.deletions = deletions
        hasChanged = !deletions.isEmpty
        self.id = id
        self.partition = TopicPartition(source.topic, id.partition)
        self.job = plan.name
        self.source = source
        self.pipeline = pipeline
        self.registry = registry
        self.position = position
        self.watermark = watermark
        self.upstream = upstream
        self.metrics = metrics
        self.clock = clock
        progress = TaskProgress(position: position, watermark: watermark)
        decoder =
            source.shuffle != nil
            ? nil
            : JSONDecoder(
                fields: source.fields.map {
                    DecodedField(
                        Field($0.name, $0.type, isNullable: $0.isNullable), path: $0.path, timestampForm: .init($0.timestampForm))
                })
        batch = Batch(schema: source.schema)
    }

    /// Says before the first record how many there will be at most.
    func expect(records: Int64) { pipeline.expect(records: Int(records)) }

    /// Takes the records of `run` all the way to state and outputs.
    /// - Returns: the bytes of output that this adds to the epoch.
    func process(_ run: MessageRun, _ messages: borrowing MessageBatch) throws(RuntimeFailure) -> Int {
        guard let end, run.lastOffset >= end - 1 else { return try processAll(run, messages) }
        let indexes = run.indexes.prefix { messages[$0].offset < end }
        var bytes = 0
        if let last = indexes.last {
            bytes = try processAll(
                MessageRun(partition: partition, indexes: indexes, firstOffset: run.firstOffset, lastOffset: messages[last].offset),
                messages)
        }
        let waiting = outputBytes
        try reachEnd(end)
        return bytes + outputBytes - waiting
    }

    private func processAll(_ run: MessageRun, _ messages: borrowing MessageBatch) throws(RuntimeFailure) -> Int {
        let waiting = outputBytes
        let now = self.clock.now()
        var clock = StageClock(metrics)
        if let decoder {
            decode(decoder, run, messages)
            checkKeysAndTimes(run, messages)
            clock.lap(.decode)
        } else {
            try take(run, messages, &clock)
        }

        fates.reset(rowCount: batch.rowCount)
        do throws(StateError) {
            try pipeline.push(batch, watermark: watermark, now: now, fates: &fates, clock: &clock)
            settle(run, messages)
            clock.lap(.operators)
            try pipeline.evict()
        } catch {
            throw RuntimeFailure(task: id, error)
        }
        clock.lap(.window)

        position = run.lastOffset + 1
        hasChanged = true
        note(run, messages, now)
        return outputBytes - waiting
    }

    private func decode(_ decoder: JSONDecoder, _ run: MessageRun, _ messages: borrowing MessageBatch) {
        // Taken out of the object: in loops over records they are plain variables.
        var payloads = self.payloads
        self.payloads = []
        defer { self.payloads = payloads }
        payloads.removeAll(keepingCapacity: true)
        payloads.reserveCapacity(run.indexes.count)
        for index in run.indexes {
            // Kafka's null value is a payload without a base address.
            payloads.append(messages[index].payload ?? UnsafeRawBufferPointer(start: nil, count: 0))
        }
        failures.removeAll(keepingCapacity: true)
        payloads.withUnsafeBufferPointer { decoder.decode($0, into: &batch, failures: &failures) }
        ledger.consumed += run.indexes.count
        for failure in failures {
            putAside(failure.row, .init(failure.reason), failure.detail, run, messages)
        }
    }

    /// Looks at every decoded record's key and event time, advances the watermark record by record, and takes out of the
    /// selection what cannot be used.
    private func checkKeysAndTimes(_ run: MessageRun, _ messages: borrowing MessageBatch) {
        let column = source.eventTime.column
        batch.eventTimes = batch.columns[column].integers
        let bound = source.eventTime.outOfOrderness
        let maxAhead = source.eventTime.maxAhead
        let needsKey = source.key != nil
        let rowCount = batch.rowCount
        // Taken out of the object: in the loop they are plain variables.
        let times = batch.eventTimes
        var watermarks = batch.watermarks
        batch.watermarks = []
        watermarks.removeAll(keepingCapacity: true)
        watermarks.reserveCapacity(rowCount)
        var selection = batch.selection
        batch.selection = []
        var watermark = watermark
        var kept = 0
        var rows = selection.mutableSpan
        for position in rows.indices {
            let row = Int(rows[position])
            while watermarks.count < row { watermarks.append(watermark) }
            let message = messages[run.indexes.lowerBound + row]
            let time = times[row]
            let written = message.timestampMilliseconds
            if (needsKey && message.key == nil) || !EventTimeRange.valid.contains(time)
                || (written >= 0 && written < 1 << 50 && time - maxAhead > written * 1_000)
            {
                putAside(unusable: row, time, written, run, messages)
            } else {
                watermark = max(watermark, time - bound)
                rows[kept] = Int32(row)
                kept += 1
            }
            watermarks.append(watermark)
        }
        while watermarks.count < rowCount { watermarks.append(watermark) }
        selection.removeLast(selection.count - kept)
        batch.selection = selection
        batch.watermarks = watermarks
        self.watermark = watermark
    }

    /// A record without a key where one is needed, or with an event time that cannot be.
    private func putAside(unusable row: Int, _ time: Int64, _ written: Int64, _ run: MessageRun, _ messages: borrowing MessageBatch) {
        if source.key != nil, messages[run.indexes.lowerBound + row].key == nil {
            let name = source.key.map { source.fields[$0].name } ?? ""
            putAside(
                row, .missingField,
                "the record has no Kafka key; the source is partitioned by `\(name)`, so that it may be in the wrong partition", run, messages)
        } else if !EventTimeRange.valid.contains(time) {
            putAside(
                row, .badType,
                "field `\(source.fields[source.eventTime.column].name)`: \(time) us is no usable time (36,000 years around 1970)", run, messages)
        } else {
            putAside(
                row, .future,
                "event time \(time) us is \((time - written * 1_000) / 1_000_000) s ahead of the record's Kafka timestamp; at most "
                    + "\(source.eventTime.maxAhead / 1_000_000) s (max_ahead) are taken", run, messages)
        }
    }

    /// Enters into the ledger what the operators said of each row. A row that nobody spoke of shows as an imbalance.
    private func settle(_ run: MessageRun, _ messages: borrowing MessageBatch) {
        var counts = (filtered: 0, duplicate: 0, aggregated: 0)
        for fate in fates.fates {
            switch RowFate(rawValue: fate) {
            case .filtered: counts.filtered += 1
            case .duplicate: counts.duplicate += 1
            case .aggregated: counts.aggregated += 1
            case .late, .pending, nil: break
            }
        }
        ledger.filtered += counts.filtered
        ledger.duplicate += counts.duplicate
        ledger.aggregated += counts.aggregated
        var last: Int32 = -1
        // A row that is late in two windows is one dead letter.
        for late in fates.late.sorted(by: { $0.row < $1.row }) where late.row != last {
            last = late.row
            putAside(Int(late.row), .late, late.detail, run, messages)
        }
    }

    func putAside(
        _ row: Int, _ reason: DeadLetterReason, _ detail: String, _ run: MessageRun, _ messages: borrowing MessageBatch
    ) {
        let letter = DeadLetter(
            messages[run.indexes.lowerBound + row], reason: reason, detail: detail, source: partition, job: job)
        deadLetterBytes += letter.size
        deadLetters.append(letter)
        ledger[reason] += 1
    }

    private func note(_ run: MessageRun, _ messages: borrowing MessageBatch, _ now: ContinuousClock.Instant) {
        let oldest = messages[run.indexes.lowerBound].timestampMilliseconds
        if oldest > 0 { ages.append((oldest, run.indexes.count)) }
        progress.position = position
        progress.watermark = watermark
        progress.lastRecord = now.nanoseconds
        progress.isCaughtUp = false
    }

    /// Everything below `offset` has been delivered, control records included.
    func reachEnd(_ offset: Int64) throws(RuntimeFailure) {
        let offset = min(offset, end ?? offset)
        if offset > position {
            position = offset
            hasChanged = true
            progress.position = offset
        }
        progress.isCaughtUp = true
        if closesAtEnd, let end, position >= end {
            closesAtEnd = false
            try closeWindows()
        }
    }

    /// What lay before `position` is gone from the log, or is to be passed over, as the job file allows.
    func resume(at position: Int64) {
        self.position = position
        hasChanged = true
        progress.position = position
    }

    /// An idle partition takes the watermark of the others. Never back.
    func advance(to watermark: Int64) throws(RuntimeFailure) {
        guard watermark > self.watermark else { return }
        self.watermark = watermark
        progress.watermark = watermark
        hasChanged = true
        batch.removeAll()
        fates.reset(rowCount: 0)
        let now = self.clock.now()
        var clock = StageClock(metrics)
        do throws(StateError) {
            try pipeline.push(batch, watermark: watermark, now: now, fates: &fates, clock: &clock)
        } catch {
            throw RuntimeFailure(task: id, error)
        }
    }

    func closeWindows() throws(RuntimeFailure) {
        hasChanged = true
        let now = self.clock.now()
        var clock = StageClock(metrics)
        do throws(StateError) {
            try pipeline.closeWindows(now: now, clock: &clock)
        } catch {
            throw RuntimeFailure(task: id, error)
        }
    }

    /// Bytes of output and of rows that wait for their file.
    var outputBytes: Int { pipeline.outputBytes + deadLetterBytes }

    /// So much has changed that it should be committed soon.
    var wantsCommit: Bool { pipeline.changeShare >= 0.75 }

    /// The memory budget is exceeded, and only a freeze can change that.
    var mustWait: Bool { pipeline.changeShare >= 1 || pipeline.mustWait(hasOpenChanges: hasChanged) }

    /// Ends the open epoch. What happened in it comes from `continueFreeze`, but for the changes of state if nothing comes after it.
    /// - Returns: false if nothing did.
    func beginFreeze(_ end: EpochEnd) -> Bool {
        let now = self.clock.now()
        let rollAll = end.rolling.contains(id)
        guard hasChanged || pipeline.parquet.contains(where: { rollAll ? $0.size > 0 : $0.isDue(now: now) }) else { return false }
        var clock = StageClock(metrics)
        let changes = EpochChanges(deletions)
        deletions = ChangeSet()
        let rolled = pipeline.takeRows(epoch: end.epoch, rollAll: rollAll, now: now, into: changes)
        if end.last.contains(id) {
            changes.changes = ChangeSet()
        } else {
            pipeline.beginFreeze(epoch: end.epoch, watermark: watermark, into: changes)
        }
        var outputs: [FrozenTask.Output] = []
        for index in pipeline.kafka.indices {
            let records = pipeline.kafka[index].take()
            if records.count > 0 { outputs.append(.init(topic: pipeline.kafka[index].topic, records: records, spare: pipeline.kafka[index].spare)) }
        }
        for index in pipeline.shuffles.indices {
            let records = pipeline.shuffles[index].take()
            if records.count > 0 { outputs.append(.init(topic: pipeline.shuffles[index].topic, records: records)) }
        }
        let content = FrozenTask(
            task: id, epoch: end.epoch, partition: partition, position: position,
            watermarks: upstream.entries(of: partition.topic).merging([partition.topic: watermark]) { $1 }, ledger: ledger,
            changes: ChangeSet(), outputs: outputs, deadLetters: deadLetters, rolled: rolled, ages: ages, extras: registry.extras,
            isReleased: end.releasing.contains(id))
        freezing = (content, changes)
        metrics.stateBytes.set(Double(pipeline.memory))
        metrics.stateKeys.set(Double(pipeline.keyCount))
        ledger = Ledger()
        deadLetters = []
        deadLetterBytes = 0
        ages = []
        hasChanged = false
        clock.lap(.freeze)
        return true
    }

    /// Takes out some of the state as it was when the epoch ended, between two batches.
    /// - Parameter budget: how much, as `WindowOperator.continueFreeze` counts; what that takes is taken off.
    /// - Returns: all that happened in the epoch; nil when something is left.
    func continueFreeze(budget: inout Int) -> FrozenTask? {
        var clock = StageClock(metrics)
        defer { clock.lap(.freeze) }
        guard pipeline.continueFreeze(budget: &budget), let frozen = freezing else { return nil }
        freezing = nil
        var content = frozen.content
        content.changes = frozen.changes.changes
        return content
    }

    /// The home is complete up to `epoch`.
    func flushed(upTo epoch: Int) {
        pipeline.flushed(upTo: epoch)
    }
}

extension DeadLetterReason {
    init(_ reason: DecodeFailureReason) {
        switch reason {
        case .malformed: self = .malformed
        case .missingField: self = .missingField
        case .badType: self = .badType
        case .tooLarge: self = .tooLarge
        }
    }
}

extension Formats.TimestampForm {
    init(_ form: JobFile.TimestampForm?) {
        switch form {
        case .rfc3339, nil: self = .rfc3339
        case .seconds: self = .seconds
        case .milliseconds: self = .milliseconds
        case .microseconds: self = .microseconds
        }
    }
}

extension ContinuousClock.Instant {
    /// Monotonic nanoseconds, for atomics.
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = (self - Self.epoch).components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    private static let epoch = ContinuousClock.now
}

extension RuntimeFailure {
    init(task: TaskID, _ error: StateError) {
        self.init(remedy: .recover, description: "task \(task.name): \(error)")
    }
}
