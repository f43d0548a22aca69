import KafkaClient
import State

/// What an undisturbed run would have given, computed in one pass over the log, and whether the run gave that.
struct Oracle {
    private struct Session {
        var start: Int64
        var end: Int64
        var events = 0
        var total = 0
    }

    private struct Counts: Equatable {
        var consumed = 0
        var aggregated = 0
        var filtered = 0
        var duplicate = 0
        var dead = 0
    }

    private let world: World
    /// Values of closed sessions, by user, in order.
    private var sessions: [String: [String]] = [:]
    /// Of the shuffled job: values by topic, in any order.
    private var outputs: [String: [String]] = [:]
    private var rows: [String] = []
    private var letters: [String] = []
    private var counts: [Int: Counts] = [:]

    init(_ world: World) {
        self.world = world
        if world.schedule.isShuffled {
            let shuffled = ShuffleOracle(world)
            (outputs, rows, letters) = (shuffled.outputs, shuffled.rows, shuffled.letters)
        } else {
            for partition in world.broker.log.indices { follow(partition) }
        }
    }

    private mutating func follow(_ partition: Int) {
        var watermark = Int64.min
        var seen: Set<Int> = []
        var open: [String: [Session]] = [:]
        var count = Counts()
        for (offset, record) in world.broker.log[partition] {
            count.consumed += 1
            if let reason = Self.flaw(of: record) {
                letters.append("clicks/\(partition)@\(offset) \(reason)")
                count.dead += 1
                continue
            }
            watermark = max(watermark, record.time - World.outOfOrderness)
            guard seen.insert(record.id).inserted else {
                count.duplicate += 1
                continue
            }
            if record.isSkipped {
                count.filtered += 1
                continue
            }
            var mine: [Session] = []
            for session in open[record.userName] ?? [] {
                if session.end <= watermark { close(record.userName, session) } else { mine.append(session) }
            }
            var own = Session(start: record.time, end: record.time + World.gap, events: 1, total: record.amount)
            let touching = mine.filter { $0.start <= own.end && own.start <= $0.end }
            if touching.isEmpty, own.end <= watermark {
                letters.append("clicks/\(partition)@\(offset) late")
                count.dead += 1
            } else {
                mine.removeAll { $0.start <= own.end && own.start <= $0.end }
                for other in touching {
                    own.start = min(own.start, other.start)
                    own.end = max(own.end, other.end)
                    own.events += other.events
                    own.total += other.total
                }
                mine.append(own)
                count.aggregated += 1
            }
            open[record.userName] = mine.sorted { $0.start < $1.start }
        }
        for (user, mine) in open {
            for session in mine where session.end <= watermark { close(user, session) }
        }
        counts[partition] = count
    }

    /// Why a record is a dead letter, whatever comes before it.
    static func flaw(of record: SourceRecord) -> String? {
        switch record.flaw {
        case .noJSON: "malformed"
        case .noUser, .noKey: "missing_field"
        case nil: record.time - 3_600_000 > record.written ? "future" : nil
        }
    }

    private mutating func close(_ user: String, _ session: Session) {
        sessions[user, default: []].append(
            "{\"user\":\"\(user)\",\"window_start\":\(session.start),\"window_end\":\(session.end),"
                + "\"events\":\(session.events),\"total\":\(session.total)}")
        rows.append("\(user) \(session.start * 1_000) \(session.end * 1_000) \(session.events) \(session.total)")
    }

    /// Of all files together.
    var rowCount: Int { rows.count }

    /// What is wrong; nil when everything is as it has to be.
    func verdict() -> String? {
        var found: [String: [String]] = [:]
        var foundByTopic: [String: [String]] = [:]
        var foundLetters: [String] = []
        for output in world.broker.visibleOutputs {
            if output.topic == "dead" {
                foundLetters.append("\(output.headers["millrace.source"] ?? "?") \(output.headers["millrace.reason"] ?? "?")")
            } else if world.schedule.isShuffled {
                foundByTopic[output.topic, default: []].append(output.value)
            } else {
                found[output.key ?? "?", default: []].append(output.value)
            }
        }
        for (topic, values) in outputs.sorted(by: { $0.key < $1.key }) {
            if let difference = Self.difference(values, foundByTopic[topic] ?? []) { return "\(topic): \(difference)" }
        }
        for user in Set(found.keys).union(sessions.keys).sorted() where found[user] ?? [] != sessions[user] ?? [] {
            return "sessions of \(user): expected \(sessions[user] ?? []), found \(found[user] ?? [])"
        }
        if let difference = Self.difference(letters, foundLetters) { return "dead letters: \(difference)" }
        if let difference = Self.difference(rows, world.published.sorted { $0.key < $1.key }.flatMap { $0.value.rows }) {
            return "rows in files: \(difference)"
        }
        for partition in world.broker.log.indices {
            if let problem = ledgerProblem(partition) { return "clicks/\(partition): \(problem)" }
        }
        return nil
    }

    /// Adds up what the deltas on the committed chain say, unless snapshots have let some of them go.
    private func ledgerProblem(_ partition: Int) -> String? {
        guard let committed = world.broker.committed[TopicPartition("clicks", Int32(partition))] else {
            return world.broker.log[partition].isEmpty ? nil : "nothing is committed"
        }
        guard !world.schedule.hasHomes else { return nil }
        let directory = "\(world.plan.name)/clicks-\(partition)/"
        var count = Counts()
        var next = world.objects.keys.first { $0.hasPrefix(directory) && $0.hasSuffix("\(Self.idText(committed.metadata)).delta") }
        var isTip = true
        while let name = next {
            guard let bytes = world.objects[name], let header = try? DeltaFile(decoding: bytes, name: name).header else {
                return "\(name) is committed and cannot be read"
            }
            if isTip, header.positions.first?.offset != committed.offset { return "the delta's offset is not the committed one" }
            isTip = false
            count.consumed += Int(header.counts.consumed)
            count.aggregated += Int(header.counts.aggregated)
            count.filtered += Int(header.counts.filtered)
            count.duplicate += Int(header.counts.duplicate)
            count.dead += header.counts.deadLettered.values.reduce(0) { $0 + Int($1) }
            next = header.parent.map { "\(directory)\(Self.padded($0.epoch))-\($0.idText).delta" }
        }
        guard let expected = counts[partition], count != expected else { return nil }
        return "the ledger has \(count), expected \(expected)"
    }

    private static func difference(_ expected: [String], _ found: [String]) -> String? {
        var counts: [String: Int] = [:]
        for line in expected { counts[line, default: 0] += 1 }
        for line in found { counts[line, default: 0] -= 1 }
        let missing = counts.filter { $0.value > 0 }.keys.sorted()
        let excess = counts.filter { $0.value < 0 }.keys.sorted()
        if missing.isEmpty, excess.isEmpty { return nil }
        return "missing \(missing), too many \(excess)"
    }

    /// The delta's id as its object's name ends with it.
    static func idText(_ metadata: String) -> String {
        let digits = metadata.split(separator: ":").last.map(String.init) ?? ""
        return String(repeating: "0", count: max(0, 16 - digits.count)) + digits
    }

    static func padded(_ epoch: Int) -> String {
        let digits = String(epoch)
        return String(repeating: "0", count: max(0, 20 - digits.count)) + digits
    }
}
