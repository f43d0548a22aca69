extension JobSession {
    /// Idle partitions take the smallest watermark of the active ones; when all are idle, the largest there is.
    func adoptIdleWatermarks() {
        // One that is still being recovered may be far behind.
        guard background.pending.isEmpty else { return }
        let now = clock.now()
        for source in plan.sources {
            guard let timeout = source.eventTime.idleTimeout else { continue }
            let tasks = owned.keys.filter { $0.source == source.name }
            for id in tasks {
                guard let task = owned[id] else { continue }
                let quiet = task.progress.lastRecord == 0 ? now - task.since : .nanoseconds(now.nanoseconds - task.progress.lastRecord)
                owned[id]?.isIdle = task.progress.isCaughtUp && quiet >= .microseconds(timeout)
            }
            let active = tasks.filter { owned[$0]?.isIdle == false }.compactMap { owned[$0]?.progress.watermark }
            let idle = tasks.filter { owned[$0]?.isIdle == true }
            guard let target = active.min() ?? idle.compactMap({ owned[$0]?.progress.watermark }).max(),
                target > EventTimeRange.noWatermark
            else { continue }
            for id in idle {
                guard let task = owned[id], task.progress.watermark < target else { continue }
                workers[task.worker].send(.advance(id, watermark: target))
            }
        }
    }

    func report() {
        let wall = clock.wall()
        var statuses: [JobStatus.TaskStatus] = []
        var done: Int64 = 0
        for (id, task) in owned.sorted(by: { $0.key < $1.key }) {
            // The stable end of the partition as the last fetch brought it: asking nobody.
            let stable = consumer.cachedLastStableOffset(of: task.partition)
            owned[id]?.lastStableOffset = stable
            let position = task.progress.position
            let watermark = task.progress.watermark
            let isKnown = watermark > EventTimeRange.noWatermark
            let (topic, number) = (task.partition.topic, task.partition.partition)
            if let stable { context.metrics.lag(topic: topic, partition: number).set(Double(max(0, stable - position))) }
            if isKnown {
                context.metrics.watermark(topic: topic, partition: number).set(Double(watermark) / 1e6)
                context.metrics.watermarkLag(topic: topic, partition: number).set(wall - Double(watermark) / 1e6)
            }
            if let ends, let start = starts[task.partition] { done += min(position, ends[task.partition] ?? position) - start }
            statuses.append(
                .init(
                    name: id.name, topic: topic, partition: number, position: position, lastStableOffset: stable,
                    watermark: isKnown ? watermark : nil, isIdle: task.isIdle))
        }
        for partition in finished where owned[taskID(partition)] == nil {
            if let end = ends?[partition], let start = starts[partition] { done += end - start }
        }
        let total = ends.map { ends in ends.reduce(Int64(0)) { $0 + max(0, $1.value - (starts[$1.key] ?? 0)) } }
        context.board.update {
            $0.tasks = statuses
            $0.epoch = machine.committedEpoch
            if let total { $0.progress = progress(done, total) }
        }
    }

    private func progress(_ done: Int64, _ total: Int64) -> RunProgress {
        let now = clock.now()
        let from = countedFrom ?? (now, done)
        countedFrom = from
        let seconds = (now - from.time).seconds
        return RunProgress(done: done, total: total, perSecond: seconds >= 1 ? Double(done - from.done) / seconds : nil)
    }
}
