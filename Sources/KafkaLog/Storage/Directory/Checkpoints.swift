import Synchronization

/// Writes the file `checkpoints`, and removes the files of segments once it says that nobody needs them: a start that finds the first segment
/// behind the log start that it knows of takes that for damage.
///
/// Any thread may call it. What is older than what was written is not written.
final class Checkpoints: Sendable {
    typealias Snapshot = [CheckpointFile.Key: PartitionCheckpoint]

    private struct State {
        var written: UInt64 = 0
        /// Files that wait for a checkpoint that could not be written.
        var removals: [String] = []
    }

    private let path: String
    private let operations: FileOperations
    /// Held while the file is written.
    private let state = Mutex(State())
    private let failure = Mutex<StorageError?>(nil)

    init(path: String, operations: FileOperations) {
        self.path = path
        self.operations = operations
    }

    /// Writes `snapshot`, durably, and then removes files that it makes superfluous.
    /// - Parameter number: rises with each snapshot.
    /// - Throws: when it cannot be written. The files are removed after the next that can.
    func write(_ snapshot: Snapshot, number: UInt64, thenRemove removals: [String] = []) throws(StorageError) {
        let removed = try state.withLock { (state) throws(StorageError) -> [String] in
            state.removals += removals
            if number > state.written {
                let lines = CheckpointFile.encode(snapshot)
                do throws(StorageError) {
                    try CheckedFile.replaceText(path, lines: lines, operations: operations)
                } catch {
                    // On a full disk that is what makes room for it: an index can be made again.
                    for path in state.removals where path.hasSuffix("index") { try? Directories.removeFile(path) }
                    try CheckedFile.replaceText(path, lines: lines, operations: operations)
                }
                state.written = number
            }
            defer { state.removals = [] }
            return state.removals
        }
        // Oldest first: a crash in between leaves no gap. What cannot be removed is met again at the next start.
        for path in removed { try? Directories.removeFile(path) }
    }

    /// The same where nobody waits for it; `takeFailure` tells what went wrong.
    func tryWrite(_ snapshot: Snapshot, number: UInt64, thenRemove removals: [String]) {
        do throws(StorageError) {
            try write(snapshot, number: number, thenRemove: removals)
        } catch {
            failure.withLock { $0 = error }
        }
    }

    func takeFailure() -> StorageError? { failure.withLock { $0.take() } }
}
