import Foundation

/// A savepoint, by the job that it was taken of: `clicks/20261121-134146-123-5e0d`.
package struct SavepointName: Hashable, Sendable, CustomStringConvertible {
    package var job: String
    /// Begins with the time at which it was taken, UTC, so that ids sort by it.
    package var id: String

    package init(job: String, id: String) {
        self.job = job
        self.id = id
    }

    /// Nil where `text` is not `<job>/<id>`.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        self.init(job: String(parts[0]), id: String(parts[1]))
    }

    /// A new one.
    package init(job: String, at time: Date, random: UInt64) {
        let parts = Self.calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: time)
        func digits(_ number: Int?, _ count: Int) -> String {
            let text = String(number ?? 0)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let milliseconds = Int((time.timeIntervalSince1970 * 1_000).rounded(.down)) % 1_000
        let suffix = String(0x1_0000 + random & 0xFFFF, radix: 16).dropFirst()
        self.init(
            job: job,
            id: "\(digits(parts.year, 4))\(digits(parts.month, 2))\(digits(parts.day, 2))-"
                + "\(digits(parts.hour, 2))\(digits(parts.minute, 2))\(digits(parts.second, 2))-\(digits(milliseconds, 3))-\(suffix)")
    }

    package var description: String { "\(job)/\(id)" }

    /// Where savepoints of a job are in the checkpoint storage. No job has a name with this end, so that no job's own state is there.
    package static func directory(ofJob job: String) -> String { "\(job).savepoints" }

    package var directory: String { "\(Self.directory(ofJob: job))/\(id)" }

    private static let calendar: Calendar = {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        return calendar
    }()
}
