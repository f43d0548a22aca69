extension WindowDefinition {
    /// The same window where its rows or its parts come from other tasks: its sessions close a gap later.
    ///
    /// A row that is not late where it comes from is after that task's watermark less lateness and gap, and the watermark here
    /// is never above that one. So after this nothing reaches a session that was closed, and the result does not depend on
    /// the order in which the tasks' epochs arrive. If sessions closed at their end, a row behind the watermark would join its
    /// session or begin another, as it happened. Tumbling windows need none of this.
    package var belowShuffle: WindowDefinition {
        guard case .session(let gap, _) = kind else { return self }
        var definition = self
        let (sum, isBeyond) = allowedLateness.addingReportingOverflow(gap)
        definition.allowedLateness = isBeyond ? .max : sum
        return definition
    }
}
