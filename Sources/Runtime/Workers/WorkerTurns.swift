import KafkaClient

/// What a worker does in turns: takes records from its queue, does what it was asked meanwhile, and gives the records to their tasks.
package final class WorkerTurns {
    private let worker: Worker
    private var tasks: [TopicPartition: Task] = [:]
    private var failure: RuntimeFailure?
    private var outputBytes = 0
    private var hasAsked = false
    private var batch: MessageBatch?
    /// A partition is begun only after its task was taken over here. So records of it that were taken before can only be those
    /// of a former life of the partition on this worker: nobody's any more.
    private var fresh: Set<TopicPartition> = []
    /// The epoch that has ended and is being taken out.
    private var freezing: Freezing?

    private struct Freezing {
        /// Not yet taken out, the next one last.
        var tasks: [Task]
        var frozen: [FrozenTask] = []
        let reply: Mailbox<WorkerReply>
    }

    package init(_ worker: Worker) {
        self.worker = worker
    }

    /// Nothing may be taken before a freeze, or ever again.
    package var mustWait: Bool {
        guard failure == nil else { return true }
        let isFull = outputBytes >= Worker.outputBytesMax || tasks.values.contains { $0.mustWait }
        if !hasAsked, isFull || outputBytes >= Worker.outputBytesMax / 4 * 3 || tasks.values.contains(where: \.wantsCommit) {
            worker.onPressure()
            hasAsked = true
        }
        return isFull
    }

    /// `continueFreeze` has something to do: then nothing should be waited for.
    package var isFreezing: Bool { freezing != nil }

    /// Takes what there is, waiting up to `timeout` for it.
    /// - Returns: the number of records.
    @discardableResult
    package func take(max: Int = Worker.recordsMax, timeout: Duration) -> Int {
        fresh = []
        let taken = worker.queue.consume(max: max, timeout: timeout)
        let count = taken.count
        batch = consume taken
        return count
    }

    /// Does what was asked, then what was taken.
    /// - Returns: false when the worker is to end.
    package func finish() -> Bool {
        guard perform(worker.mailbox.drain()) else { return false }
        guard let batch = batch.take(), failure == nil else { return true }
        do throws(RuntimeFailure) {
            for item in batch.items where !fresh.contains(item.partition) { outputBytes += try process(item, batch) }
        } catch {
            fail(error)
        }
        return true
    }

    /// - Returns: false when the worker is to end.
    func perform(_ commands: [WorkerCommand]) -> Bool {
        for command in commands {
            switch command {
            case .stop:
                tasks = [:]
                return false
            case .adopt(let handle, let reply):
                tasks[handle.task.partition] = handle.task
                fresh.insert(handle.task.partition)
                reply.send(handle.task.id)
            case .freeze(let end, let reply):
                if let failure {
                    reply.send(.failed(worker: worker.index, failure))
                } else {
                    beginFreeze(end, reply)
                }
            case .drop(let dropped, let reply):
                tasks = tasks.filter { !dropped.contains($0.value.id) }
                reply.send(worker.index)
            case .flushed(let id, let epoch):
                task(id)?.flushed(upTo: epoch)
            case .advance(let id, let watermark):
                do throws(RuntimeFailure) { try task(id)?.advance(to: watermark) } catch { fail(error) }
            case .resume(let id, let position):
                task(id)?.resume(at: position)
            case .closeWindows(let closing):
                for task in tasks.values where closing.contains(task.id) {
                    do throws(RuntimeFailure) { try task.closeWindows() } catch { fail(error) }
                }
            }
        }
        return true
    }

    private func task(_ id: TaskID) -> Task? { tasks.values.first { $0.id == id } }

    private func fail(_ error: RuntimeFailure) {
        failure = error
        worker.failures.send(.failed(worker: worker.index, error))
        freezing?.reply.send(.failed(worker: worker.index, error))
        freezing = nil
    }

    /// - Returns: the bytes of output that the item adds to the epoch.
    private func process(_ item: BatchItem, _ batch: borrowing MessageBatch) throws(RuntimeFailure) -> Int {
        switch item {
        case .records(let run):
            guard let task = tasks[run.partition] else { return 0 }
            return try task.process(run, batch)
        case .endOfPartition(let partition, let offset):
            guard let task = tasks[partition] else { return 0 }
            let waiting = task.outputBytes
            try task.reachEnd(offset)
            return task.outputBytes - waiting
        case .offsetOutOfRange(let partition, let error):
            worker.failures.send(.outOfRange(partition, "\(error)"))
            return 0
        case .failure(let partition, let error):
            // librdkafka goes on by itself; what is lasting shows as lag and in the client's log.
            if error.isFatal {
                throw RuntimeFailure(remedy: .recover, description: "reading \(partition?.description ?? "from Kafka"): \(error)")
            }
            return 0
        }
    }

    /// Ends the open epoch. Its state is taken out little by little, between the batches of the next one.
    private func beginFreeze(_ end: EpochEnd, _ reply: Mailbox<WorkerReply>) {
        let began = worker.clock.now()
        var begun: [Task] = []
        outputBytes = 0
        for (partition, task) in tasks.sorted(by: { $0.key > $1.key }) {
            if let some = end.tasks, !some.contains(task.id) {
                outputBytes += task.outputBytes
                continue
            }
            if task.beginFreeze(end) { begun.append(task) }
            if end.releasing.contains(task.id) { tasks[partition] = nil }
        }
        hasAsked = false
        freezing = Freezing(tasks: begun, reply: reply)
        continueFreeze(since: began)
    }

    /// Takes out the next part of the epoch that has ended, and gives it to whoever asked for it when that was the last. To be called between
    /// two batches.
    package func continueFreeze() {
        if isFreezing { continueFreeze(since: worker.clock.now()) }
    }

    private func continueFreeze(since began: ContinuousClock.Instant) {
        var budget = worker.freezeSlice
        while budget > 0, let content = freezing?.tasks.last?.continueFreeze(budget: &budget) {
            freezing?.tasks.removeLast()
            freezing?.frozen.append(content)
        }
        worker.freezeDuration.observe((worker.clock.now() - began).seconds)
        guard let done = freezing, done.tasks.isEmpty else { return }
        freezing = nil
        done.reply.send(.froze(worker: worker.index, tasks: done.frozen))
    }
}

extension BatchItem {
    /// What it is about; a partition that cannot be for what is about none.
    fileprivate var partition: TopicPartition {
        switch self {
        case .records(let run): run.partition
        case .endOfPartition(let partition, _), .offsetOutOfRange(let partition, _): partition
        case .failure(let partition, _): partition ?? TopicPartition("", -1)
        }
    }
}
