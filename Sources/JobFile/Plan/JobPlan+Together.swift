extension JobPlan {
    /// Marks the sources whose results would be wrong if a topic without key had more than one partition.
    mutating func noteSinglePartitions() {
        for transform in transforms {
            let source = source(of: transform.from)
            switch transform.operation {
            case .window, .dedupe:
                if sources[source].key == nil, sources[source].shuffle == nil { sources[source].mustHaveOnePartition = true }
            case .filter, .select: break
            }
        }
    }

    /// The parts of a path without `.` and what a `..` takes back.
    static func normalised(_ path: String) -> [Substring] {
        var parts: [Substring] = path.hasPrefix("/") ? ["/"] : []
        for part in path.split(separator: "/") where part != "." {
            if part == "..", let last = parts.last, last != "..", last != "/" { parts.removeLast() } else { parts.append(part) }
        }
        return parts
    }

    /// Which sinks and shuffles write.
    private var writtenTopics: [String] {
        sinks.compactMap { sink in
            if case .kafka(let kafka) = sink.target { kafka.topic } else { nil }
        } + shuffles.map(\.topic)
    }

    /// What the job does with a topic of another one's shuffle, but for writing.
    private func use(of topic: String) -> String? {
        if sources.contains(where: { $0.shuffle == nil && $0.topic == topic }) { return "reads" }
        return deadLetter.topic == topic ? "sends its dead letters to" : nil
    }

    /// Why these jobs cannot run in one process; empty when they can. One line each.
    ///
    /// Two jobs may read one topic. They may not have one name, nor write to one topic or directory, nor use the topic of
    /// another's shuffle; jobs that use the embedded log need one.
    package static func conflicts(among plans: [JobPlan], in daemon: DaemonFile) -> [String] {
        var conflicts: [String] = []
        var names: Set<String> = []
        var topics: [String: String] = [:]
        var directories: [(parts: [Substring], job: String, path: String)] = []
        for plan in plans {
            if !names.insert(plan.name).inserted { conflicts.append("two jobs are named `\(plan.name)`") }
            if plan.kafka.brokers == .embedded, daemon.log == nil {
                conflicts.append("job `\(plan.name)` uses the embedded log (brokers: embedded), but the daemon file has no `log`")
            }
            for written in plan.writtenTopics {
                let topic = "\(plan.kafka.brokers)/\(written)"
                if let other = topics[topic], other != plan.name {
                    conflicts.append("the jobs `\(other)` and `\(plan.name)` both write to topic `\(written)`")
                }
                topics[topic] = plan.name
            }
            for shuffle in plan.shuffles {
                for other in plans where other.name != plan.name && other.kafka.brokers == plan.kafka.brokers {
                    guard let use = other.use(of: shuffle.topic) else { continue }
                    conflicts.append("job `\(other.name)` \(use) `\(shuffle.topic)`, the topic of a shuffle of job `\(plan.name)`")
                }
            }
            for sink in plan.sinks {
                guard case .parquet(let parquet) = sink.target else { continue }
                let parts = normalised(parquet.path)
                if let other = directories.first(where: {
                    $0.job != plan.name && (parts.starts(with: $0.parts) || $0.parts.starts(with: parts))
                }) {
                    conflicts.append(
                        "the jobs `\(other.job)` and `\(plan.name)` write to `\(other.path)` and `\(parquet.path)`, which are one directory or one inside the other"
                    )
                }
                directories.append((parts, plan.name, parquet.path))
            }
        }
        return conflicts
    }
}
