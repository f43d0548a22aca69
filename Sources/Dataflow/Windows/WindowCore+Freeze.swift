import State

// What changed leaves for the delta.
extension WindowCore {
    /// Ends the open epoch, at the same cost whatever has changed in it.
    mutating func beginFreeze(epoch: Int, _ namespaces: WindowOperator.Namespaces, into changes: EpochChanges) {
        precondition(closed.count == 0, "closed windows are put out before the epoch ends")
        let freeze = WindowFreeze(
            into: changes, table.lookup, layout, namespaces, &deletedSets, nextUid: nextUid, hasDeletions: table.hasOpenDeletions)
        table.beginFreeze(epoch: epoch) { freeze.takeOutEarly($0) }
        self.freeze = freeze
    }

    /// - Returns: false when something is left for the next call.
    mutating func continueFreeze(budget: inout Int) -> Bool {
        guard let freeze else { return true }
        guard freeze.continue(&table, budget: &budget) else { return false }
        nextUid = max(nextUid, freeze.nextUid)
        self.freeze = nil
        return true
    }
}
