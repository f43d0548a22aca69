/// A defect put into the world next to the engine, such that the whole behaves like an engine that has it. Each has to be found.
package enum Mutation: String, CaseIterable, Sendable {
    /// Files get their final names before the epoch is committed.
    case publishBeforeCommit
    /// Recovery does not publish what the life before it committed and did not publish.
    case publishNothingAfterACrash
    /// Staged files of epochs that never committed are published instead of deleted.
    case keepZombieFiles
    /// A recovery deletes all that is staged, also what is about to be committed by whoever has the task by now.
    case sweepFilesOfOthers
    /// Recovery takes the delta of the epoch before, whoever wrote it, instead of the parent.
    case ignoreParents
    /// The newest delta is applied before its parent.
    case applyOutOfOrder
    /// A delta's header has no watermark.
    case forgetWatermark
    /// Two lives give the same epoch the same delta id.
    case reuseDeltaNames
    /// A delta counts as stored before it is durable.
    case acknowledgeDeltasEarly
    /// Offsets are sent without the group's generation.
    case commitWithoutGeneration
    /// A commit without an answer is guessed to have been done, or not to have been done.
    case takeUnknownForCommitted
    case takeUnknownForAborted
    case sendOffsetsOutsideTheTransaction
    case produceOutsideTheTransaction
    /// An epoch that is committed again has its offsets and not its outputs.
    case retryWithoutOutputs
    case offByOneOffset
    /// A revocation is answered before its tasks are committed.
    case giveBackBeforeCommit
    /// Tasks that the group took away go on.
    case overlookLoss
    /// Only the first life writes dead letters.
    case forgetDeadLetters
    /// The first record after an assignment is delivered twice.
    case deliverTwiceAfterAssignment
    /// A snapshot takes the place of all others, also of younger ones.
    case deleteYoungerSnapshots
    /// Deltas are deleted before the snapshot that replaces them is stored.
    case deleteDeltasBeforeSnapshot
    /// A crash while a snapshot is stored leaves half of it.
    case leaveHalfSnapshots

    /// Shows only where homes are real.
    var concernsHomes: Bool {
        switch self {
        case .deleteYoungerSnapshots, .deleteDeltasBeforeSnapshot, .leaveHalfSnapshots: true
        default: false
        }
    }
}
