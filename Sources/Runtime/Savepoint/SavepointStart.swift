/// Where a job is told to start: a savepoint of its own or of another job.
package struct SavepointStart: Equatable, Sendable {
    /// Nil: the job's own.
    package var job: String?
    /// Nil: the newest there is.
    package var id: String?

    /// Reads `latest`, `ID`, `JOB/latest` or `JOB/ID`; nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty && !$0.hasPrefix(".") }) else { return nil }
        job = parts.count == 2 ? parts[0] : nil
        id = parts.last == "latest" ? nil : parts.last
    }
}
