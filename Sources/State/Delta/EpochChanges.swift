/// The changes of a task in an epoch that has ended, while its operators take them out in pieces: they share it.
package final class EpochChanges {
    package var changes: ChangeSet

    /// - Parameter changes: come first.
    package init(_ changes: ChangeSet = ChangeSet()) {
        self.changes = changes
    }
}
