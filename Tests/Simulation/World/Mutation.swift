/// A defect put into the world next to the engine, such that the whole behaves like an engine that has it. Each has to be found.
package enum Mutation: String, CaseIterable, Sendable {
    case publishBeforeCommit
    case publishNothingAfterACrash
    case keepZombieFiles
    case sweepFilesOfOthers
    case ignoreParents
    case applyOutOfOrder
    case forgetWatermark
    case reuseDeltaNames
    case acknowledgeDeltasEarly
    case commitWithoutGeneration
    case takeUnknownForCommitted
    case takeUnknownForAborted
    case sendOffsetsOutsideTheTransaction
    case produceOutsideTheTransaction
    case retryWithoutOutputs
    case offByOneOffset
    case giveBackBeforeCommit
    case overlookLoss
    case skipDeadLettersOfCrashes
    case deliverTwiceAfterRebalance
}
