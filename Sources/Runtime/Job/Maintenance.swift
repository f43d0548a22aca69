import Foundation
import State
import Synchronization

/// The job's background thread: brings the homes of tasks up to date from their committed deltas and takes snapshots, while
/// the workers go on.
package final class Maintenance: Sendable {
    struct Flush: Sendable {
        var task: TaskID
        var home: Home
        /// Oldest first, each the child of the one before.
        var deltas: [DeltaReference]
    }

    private enum Request: Sendable {
        case flush(Flush)
        /// Answers once everything before it is done.
        case report(Mailbox<Void>)
        case stop
    }

    private struct Outcome: Sendable {
        var flush: Flush
        var failure: StateError?
    }

    private let context: JobContext
    private let requests = Mailbox<Request>()
    private let outcomes = Mailbox<Outcome>()
    private let thread: ThreadBox
    private let isStopping = Atomic(false)

    init(_ context: JobContext) {
        self.context = context
        thread = ThreadBox()
        guard context.surroundings.hasThreads else { return }
        thread.start("maintenance") { [self] in while serve(requests.wait()) {} }
    }

    func flush(_ request: Flush) {
        requests.send(.flush(request))
    }

    /// Hands over what has been done since the last call, or why it has not. Failures are said, to be tried again with a later
    /// flush.
    func finished(_ body: (Flush, StateError?) throws(RuntimeFailure) -> Void) throws(RuntimeFailure) {
        for outcome in outcomes.drain() {
            if let error = outcome.failure {
                context.log.error(
                    "the local state could not be brought up to date; will be tried again",
                    ["task": .string(outcome.flush.task.name), "error": .string("\(error)")])
                context.board.update { $0.lastError = "\(error)" }
                if error.kind == .damagedHome { throw RuntimeFailure(remedy: .recover, description: "\(error)") }
            }
            try body(outcome.flush, outcome.failure)
        }
    }

    /// Waits until everything that was asked for is done.
    func catchUp() {
        guard context.surroundings.hasThreads else { return turn() }
        let answer = Mailbox<Void>()
        requests.send(.report(answer))
        _ = answer.wait()
    }

    /// Does what was asked for, where there is no thread for it.
    package func turn() {
        _ = serve(requests.drain())
    }

    /// Waits for the flush under way, if any, but not for what it tidies up: the next one does that too.
    func stop() {
        isStopping.store(true, ordering: .relaxed)
        requests.send(.stop)
        thread.join()
    }

    /// - Returns: false when the thread is to end.
    private func serve(_ requests: [Request]) -> Bool {
        for request in requests {
            switch request {
            case .stop: return false
            case .report(let answer): answer.send(())
            case .flush(let flush):
                do throws(StateError) {
                    try perform(flush)
                    outcomes.send(Outcome(flush: flush, failure: nil))
                } catch {
                    outcomes.send(Outcome(flush: flush, failure: error))
                }
            }
        }
        return true
    }

    private func perform(_ flush: Flush) throws(StateError) {
        let job = context.plan.name
        let storage = context.settings.storage
        try flush.home.apply(flush.deltas) { reference throws(StateError) in
            try DeltaFile.load(reference, job: job, task: flush.task, from: storage)
        }
        guard let newest = flush.deltas.last else { preconditionFailure("a flush has at least one delta") }

        // The snapshot lets the deltas go: local state is a cache and must be restorable without them.
        let local = context.localDirectory(flush.task) + ".snapshot"
        try? FileManager.default.removeItem(atPath: local)
        try flush.home.checkpoint(to: local)
        defer { try? FileManager.default.removeItem(atPath: local) }
        let name = DeltaChain.snapshotName(newest, job: job, task: flush.task)
        try storage.putDirectory(local, as: name)
        do throws(StateError) {
            try dropOlder(than: newest, keeping: name, flush.task)
        } catch {
            // The home has the deltas, of which some may be gone already: to do it all again would miss them.
            context.log.warn(
                "what a snapshot makes unnecessary could not be deleted; will be tried again after the next",
                ["task": .string(flush.task.name), "error": .string("\(error)")])
        }
    }

    /// Deletes what a recovery no longer needs: deltas before the snapshot, and older snapshots. The delta that the snapshot is
    /// complete to stays: its header says where to go on. So does everything younger, of whoever has the task by now: this
    /// instance may have lost it while it was writing.
    private func dropOlder(than newest: DeltaReference, keeping snapshot: String, _ task: TaskID) throws(StateError) {
        let job = context.plan.name
        let directory = DeltaChain.directory(job: job, task: task)
        let kept = DeltaChain.name(newest, job: job, task: task)
        var snapshots: Set<String> = []
        for object in try context.settings.storage.list(directory) {
            if isStopping.load(ordering: .relaxed) { return }
            let parts = object.name.dropFirst(directory.count + 1).split(separator: "/")
            guard let first = parts.first else { continue }
            if first.hasPrefix("snapshot-") {
                snapshots.insert("\(directory)/\(first)")
            } else if object.name < kept, object.name.hasSuffix(".delta") {
                try context.settings.storage.delete(object.name)
            }
        }
        for old in snapshots.sorted() where old < snapshot { try context.settings.storage.delete(old) }
    }
}

/// A thread that is started after its owner has been initialised.
private final class ThreadBox: @unchecked Sendable {
    // Unchecked: set once, before the owner is handed to anybody, and read by the thread that ends it.
    private var thread: NamedThread?

    func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        thread = NamedThread(name, body: body)
    }

    func join() {
        thread?.join()
        thread = nil
    }
}

extension DeltaFile {
    /// Reads the delta of a task, which has to be there.
    static func load(
        _ reference: DeltaReference, job: String, task: TaskID, from storage: any CheckpointStorage
    ) throws(StateError) -> DeltaFile {
        let name = DeltaChain.name(reference, job: job, task: task)
        guard let bytes = try storage.get(name) else {
            throw StateError(
                .missing, name, "the delta of epoch \(reference.epoch) is committed and not in the checkpoint storage",
                remedy: "restore it from a backup; without it, the group's offsets would have to be reset and the state dropped")
        }
        return try decode(bytes, name, reference, job: job, task: task)
    }

    /// The delta of a task, which has to be the one that is referred to.
    static func decode(
        _ bytes: [UInt8], _ name: String, _ reference: DeltaReference, job: String, task: TaskID
    ) throws(StateError) -> DeltaFile {
        do throws(StateError) {
            let file = try DeltaFile(decoding: bytes, name: name)
            try file.check(job: job, task: task.name, reference: reference)
            return file
        } catch {
            throw StateError(
                error.kind, error.place, "the committed delta of epoch \(reference.epoch): \(error.problem)", remedy: error.remedy)
        }
    }
}
