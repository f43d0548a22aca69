/// Makes a schedule that fails smaller, as long as it still fails in the same way.
struct Shrinker {
    private let mutation: Mutation?
    private let kind: String
    private var runsLeft: Int

    /// - Parameter failure: what the schedule ended with.
    init(_ mutation: Mutation?, failure: String, runs: Int = 3_000) {
        self.mutation = mutation
        kind = Self.kind(failure)
        runsLeft = runs
    }

    /// What comes before the first colon: which of the oracle's comparisons failed.
    private static func kind(_ failure: String) -> String { String(failure.prefix { $0 != ":" && $0 != "[" }.prefix(24)) }

    private mutating func fails(_ schedule: Schedule) -> Bool {
        guard runsLeft > 0 else { return false }
        runsLeft -= 1
        return World(schedule, mutation: mutation).run().map { Self.kind($0) == kind } ?? false
    }

    mutating func shrink(_ schedule: Schedule) -> Schedule {
        var best = schedule
        var before: Schedule
        repeat {
            before = best
            cut(&best, \.faults)
            cut(&best, \.steps)
            for partition in best.records.indices { cut(&best, \.records[partition]) }
            attempt(&best) { $0.workers = 1 }
            while best.instances > 1, attempt(&best, { $0.instances -= 1 }) {}
            for index in best.faults.indices {
                while best.faults[index].gap > 0, attempt(&best, { $0.faults[index].gap /= 2 }) {}
                attempt(&best) { $0.faults[index].detail &= 0xC0 }
            }
        } while best != before && runsLeft > 0
        return best
    }

    /// Leaves out runs of elements, long ones first.
    private mutating func cut<Element>(_ best: inout Schedule, _ path: WritableKeyPath<Schedule, [Element]>) {
        var length = best[keyPath: path].count
        while length > 0 {
            var start = 0
            while start < best[keyPath: path].count {
                let end = min(start + length, best[keyPath: path].count)
                if !attempt(&best, { $0[keyPath: path].removeSubrange(start..<end) }) { start += length }
            }
            length /= 2
        }
    }

    @discardableResult
    private mutating func attempt(_ best: inout Schedule, _ change: (inout Schedule) -> Void) -> Bool {
        var smaller = best
        change(&smaller)
        guard smaller != best, fails(smaller) else { return false }
        best = smaller
        return true
    }

    /// The run of a schedule as a story, with its ending.
    static func story(of schedule: Schedule, _ mutation: Mutation?) -> String {
        let world = World(schedule, mutation: mutation, tells: true)
        let ending = world.run() ?? "and all is well"
        var lines = ["\(schedule.instances) instances, \(schedule.workers) workers each; faults: \(schedule.faults)"]
        for (number, log) in world.broker.log.enumerated() {
            for (offset, record) in log {
                lines.append(
                    "clicks/\(number)@\(offset): id \(record.id) of \(record.userName) at \(record.time - 1_700_000_000_000) ms"
                        + "\(record.isSkipped ? ", to be filtered" : "")\(record.flaw.map { ", \($0)" } ?? "")")
            }
        }
        return (lines + (world.story ?? []) + ["=> \(ending)"]).joined(separator: "\n")
    }
}
