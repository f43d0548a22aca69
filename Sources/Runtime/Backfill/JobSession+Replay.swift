import State

/// What is different in a backfill's session.
extension JobSession {
    /// What is committed now is the run's last: all windows are closed, and nobody reads a state again.
    var isEndOfReplay: Bool { rollsAll && mode.replay != nil }

    /// The totals of a task with this epoch.
    func totals(after epoch: FrozenTask) -> ReplayTotals { totals[epoch.task, default: ReplayTotals()].adding(epoch) }

    /// The names of the file that `task`'s rolled rows at `position` become. A backfill numbers the files of a task and sink, so that
    /// they have the same names however often it was killed in between.
    func names(of position: Int, in task: PreparedTask) -> StagedFile {
        let content = task.content
        let rows = content.rolled[position]
        let replayed = mode.replay.map { replay in
            let before = content.rolled[..<position].count { $0.sink == rows.sink }
            return replay.fileName(content.task, number: totals[content.task, default: ReplayTotals()].files[rows.sink, default: 0] + before + 1)
        }
        return FilePublisher.names(
            rows, job: plan.name, task: content.task, epoch: content.epoch, delta: task.delta.id, number: position, published: replayed)
    }
}
