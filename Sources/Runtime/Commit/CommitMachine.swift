/// The commit protocol of an instance (DESIGN §5) as a state machine: events in, actions out, no I/O, no clock, no thread.
///
///     idle -> freezing -> preparing -> committing -> publishing -> idle
///                            |  ^          |  |
///                  back off -+  +- aborting+  +-> settling (outcome unknown: look it up, never guess)
///
/// The driver performs each action and reports its outcome as the next event. One epoch is under way at a time; the
/// workers go on with the next one from the moment they have frozen.
package struct CommitMachine: Sendable {
    /// Names a delta: random, so that what a zombie wrote under the same epoch is somebody else's.
    package typealias DeltaID = UInt64

    /// What the freezing of one changed task gave.
    package struct FrozenTask: Equatable, Sendable {
        package var task: TaskID
        package var delta: DeltaID
        package var ledger: Ledger

        package init(task: TaskID, delta: DeltaID, ledger: Ledger) {
            self.task = task
            self.delta = delta
            self.ledger = ledger
        }
    }

    package enum CommitFailure: Equatable, Sendable {
        /// The transaction has to be aborted; the same epoch may then be committed in a new one.
        case abortable
        /// No answer: it may have been committed or not.
        case outcomeUnknown
        /// This instance has been fenced, or its producer is beyond use.
        case fatal
    }

    package enum Event: Equatable, Sendable {
        /// The interval is over, somebody asked, or the workers hold much that is not committed.
        case due
        /// The workers have frozen; `tasks` are those that changed.
        case froze([FrozenTask])
        case prepared
        case prepareFailed(String)
        case committed
        case commitFailed(CommitFailure, String)
        case aborted
        case abortFailed(String)
        /// The delta id that Kafka's committed offset carries, by task; nil where there is none.
        case settled([TaskID: DeltaID?])
        case settleFailed(String)
        /// The committed offset carries a delta that is neither the epoch's nor the one before it.
        case overtaken(String)
        case published
        case publishFailed(String)
        /// The time of a back-off is over.
        case retry
        /// These tasks go, in order, because the group takes them away or because they are done: commit first.
        case revoke(Set<TaskID>)
        /// The group took these tasks away already.
        case lose(Set<TaskID>)
        /// Commit a last time, then stop.
        case stop
    }

    package enum Action: Equatable, Sendable {
        /// Every worker ends its batch and freezes; tasks in `releasing` take no record after it. Those that are not among them may go on
        /// in the epoch that they are in, as if nothing had changed in them.
        case freeze(epoch: Int, releasing: Set<TaskID>)
        /// Write the deltas and the rolled files under their staging names, durably.
        case prepare(epoch: Int)
        /// Begin a transaction, produce the outputs, send the offsets, commit.
        case commit(epoch: Int)
        case abort(epoch: Int)
        /// Re-initialise the producer, which settles the transaction, and read the committed metadata.
        case settle(epoch: Int)
        /// The epoch is committed: its changes may go to RocksDB.
        case confirm(epoch: Int, tasks: [TaskID: DeltaID])
        /// Rename the staged files.
        case publish(epoch: Int)
        /// Give these tasks up: all they did is committed.
        case release(Set<TaskID>)
        /// Forget these tasks: what is not committed of them is somebody else's to do again.
        case drop(Set<TaskID>)
        /// Say why, wait, and send `retry`.
        case backOff(String)
        /// Forget producer and tasks and start over from what is committed.
        case recover(String)
        /// Stop the job: going on would publish wrong numbers.
        case fail(String)
        /// Everything is committed; end.
        case stopped
    }

    private enum Step: Equatable, Sendable {
        case prepare
        case commit
        case settle
        case publish
    }

    private enum Phase: Equatable, Sendable {
        case idle
        case freezing
        case doing(Step)
        case aborting(String)
        case backingOff(Step)
        /// Over; only a new machine goes on.
        case ended
    }

    /// The newest epoch begun.
    package private(set) var epoch: Int
    package private(set) var committedEpoch: Int
    private var phase = Phase.idle
    /// The tasks of the epoch under way, with their deltas: whose deltas to write, outputs to produce, offsets to send
    /// and files to publish. Tasks lost in the meantime are no longer among them.
    package private(set) var tasks: [TaskID: DeltaID] = [:]
    /// What the epoch under way releases.
    private var releasing: Set<TaskID> = []
    /// What the next epoch has to release.
    private var toRelease: Set<TaskID> = []
    private var isWanted = false
    private var isStopping = false
    private var isLast = false

    /// - Parameter epoch: the newest epoch known of any task of this instance; the machine goes on above it.
    package init(after epoch: Int) {
        self.epoch = epoch
        self.committedEpoch = epoch
    }

    /// A task that was recovered at `epoch` has joined: later epochs are above it.
    package mutating func join(recoveredAt epoch: Int) {
        self.epoch = max(self.epoch, epoch)
    }

    package var isIdle: Bool { phase == .idle }
    package var hasEnded: Bool { phase == .ended }

    package mutating func handle(_ event: Event) -> [Action] {
        switch (phase, event) {
        case (.ended, _):
            return []

        case (_, .due):
            isWanted = true
            return beginIfIdle()
        case (_, .revoke(let tasks)):
            toRelease.formUnion(tasks)
            isWanted = true
            return beginIfIdle()
        case (_, .stop):
            isStopping = true
            isWanted = true
            return beginIfIdle()
        case (_, .lose(let lost)):
            return lose(lost)

        case (.freezing, .froze(let frozen)):
            return frozen.isEmpty ? finish() : prepare(frozen)

        case (.doing(.prepare), .prepared):
            return tasks.isEmpty ? finish() : perform(.commit)
        case (.doing(.prepare), .prepareFailed(let reason)):
            return tasks.isEmpty ? finish() : backOff(.prepare, reason)

        case (.doing(.commit), .committed):
            return tasks.isEmpty ? finish() : confirm()
        case (.doing(.commit), .commitFailed(.abortable, let reason)):
            phase = .aborting(reason)
            return [.abort(epoch: epoch)]
        case (.doing(.commit), .commitFailed(.outcomeUnknown, _)):
            return perform(.settle)
        case (.doing(.commit), .commitFailed(.fatal, let reason)):
            phase = .ended
            return [.recover(reason)]

        case (.aborting(let reason), .aborted):
            return tasks.isEmpty ? finish() : backOff(.commit, reason)
        case (.aborting, .abortFailed):
            return perform(.settle)

        case (.doing(.settle), .settled(let committed)):
            return tasks.isEmpty ? finish() : settle(committed)
        case (.doing(.settle), .overtaken(let reason)):
            if tasks.isEmpty { return finish() }
            phase = .ended
            return [.recover(reason)]
        case (.doing(.settle), .settleFailed(let reason)):
            return backOff(.settle, reason)

        case (.doing(.publish), .published):
            return finish()
        case (.doing(.publish), .publishFailed(let reason)):
            return backOff(.publish, reason)

        case (.backingOff(let step), .retry):
            // Also without tasks an open transaction has to be settled before the next may begin.
            return tasks.isEmpty && step != .settle ? finish() : perform(step)

        default:
            preconditionFailure("\(event) does not answer anything asked in \(phase)")
        }
    }

    private mutating func beginIfIdle() -> [Action] {
        guard phase == .idle, isWanted else { return [] }
        isWanted = false
        isLast = isStopping
        releasing = toRelease
        toRelease = []
        epoch += 1
        phase = .freezing
        return [.freeze(epoch: epoch, releasing: releasing)]
    }

    private mutating func prepare(_ frozen: [FrozenTask]) -> [Action] {
        if let wrong = frozen.first(where: { !$0.ledger.isBalanced }) {
            phase = .ended
            return [.fail("task \(wrong.task.name), epoch \(epoch): the ledger does not balance: \(wrong.ledger)")]
        }
        tasks = Dictionary(uniqueKeysWithValues: frozen.map { ($0.task, $0.delta) })
        return perform(.prepare)
    }

    private mutating func perform(_ step: Step) -> [Action] {
        phase = .doing(step)
        switch step {
        case .prepare: return [.prepare(epoch: epoch)]
        case .commit: return [.commit(epoch: epoch)]
        case .settle: return [.settle(epoch: epoch)]
        case .publish: return [.publish(epoch: epoch)]
        }
    }

    private mutating func backOff(_ step: Step, _ reason: String) -> [Action] {
        phase = .backingOff(step)
        return [.backOff(reason)]
    }

    private mutating func confirm() -> [Action] {
        committedEpoch = epoch
        return [.confirm(epoch: epoch, tasks: tasks)] + perform(.publish)
    }

    private mutating func settle(_ committed: [TaskID: DeltaID?]) -> [Action] {
        let matching = tasks.filter { committed[$0.key] == .some($0.value) }.count
        if matching == tasks.count { return confirm() }
        if matching == 0 { return backOff(.commit, "epoch \(epoch) was not committed; committing it again") }
        // A transaction is all or nothing: somebody else has written to the group's offsets.
        phase = .ended
        return [.recover("epoch \(epoch) is committed for \(matching) of \(tasks.count) tasks")]
    }

    private mutating func lose(_ lost: Set<TaskID>) -> [Action] {
        toRelease.subtract(lost)
        releasing.subtract(lost)
        // Once committed an epoch is published whole, whoever owns its tasks now: publishing is idempotent.
        if phase != .doing(.publish), phase != .backingOff(.publish) {
            for task in lost { tasks[task] = nil }
        }
        return [.drop(lost)]
    }

    private mutating func finish() -> [Action] {
        var actions: [Action] = []
        if !releasing.isEmpty { actions.append(.release(releasing)) }
        releasing = []
        tasks = [:]
        phase = .idle
        if isLast {
            phase = .ended
            return actions + [.stopped]
        }
        return actions + beginIfIdle()
    }
}
