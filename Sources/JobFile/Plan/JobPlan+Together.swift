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

    /// Why these jobs cannot run in one process; empty when they can. One line each.
    ///
    /// Two jobs may read one topic. They may not have one name, nor write to one topic or directory; jobs that use the
    /// embedded log need one.
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
            for sink in plan.sinks {
                switch sink.target {
                case .kafka(let kafka):
                    let topic = "\(plan.kafka.brokers)/\(kafka.topic)"
                    if let other = topics[topic], other != plan.name {
                        conflicts.append("the jobs `\(other)` and `\(plan.name)` both write to topic `\(kafka.topic)`")
                    }
                    topics[topic] = plan.name
                case .parquet(let parquet):
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
        }
        return conflicts
    }
}
