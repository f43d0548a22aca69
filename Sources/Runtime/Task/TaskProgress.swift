import Synchronization

/// What others may look at while a worker runs a task: for lag, idle partitions and the end of a bounded run.
final class TaskProgress: Sendable {
    private let positionValue: Atomic<Int64>
    private let watermarkValue: Atomic<Int64>
    private let lastRecordValue = Atomic<Int64>(0)
    private let caughtUpValue = Atomic<Bool>(false)

    init(position: Int64, watermark: Int64) {
        positionValue = Atomic(position)
        watermarkValue = Atomic(watermark)
    }

    /// The next offset to read, control records counted.
    var position: Int64 {
        get { positionValue.load(ordering: .relaxed) }
        set { positionValue.store(newValue, ordering: .relaxed) }
    }

    /// Microseconds since 1970 UTC; `EventTimeRange.noWatermark` before the first record.
    var watermark: Int64 {
        get { watermarkValue.load(ordering: .relaxed) }
        set { watermarkValue.store(newValue, ordering: .relaxed) }
    }

    /// When the last record came, monotonic nanoseconds; 0 before the first.
    var lastRecord: Int64 {
        get { lastRecordValue.load(ordering: .relaxed) }
        set { lastRecordValue.store(newValue, ordering: .relaxed) }
    }

    /// All that was there has been read: slow is not idle.
    var isCaughtUp: Bool {
        get { caughtUpValue.load(ordering: .relaxed) }
        set { caughtUpValue.store(newValue, ordering: .relaxed) }
    }
}
