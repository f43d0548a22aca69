/// The log of one partition: segments of record batches, byte for byte as producers sent them.
///
/// Not thread-safe: all calls come from the broker's thread. Regions that it gave out may be read by any.
package final class PartitionLog: SyncParticipant {
    package let name: TopicPartition
    /// Changes count from the next append and the next retention on.
    package var configuration: LogConfiguration
    /// Offset of the oldest record that a reader gets.
    package internal(set) var logStartOffset: Int64
    /// Offset that the next record gets.
    package var logEndOffset: Int64 { active.endOffset }
    /// Readers see what is below. Under `Durability.commit` what fsync has covered, else the log end.
    package internal(set) var highWatermark: Int64
    /// Why nothing can be written (and what is behind the damage not be read), if so.
    package internal(set) var damage: StorageError?

    let directory: String
    let environment: LogEnvironment
    let participantID: UInt64

    /// By base offset; the last is written to. Never empty.
    var segments: [Segment]
    var producers: ProducerStates
    /// Aborted transactions by the offset of their marker, from the log start on.
    var aborted: [AbortedRange]
    /// Transactions that have ended with a marker that is not durable yet, by first offset: to readers they are undecided.
    var settling: [(firstOffset: Int64, markerOffset: Int64)] = []

    /// How far the cleaner has come.
    var cleaned: CleanedLog
    /// The cleaner's pass that is under way: no segment may go meanwhile.
    var compaction: CompactionJob?
    /// Why the cleaner cannot read it, if so.
    var uncleanable: StorageError?

    /// All before it is on disk.
    var syncedOffset: Int64
    /// Files besides the active segment's that the next sync has to cover.
    var unsyncedFiles: [LogFile] = []
    /// Files were made since the last sync.
    var unsyncedNames = false
    var isDirty = false
    /// Where the log ended when it was closed in order and opened again; -1 when it was not.
    var cleanEndOffset: Int64 = -1
    /// Set when its topic was deleted.
    var isDeleted = false

    init(
        name: TopicPartition, directory: String, configuration: LogConfiguration, environment: LogEnvironment, segments: [Segment],
        producers: ProducerStates, aborted: [AbortedRange], logStartOffset: Int64, cleaned: CleanedLog = CleanedLog()
    ) {
        precondition(!segments.isEmpty, "a partition has at least one segment")
        self.name = name
        self.directory = directory
        self.configuration = configuration
        self.environment = environment
        self.segments = segments
        self.producers = producers
        self.aborted = aborted
        self.logStartOffset = logStartOffset
        self.cleaned = cleaned
        participantID = environment.newParticipantID()
        highWatermark = segments[segments.count - 1].endOffset
        syncedOffset = highWatermark
    }

    /// The segment that is written to.
    var active: Segment { segments[segments.count - 1] }

    /// Readers of committed records see what is below: nothing at or above it belongs to an undecided transaction.
    package var lastStableOffset: Int64 {
        var offset = highWatermark
        if let undecided = producers.firstUndecidedOffset { offset = min(offset, undecided) }
        if let settling = settling.first { offset = min(offset, settling.firstOffset) }
        return offset
    }

    /// Bytes in all segments.
    package var byteCount: Int64 { segments.reduce(0) { $0 + $1.size } }

    /// Producers that are remembered.
    package var producerCount: Int { producers.entries.count }

    /// First offsets of transactions under way, oldest first, with their producers.
    package var ongoingTransactions: [(producerID: Int64, firstOffset: Int64)] {
        producers.ongoing.map { ($0.producerID, $0.firstOffset) }
    }

    /// Whether appends are taken: neither damaged, nor deleted, nor the directory offline.
    /// - Throws: why not.
    package func checkOnline() throws(StorageError) {
        try environment.checkOnline()
        if isDeleted { throw StorageError(.unknownTopicOrPartition, "partition \(name) was deleted") }
        if let damage { throw damage }
    }

    func advanceHighWatermark(to offset: Int64) {
        highWatermark = max(highWatermark, offset)
        settling.removeAll { $0.markerOffset < highWatermark }
    }
}
