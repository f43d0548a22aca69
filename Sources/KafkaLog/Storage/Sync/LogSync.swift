import Glibc
import Synchronization

/// A request to make files durable.
struct SyncTicket: Sendable {
    /// Who asks: comes back in the completion.
    let participant: UInt64
    let files: [LogFile]
    /// Directories in which files were made or renamed.
    let directories: [String]
    /// How far the participant is durable once this ticket is done, in its own measure.
    let position: Int64
}

struct SyncCompletion: Sendable {
    let participant: UInt64
    let position: Int64
    /// Set when fsync failed, for this ticket or for one before it.
    let failure: StorageError?
}

/// How often and how long fsync ran, for metrics.
package struct SyncStatistics: Sendable, Hashable {
    /// Files that were synced.
    package var fileSyncs: UInt64 = 0
    /// Rounds of the sync thread: each answers all that waited when it began.
    package var rounds: UInt64 = 0
    /// How long fsync took, each file by itself.
    package var durations = DurationHistogram()
}

/// Group commit: one thread makes durable what everybody has asked for, each file once a round, several at a time.
///
/// After the first failure nothing is ever synced again: the kernel may have dropped the dirty pages, so that a second fsync succeeds
/// without the data being on disk ("Can applications recover from fsync failures?", ATC '20).
final class LogSync: Sendable {
    private struct State {
        var tickets: [SyncTicket] = []
        var completions: [SyncCompletion] = []
        var statistics = SyncStatistics()
        var isStopping = false
    }

    private let state = Mutex(State())
    private let operations: FileOperations
    private let helpers: SyncHelpers
    /// Milliseconds that a round waits for more to come; 0: none.
    private let delay: Int32
    private let requested: EventDescriptor
    private let stopping: EventDescriptor
    private let completed: EventDescriptor
    private let thread = Mutex<SyncThread?>(nil)

    init(operations: FileOperations, delayMilliseconds: Int) throws(StorageError) {
        self.operations = operations
        helpers = try SyncHelpers(operations: operations)
        delay = Int32(clamping: delayMilliseconds)
        requested = try EventDescriptor(.blocking)
        stopping = try EventDescriptor(.blocking)
        completed = try EventDescriptor(.polled)
        let started = try SyncThread(name: "log-sync") { self.run() }
        thread.withLock { $0 = started }
    }

    /// Readable when there are completions.
    var completionDescriptor: Int32 { completed.descriptor }

    var statistics: SyncStatistics { state.withLock { $0.statistics } }

    func request(_ tickets: [SyncTicket]) {
        guard !tickets.isEmpty else { return }
        state.withLock { $0.tickets += tickets }
        requested.signal()
    }

    /// Makes the completion descriptor readable, for what another thread has to tell.
    func wake() { completed.signal() }

    /// What was done since the last call, in order.
    func drainCompleted() -> [SyncCompletion] {
        completed.clear()
        return state.withLock { state in
            defer { state.completions.removeAll() }
            return state.completions
        }
    }

    /// Finishes what was asked for and ends the thread.
    func stop() {
        guard let running = thread.withLock({ $0.take() }) else { return }
        state.withLock { $0.isStopping = true }
        stopping.signal()
        requested.signal()
        running.join()
        helpers.stop()
    }

    private func run() {
        var failure: StorageError?
        while true {
            requested.wait()
            if delay > 0 { stopping.wait(milliseconds: delay) }
            let (tickets, isStopping) = state.withLock { state in
                defer { state.tickets.removeAll() }
                return (state.tickets, state.isStopping)
            }
            if !tickets.isEmpty {
                if failure == nil { failure = synchronize(tickets) }
                let durations = helpers.durations
                state.withLock { [failure] state in
                    state.completions += tickets.map {
                        SyncCompletion(participant: $0.participant, position: $0.position, failure: failure)
                    }
                    state.statistics.rounds += 1
                    state.statistics.fileSyncs = durations.count
                    state.statistics.durations = durations
                }
                completed.signal()
            }
            if isStopping && state.withLock({ $0.tickets.isEmpty }) { return }
        }
    }

    private func synchronize(_ tickets: [SyncTicket]) -> StorageError? {
        var seen: Set<ObjectIdentifier> = []
        var files: [LogFile] = []
        var directories: [String] = []
        for ticket in tickets {
            for file in ticket.files where seen.insert(ObjectIdentifier(file)).inserted { files.append(file) }
            for directory in ticket.directories where !directories.contains(directory) { directories.append(directory) }
        }
        if let failure = helpers.synchronize(files) { return failure }
        for directory in directories {
            do throws(StorageError) {
                try Directories.synchronize(directory)
            } catch {
                return error
            }
        }
        return nil
    }
}
