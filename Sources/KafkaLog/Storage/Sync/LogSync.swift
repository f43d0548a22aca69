import CShims
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
    /// Time spent in fsync.
    package var nanoseconds: UInt64 = 0
}

/// Group commit: one thread makes durable what everybody has asked for, each file once a round.
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
    /// Milliseconds that a round waits for more to come; 0: none.
    private let delay: Int32
    private let requested: EventDescriptor
    private let stopping: EventDescriptor
    private let completed: EventDescriptor
    private let thread = Mutex<SyncThread?>(nil)

    init(operations: FileOperations, delayMilliseconds: Int) throws(StorageError) {
        self.operations = operations
        delay = Int32(clamping: delayMilliseconds)
        requested = try EventDescriptor(blocking: true)
        stopping = try EventDescriptor(blocking: true)
        completed = try EventDescriptor(blocking: false)
        let started = try SyncThread(self)
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
    }

    fileprivate func run() {
        var failure: StorageError?
        while true {
            requested.wait()
            if delay > 0 { stopping.wait(milliseconds: delay) }
            let (tickets, isStopping) = state.withLock { state in
                defer { state.tickets.removeAll() }
                return (state.tickets, state.isStopping)
            }
            if !tickets.isEmpty {
                let start = monotonicNanoseconds()
                var syncs: UInt64 = 0
                if failure == nil { failure = synchronize(tickets, &syncs) }
                let spent = monotonicNanoseconds() - start
                state.withLock { [failure] state in
                    state.completions += tickets.map {
                        SyncCompletion(participant: $0.participant, position: $0.position, failure: failure)
                    }
                    state.statistics.rounds += 1
                    state.statistics.fileSyncs += syncs
                    state.statistics.nanoseconds += spent
                }
                completed.signal()
            }
            if isStopping && state.withLock({ $0.tickets.isEmpty }) { return }
        }
    }

    private func synchronize(_ tickets: [SyncTicket], _ syncs: inout UInt64) -> StorageError? {
        var seen: Set<ObjectIdentifier> = []
        var directories: [String] = []
        for ticket in tickets {
            for file in ticket.files where seen.insert(ObjectIdentifier(file)).inserted {
                do throws(SystemError) {
                    try operations.synchronize(file.descriptor)
                } catch {
                    return .system("sync", file.path, error)
                }
                syncs += 1
            }
            for directory in ticket.directories where !directories.contains(directory) { directories.append(directory) }
        }
        for directory in directories {
            do throws(StorageError) {
                try Directories.synchronize(directory)
            } catch {
                return error
            }
        }
        return nil
    }

    private func monotonicNanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// The thread that runs a `LogSync`; joined by its owner.
private struct SyncThread: Sendable {
    private let handle: pthread_t

    init(_ sync: LogSync) throws(StorageError) {
        var handle = pthread_t()
        let context = Unmanaged.passRetained(sync)
        let code = pthread_create(
            &handle, nil,
            { context in
                guard let context else { return nil }
                let sync = Unmanaged<LogSync>.fromOpaque(context).takeRetainedValue()
                millrace_name_thread("log-sync")
                sync.run()
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            context.release()
            throw .system("start a thread for", "the log", SystemError(code: code))
        }
        self.handle = handle
    }

    func join() {
        pthread_join(handle, nil)
    }
}
