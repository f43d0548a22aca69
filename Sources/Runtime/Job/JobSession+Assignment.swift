import Foundation
import JobFile
import KafkaClient
import State

extension JobSession {
    var recovery: TaskRecovery {
        TaskRecovery(
            plan: plan, settings: settings, context: context, clock: clock, files: files, consumer: consumer, partitions: self.partitions)
    }

    /// Asks for the end of every partition before anything is read: later the answer would come behind fetches that wait for records.
    func weighPartitions() {
        if let replay = mode.replay { return placement.records = replay.ranges.mapValues { Int64($0.count) } }
        let all = partitions.filter { topic, _ in plan.sources.contains { $0.topic == topic } }.flatMap { topic, count in
            (0..<count).map { TopicPartition(topic, $0) }
        }
        do throws(KafkaClientError) {
            let ends = try consumer.ends(of: all, timeout: .seconds(5))
            for (partition, end) in zip(all, ends) { placement.records[partition] = end }
        } catch {
            // Evenly by number, then.
            context.log.debug( "the ends of the partitions are not known", ["error": .string(error.description)])
        }
    }

    /// Begins to restore the tasks of `partitions`, but for those that are this session's already.
    func restore(_ partitions: [TopicPartition]) throws(RuntimeFailure) {
        let pending = background.pending
        var todo: [(partition: TopicPartition, source: SourcePlan)] = []
        for partition in partitions where !pending.contains(partition) {
            let id = taskID(partition)
            guard owned[id] == nil, let source = plan.sources.first(where: { $0.topic == partition.topic }) else { continue }
            // A partition that the topic has got since has nothing of the range; and one that is committed to its end has gone.
            if let replay = mode.replay, source.shuffle == nil, replay.ranges[partition] == nil { continue }
            if order != nil, finished.contains(partition) { continue }
            // A life before this one may still be writing.
            if let home = leaving.removeValue(forKey: id) {
                maintenance.catchUp()
                home.close()
            }
            todo.append((partition, source))
        }
        let taken = owned.values.map { ($0.partition, $0.worker) } + pending.compactMap { partition in places[partition].map { (partition, $0) } }
        places.merge(placement.place(todo.map(\.partition), beside: taken)) { $1 }
        let recovery = self.recovery
        guard context.surroundings.hasThreads else {
            var recovered: [RecoveredTask] = []
            for (partition, source) in todo { recovered.append(try recovery.recover(taskID(partition), partition, source)) }
            return try start(recovered)
        }
        let tasks = Dictionary(uniqueKeysWithValues: todo.map { ($0.partition, (id: taskID($0.partition), source: $0.source)) })
        background.begin(
            todo.map(\.partition),
            .init(
                recover: { partition throws(RuntimeFailure) in
                    guard let task = tasks[partition] else { preconditionFailure("one of these was begun") }
                    return try recovery.recover(task.id, partition, task.source)
                },
                failed: { [log = context.log] partition, failure, pause in
                    log.warn(
                        "a task could not be recovered; will be tried again",
                        [
                            "task": .string(tasks[partition]?.id.name ?? "\(partition)"), "seconds": .double(pause),
                            "error": .string(failure.description),
                        ])
                },
                changed: { [consumer] in consumer.wake() }))
    }

    /// What the group takes away while it is being restored is never begun.
    func withdrawRecoveries(of partitions: [TopicPartition]) throws(RuntimeFailure) {
        for recovered in try background.withdraw(partitions, isGraceOver: { context.requests.isGraceOver }) { recovered.home.close() }
        for partition in partitions { places[partition] = nil }
    }

    /// Begins with what has been restored meanwhile.
    func startRecovered() throws(RuntimeFailure) {
        // A revocation that still waits may be about one of them.
        guard deferred.isEmpty else { return }
        let recovered = try background.finished()
        try start(recovered)
        let trouble = background.trouble
        guard !recovered.isEmpty || trouble != nil else { return }
        // Whoever is told that the job is ready finds its tasks.
        if !recovered.isEmpty { report() }
        context.board.update {
            $0.phase = phase
            $0.notReady = notReady
            if let trouble { $0.lastError = trouble }
        }
    }

    /// Whether it works, or waits for something that a task needs to be restored.
    var phase: JobStatus.Phase { background.trouble.map { .waiting($0) } ?? .running }

    /// Why not every task that the group gave has recovered and works; nil when all do.
    var notReady: String? {
        let pending = background.pending
        if pending.isEmpty { return homeTrouble }
        if let trouble = background.trouble { return trouble }
        return "recovering \(pending.count == 1 ? "task" : "tasks") \(pending.sorted().map { taskID($0).name }.joined(separator: ", "))"
    }

    /// Gives restored tasks to their workers and then lets their records flow.
    func start(_ recovered: [RecoveredTask]) throws(RuntimeFailure) {
        if recovered.isEmpty { return }
        let reply = Mailbox<TaskID>()
        // From here on the tasks are their workers'.
        let begun = recovered.map(\.task.partition)
        for recovered in recovered {
            let id = recovered.task.id
            let partition = recovered.task.partition
            let worker = places.removeValue(forKey: partition) ?? 0
            let position = recovered.task.progress.position
            owned[id] = Owned(
                partition: partition, worker: worker, progress: recovered.task.progress, home: recovered.home, chain: recovered.chain,
                start: position, since: clock.now(), committed: position, hasLeftovers: recovered.hasLeftovers)
            totals[id] = recovered.totals
            machine.join(recoveredAt: recovered.chain.tip?.epoch ?? 0)
            starts[partition] = mode.replay?.ranges[partition]?.lowerBound ?? position
            recovered.task.end = ends?[partition]
            if order != nil, let end = ends?[partition] {
                recovered.task.closesAtEnd = true
                recovered.task.expect(records: end - position)
                if position >= end { try recovered.task.reachEnd(end) }
            }
            workers[worker].send(.adopt(TaskHandle(task: recovered.task), reply: reply))
        }
        var taken = 0
        while taken < recovered.count {
            if context.requests.isGraceOver { throw RuntimeFailure(remedy: .fail, description: "stopped before its tasks ran") }
            taken += reply.wait(until: Date(timeIntervalSinceNow: 0.5)).count
        }
        for partition in begun {
            guard let task = owned[taskID(partition)] else { continue }
            if order != nil {
                order?.add(partition, worker: task.worker)
                continue
            }
            if mode.replay != nil, let end = ends?[partition], task.start >= end {
                finished.insert(partition)
                continue
            }
            finished.remove(partition)
            let queue = workers[task.worker].queue
            try asking { () throws(KafkaClientError) in try self.consumer.begin(partition, at: task.start, on: queue) }
        }
    }
}
