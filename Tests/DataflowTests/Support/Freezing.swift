import Dataflow
import State

extension WindowOperator {
    /// A whole epoch at once.
    func freeze(epoch: Int, into changes: inout ChangeSet) {
        let all = EpochChanges(changes)
        beginFreeze(epoch: epoch, into: all)
        var budget = Int.max
        _ = continueFreeze(budget: &budget)
        changes = all.changes
    }
}
