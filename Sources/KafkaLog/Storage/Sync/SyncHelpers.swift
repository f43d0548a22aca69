import CShims
import Glibc
import Synchronization

/// Syncs several files at once. One after the other each waits for a commit of the file system's journal; at once they share it.
///
/// One thread calls `synchronize`, and takes part in the work. The helpers are started when there is first something for them to do.
final class SyncHelpers: Sendable {
    private struct Round {
        var files: [LogFile] = []
        var next = 0
        var unfinished = 0
        /// Of the first file in the list that failed.
        var failure: (index: Int, error: StorageError)?
    }

    private struct State {
        var round = Round()
        var durations = DurationHistogram()
        var threads: [SyncThread] = []
        var isStopping = false
    }

    /// Files that are synced at the same time.
    private static let width = 8

    private let state = Mutex(State())
    private let operations: FileOperations
    private let wanted: EventDescriptor
    private let finished: EventDescriptor

    init(operations: FileOperations) throws(StorageError) {
        self.operations = operations
        wanted = try EventDescriptor(.takenOneByOne)
        finished = try EventDescriptor(.blocking)
    }

    /// How long fsync took so far, each file by itself.
    var durations: DurationHistogram { state.withLock { $0.durations } }

    /// Makes the files' contents durable, each of them or the first error.
    func synchronize(_ files: [LogFile]) -> StorageError? {
        guard !files.isEmpty else { return nil }
        state.withLock { $0.round = Round(files: files, unfinished: files.count) }
        let helpers = min(files.count, Self.width) - 1
        startThreads(helpers)
        for _ in 0..<helpers { wanted.signal() }
        takePart()
        finished.wait()
        return state.withLock { state in
            defer { state.round = Round() }
            return state.round.failure?.error
        }
    }

    /// Ends the helpers. Nothing may be synced meanwhile or after that.
    func stop() {
        let threads = state.withLock { state in
            state.isStopping = true
            defer { state.threads = [] }
            return state.threads
        }
        for _ in threads { wanted.signal() }
        for thread in threads { thread.join() }
    }

    /// With fewer threads than asked for the work is done all the same.
    private func startThreads(_ count: Int) {
        let missing = count - state.withLock { $0.threads.count }
        guard missing > 0 else { return }
        for _ in 0..<missing {
            guard let thread = try? SyncThread(name: "log-sync-help", { self.help() }) else { return }
            state.withLock { $0.threads.append(thread) }
        }
    }

    private func help() {
        while true {
            wanted.wait()
            if state.withLock({ $0.isStopping }) { return }
            takePart()
        }
    }

    /// Syncs files of the round until none is left to take.
    private func takePart() {
        while let (index, file) = take() {
            let start = DurationHistogram.now
            let error = synchronize(file)
            let spent = DurationHistogram.now - start
            let isLast = state.withLock { state in
                if error == nil { state.durations.observe(nanoseconds: spent) }
                if let error, index <= state.round.failure?.index ?? .max { state.round.failure = (index, error) }
                state.round.unfinished -= 1
                return state.round.unfinished == 0
            }
            if isLast { finished.signal() }
        }
    }

    private func take() -> (Int, LogFile)? {
        state.withLock { state in
            guard state.round.next < state.round.files.count else { return nil }
            defer { state.round.next += 1 }
            return (state.round.next, state.round.files[state.round.next])
        }
    }

    private func synchronize(_ file: LogFile) -> StorageError? {
        do throws(SystemError) {
            try operations.synchronize(file.descriptor)
            return nil
        } catch {
            return .system("sync", file.path, error)
        }
    }
}
