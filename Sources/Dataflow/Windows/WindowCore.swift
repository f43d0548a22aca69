import Batch
import State

/// The state of one window transform of one task, and what the loops over it need.
///
/// A value without references to count and with one owner: the operator's class is entered once a batch, its loops
/// run here. Rows are taken in blocks: a first loop brings the slots and records closer, a second goes row by row and
/// decides which window a row belongs to (this is where windows open, merge and close), then every aggregate folds the
/// block's values into the records found. A merge folds what is pending first, so that values reach a
/// record in the order of the log.
struct WindowCore: ~Copyable {
    /// Rows of a block: their records should fit the first-level cache.
    static let blockRows = 128

    let kind: WindowDefinition.Kind
    let allowedLateness: Int64
    /// Windows do not close and have no timers: they are taken.
    let isPartial: Bool
    let layout: AggregateLayout
    var table: RecordTable
    var timers: EventTimers

    /// Rows whose window is decided and whose values are not yet folded.
    let pendingRecords: UnsafeMutablePointer<Record>
    let pendingRows: UnsafeMutablePointer<Int32>
    var pendingCount = 0
    /// Those of them that an aggregate takes.
    let chosenRecords: UnsafeMutablePointer<Record>
    let chosenRows: UnsafeMutablePointer<Int32>
    /// Per row of the block.
    let hashes: UnsafeMutablePointer<UInt64>
    let starts: UnsafeMutablePointer<Int64>
    let candidates: UnsafeMutablePointer<UInt32>
    let valueHashes: UnsafeMutablePointer<Hash128>

    /// Chains that are in a scratch file, and not in the table.
    var spilled: SpilledChains
    /// Nothing leaves memory without.
    let canSpill: Bool
    var chains = ChainWriter()
    var spilledDue = RawList<SpilledChains.Timer>(capacity: 1)
    var wanted = RawList<WantedChain>(capacity: 1)
    var keyScratch = RawList<UInt8>(capacity: 64)

    /// Windows that are closed, unlinked and not yet put out; the first so many have been.
    var closed = RawList<Record>()
    var putOutCount = 0
    var due = RawList<EventTimers.Entry>()
    /// The uid of the next window whose sets go into chunks; 0 is nobody's.
    var nextUid: UInt64 = 1
    /// Windows that are gone and whose sets the persisted state has.
    var deletedSets = RawList<UInt64>()
    /// The epoch that is being frozen, if one is.
    var freeze: WindowFreeze?
    /// int64 and decimal sums that did not fit their result.
    var overflows = 0
    /// Up to where the home's timers have been looked at, and the first end beyond; nil: has to be asked for.
    var coldCursor = Int64.min
    var coldNext: Int64?
    /// The latest effective watermark given to `advance`.
    var watermark = Int64.min

    /// - Parameter spillDirectory: of the scratch files for what does not fit into memory.
    init(_ definition: WindowDefinition, spillDirectory: String? = nil) {
        kind = definition.kind
        allowedLateness = definition.allowedLateness
        isPartial = definition.isPartial
        layout = AggregateLayout(definition)
        let width: Int64
        switch definition.kind {
        case .session(let gap, let max):
            precondition(gap > 0 && (max ?? 1) > 0, "a session's gap and maximum are positive")
            precondition(max == nil || !definition.isPartial, "what a session's maximum cuts depends on the order of all its rows")
            width = Swift.max(1, gap / 256)
            table = RecordTable(payloadBytes: layout.payloadBytes, isKeyedByStart: false)
        case .tumbling(let size):
            precondition(size > 0, "a window's size is positive")
            width = Swift.max(1, size / 16)
            table = RecordTable(payloadBytes: layout.payloadBytes, isKeyedByStart: true)
        }
        timers = EventTimers(width: width)
        spilled = SpilledChains(timerWidth: width, directory: spillDirectory ?? "")
        canSpill = spillDirectory != nil
        pendingRecords = .allocate(capacity: Self.blockRows)
        pendingRows = .allocate(capacity: Self.blockRows)
        chosenRecords = .allocate(capacity: Self.blockRows)
        chosenRows = .allocate(capacity: Self.blockRows)
        hashes = .allocate(capacity: Self.blockRows)
        starts = .allocate(capacity: Self.blockRows)
        candidates = .allocate(capacity: Self.blockRows)
        valueHashes = .allocate(capacity: Self.blockRows)
    }

    deinit {
        pendingRecords.deallocate()
        pendingRows.deallocate()
        chosenRecords.deallocate()
        chosenRows.deallocate()
        hashes.deallocate()
        starts.deallocate()
        candidates.deallocate()
        valueHashes.deallocate()
    }

    /// What the transform's windows go by: a row's watermark less the allowed lateness.
    @inline(__always)
    func effective(_ watermark: Int64) -> Int64 {
        let (result, isBelow) = watermark.subtractingReportingOverflow(allowedLateness)
        return isBelow ? .min : result
    }

    @inline(__always)
    mutating func pend(_ record: Record, _ row: Int32) {
        pendingRecords[pendingCount] = record
        pendingRows[pendingCount] = row
        pendingCount &+= 1
    }

    /// Opens a window: a new key, or one more of `head`'s.
    mutating func open(
        _ hash: UInt64, _ key: UnsafeRawBufferPointer, start: Int64, end: Int64, besides head: Record? = nil
    ) -> Record {
        let record: Record
        if let head {
            record = table.insert(besides: head, start: start, end: end)
        } else {
            record = table.insert(hash, key, start: start, end: end)
        }
        register(record)
        table.markChanged(record)
        return record
    }

    mutating func register(_ record: Record) {
        guard !isPartial else { return }
        record.pointee.timerEnd = record.pointee.end
        timers.register(record.pointee.number, end: record.pointee.end)
    }

    /// The window takes no more rows; it is put out at the end of the batch.
    mutating func close(_ record: Record) {
        table.unlink(record)
        record.pointee.timerEnd = .min
        closed.append(record)
    }

    /// Frees a window that is unlinked.
    mutating func free(_ record: Record) {
        if layout.hasPieces {
            if layout.hasPersistedSets(record) { deletedSets.append(layout.uid(record)) }
            layout.release(record, &table.pieces)
        }
        table.free(record)
    }
}

/// What a run of rows gives the loops: where things lie. Valid during one call.
struct RowInput {
    let selection: UnsafeBufferPointer<Int32>
    let eventTimes: UnsafePointer<Int64>
    let watermarks: UnsafePointer<Int64>
    let keyViews: UnsafePointer<StringView>
    let keyBytes: UnsafeRawPointer
    let keyHashes: UnsafePointer<UInt64>
    let fates: UnsafeMutablePointer<UInt8>

    @inline(__always)
    func key(_ row: Int) -> UnsafeRawBufferPointer {
        let view = keyViews[row]
        return UnsafeRawBufferPointer(start: keyBytes + Int(view.start), count: Int(view.length))
    }

    @inline(__always)
    func raise(_ row: Int, _ fate: RowFate) {
        if fates[row] < fate.rawValue { fates[row] = fate.rawValue }
    }
}

/// Late rows of a call, as they were found.
struct LateFinding: BitwiseCopyable {
    var row: Int32
    var windowEnd: Int64
    var watermark: Int64
}
