import Synchronization

/// What a pass of the cleaner over a partition begins with. Its segments are closed: nobody writes to them.
struct CompactionPlan: Sendable {
    struct Source: Sendable {
        let base: Int64
        /// Base offset of the segment that follows.
        let end: Int64
        let size: Int64
        let isSparse: Bool
    }

    let name: TopicPartition
    let directory: String
    /// All from the first of the partition to the last that may be cleaned.
    let segments: [Source]
    let cleaned: CleanedLog
    /// What is to be cleaned for the first time begins here.
    let firstDirty: Int64
    let aborted: [AbortedRange]
    let lastOfProducers: [Int64: BatchCleaner.LastOfProducer]
    let configuration: LogConfiguration
    /// Milliseconds since 1970.
    let now: Int64
    let operations: FileOperations
    /// The most bytes that the map of offsets may take.
    let memory: Int
}

/// What a pass tells the broker's thread.
enum CompactionStep: Sendable {
    /// A new segment is durable and decided on: give it its place. The job waits until that is done.
    case install(CleanedLog, aborted: [AbortedRange])
    case finished(CleanedLog, CompactionResult)
    case failed(CompactionFailure)
}

/// What a pass did.
struct CompactionResult: Sendable, Hashable {
    var bytesRead: Int64 = 0
    var bytesWritten: Int64 = 0
    /// Segments that were written.
    var segments = 0
}

struct CompactionFailure: Error {
    enum Kind {
        case cancelled
        /// Batches that cannot be read: another pass would fail in the same place.
        case unreadable
        /// For want of room, perhaps: another pass may do better.
        case failed
        /// Which of two states a restart would find is not known.
        case undecided
    }

    let kind: Kind
    let error: StorageError
}

/// One pass of the cleaner over a partition, on the cleaner's thread. One new segment at a time takes the place of one or several: the room
/// that is needed is that of one segment.
final class CompactionJob: Sendable {
    let plan: CompactionPlan
    /// Held while names in the directory are used: whoever cancels waits for that.
    private let isCancelled = Mutex(false)
    private let installed: EventDescriptor

    init(_ plan: CompactionPlan) throws(StorageError) {
        self.plan = plan
        installed = try EventDescriptor(.blocking)
    }

    /// When this returns the job does nothing in the partition's directory any more.
    func cancel() {
        isCancelled.withLock { $0 = true }
        installed.signal()
    }

    /// The new segment has its place.
    func didInstall() { installed.signal() }

    func run(_ report: (CompactionStep) -> Void) {
        do throws(CompactionFailure) {
            var pass = CompactionPass(self)
            try pass.run(report)
        } catch {
            report(.failed(error))
        }
    }

    func waitForInstallation() throws(CompactionFailure) {
        installed.wait()
        try checkCancelled()
    }

    func checkCancelled() throws(CompactionFailure) {
        if isCancelled.withLock({ $0 }) { throw Self.cancelled }
    }

    /// Runs what uses names in the directory.
    func inDirectory<Result>(
        _ kind: CompactionFailure.Kind = .failed, _ body: () throws(StorageError) -> sending Result
    ) throws(CompactionFailure) -> Result {
        do {
            return try isCancelled.withLock { isCancelled in
                if isCancelled { throw Self.cancelled }
                return try body()
            }
        } catch let error as CompactionFailure {
            throw error
        } catch {
            throw CompactionFailure(kind: kind, error: error as? StorageError ?? StorageError(.storageError, "\(error)"))
        }
    }

    private static let cancelled = CompactionFailure(
        kind: .cancelled, error: StorageError(.storageError, "the cleaner was told to stop"))
}
