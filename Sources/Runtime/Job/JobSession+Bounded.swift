import JobFile
import KafkaClient

// A run up to the ends that its sources have at the beginning.
extension JobSession {
    /// The end offsets that the run works up to. What a shuffle carries ends where the tasks above it have come to theirs.
    func findEnds() throws(RuntimeFailure) {
        guard mode != .continuous, ends == nil else { return }
        if let replay = mode.replay {
            ends = replay.ranges.mapValues(\.upperBound)
        } else {
            ends = try ends(of: plan.sources.filter { $0.shuffle == nil })
        }
    }

    private func ends(of sources: [SourcePlan]) throws(RuntimeFailure) -> [TopicPartition: Int64] {
        var found: [TopicPartition: Int64] = [:]
        for source in sources {
            for number in 0..<(partitions[source.topic] ?? 0) {
                let partition = TopicPartition(source.topic, number)
                let ends = try asking { () throws(KafkaClientError) in try self.consumer.watermarks(of: partition, timeout: .seconds(10)) }
                found[partition] = ends.lastStableOffset
            }
        }
        return found
    }

    /// The run is over when every partition of this instance has reached its end; the sources of shuffles after those above them.
    func endIfDone() throws(RuntimeFailure) {
        guard let ends, !isStopping else { return }
        if order != nil { return try endInTurn(ends) }
        guard !owned.isEmpty else { return }
        let done = owned.values.filter { task in ends[task.partition].map { task.progress.position >= $0 } ?? false }.map(\.partition)
        if mode.replay != nil {
            // What lies behind the end would be fetched and thrown away for as long as the others take.
            let justDone = done.filter { finished.insert($0).inserted }
            try asking { () throws(KafkaClientError) in try self.consumer.end(justDone) }
        }
        let later = plan.sources.filter { plan.shuffleDepth(of: $0) > doneDepth }
        guard done.count == ends.count, owned.count == ends.count + later.reduce(0, { $0 + Int(partitions[$1.topic] ?? 0) }) else { return }
        report()
        if mode.closesWindows {
            // A backfill does not write the state of windows that it closes at once.
            if mode.replay == nil { try drive(.due) }
            let names = Set(plan.sources.filter { plan.shuffleDepth(of: $0) == doneDepth }.map(\.name))
            let closing = Set(owned.keys.filter { names.contains($0.source) })
            for worker in workers { worker.send(.closeWindows(of: closing)) }
        }
        doneDepth += 1
        guard later.isEmpty else {
            // Their ends are what this commits.
            try drive(.due)
            self.ends?.merge(try self.ends(of: later.filter { plan.shuffleDepth(of: $0) == doneDepth })) { $1 }
            return
        }
        isStopping = true
        rollsAll = true
        try drive(.stop)
    }
}

extension JobPlan {
    func source(named name: String) -> SourcePlan? { sources.first { $0.name == name } }

    /// How many shuffles lie between the job's topics and what `source` reads.
    func shuffleDepth(of source: SourcePlan) -> Int {
        guard let shuffle = source.shuffle else { return 0 }
        return 1 + shuffleDepth(of: sources[self.source(of: shuffles[shuffle].from)])
    }
}
