import JobFile
import KafkaClient

// A run up to the ends that its sources have at the beginning.
extension JobSession {
    /// The end offsets that the run works up to. What a shuffle carries ends where the tasks above it have come to theirs.
    func findEnds() throws(RuntimeFailure) {
        guard mode != .continuous, ends == nil else { return }
        ends = try ends(of: plan.sources.filter { $0.shuffle == nil })
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
        guard let ends, case .untilEnd(let flush) = mode, !isStopping, !owned.isEmpty else { return }
        guard owned.count == partitions.values.reduce(0, { $0 + Int($1) }) else { return }
        guard owned.values.allSatisfy({ $0.progress.position >= ends[$0.partition] ?? 0 }) else { return }
        let done = plan.sources.filter { plan.shuffleDepth(of: $0) == doneDepth }
        if flush {
            try drive(.due)
            let names = Set(done.map(\.name))
            for worker in workers { worker.send(.closeWindows(sources: names)) }
        }
        doneDepth += 1
        let next = plan.sources.filter { plan.shuffleDepth(of: $0) == doneDepth }
        guard next.isEmpty else {
            // Their ends are what this commits.
            try drive(.due)
            self.ends?.merge(try self.ends(of: next)) { $1 }
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
