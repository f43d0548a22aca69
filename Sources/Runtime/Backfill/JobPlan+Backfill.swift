import JobFile

/// Names a backfill among those of its job: 1 to 64 of `A-Z a-z 0-9 _ -`, so that it is part of group, topic and file names.
package struct RunID: Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init?(_ text: String) {
        guard (1...64).contains(text.utf8.count), text.first != "-",
            text.utf8.allSatisfy({ byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            })
        else { return nil }
        description = text
    }

    /// What `name`, a job or a topic, is called in this run.
    package func name(of name: String) -> String { "\(name).backfill.\(self)" }
}

extension JobPlan {
    private static let topicNameMax = 249

    /// The plan of a backfill of this job: the same computation under names of its own, so that nothing of the live job is
    /// touched, and without what depends on the clock.
    /// - Parameter outputs: for each Parquet sink where its files go until the run is over.
    package func backfill(_ run: RunID, outputs: [String: BackfillOutput]) -> JobPlan {
        var plan = self
        plan.name = run.name(of: name)
        for index in plan.sources.indices {
            plan.sources[index].eventTime.idleTimeout = nil
            plan.sources[index].onOffsetOutOfRange = .fail
        }
        for index in plan.sinks.indices {
            switch plan.sinks[index].target {
            case .kafka(var target):
                target.topic = run.name(of: target.topic)
                plan.sinks[index].target = .kafka(target)
            case .parquet(var target):
                target.path = outputs[plan.sinks[index].name]?.hidden ?? target.path
                plan.sinks[index].target = .parquet(target)
            }
        }
        for index in plan.shuffles.indices {
            plan.shuffles[index].topic = run.name(of: plan.shuffles[index].topic)
        }
        for index in plan.sources.indices {
            if let shuffle = plan.sources[index].shuffle { plan.sources[index].topic = plan.shuffles[shuffle].topic }
        }
        plan.deadLetter.topic = run.name(of: deadLetter.topic)
        return plan
    }

    /// The topics that the job writes to: those of its sinks, then that of the dead letters.
    package var outputTopics: [String] {
        sinks.compactMap { sink in
            if case .kafka(let target) = sink.target { target.topic } else { nil }
        } + [deadLetter.topic]
    }

    /// Why there can be no backfill of this job under that name; empty when there can.
    package func obstacles(to run: RunID) -> [String] {
        var obstacles = (outputTopics + shuffles.map(\.topic)).filter { run.name(of: $0).utf8.count > Self.topicNameMax }.map {
            "topic `\(run.name(of: $0))` would have a name of more than \(Self.topicNameMax) characters; choose a shorter --run-id"
        }
        for sink in sinks {
            guard case .parquet(let target) = sink.target else { continue }
            if let last = target.path.split(separator: "/").last, last != ".", last != ".." { continue }
            obstacles.append(
                "sink `\(sink.name)` writes to `\(target.path)`: a backfill's directory stands beside it, so that the path has to end in a name")
        }
        return obstacles
    }
}
