import Foundation
import KafkaClient
import Parquet
import State

extension JobSession {
    /// Tasks whose deltas and files are written at the same time.
    private static let preparedAtOnce = 8

    /// Gives `event` to the machine and performs what follows from it, until it waits for the next event.
    func drive(_ event: CommitMachine.Event) throws(RuntimeFailure) {
        var actions = machine.handle(event)
        while !actions.isEmpty {
            let action = actions.removeFirst()
            if let answer = try perform(action) { actions += machine.handle(answer) }
            if case .backOff = action {
                // What the group said in the meantime was given to the machine there; its actions come first.
                actions += pendingActions
                pendingActions = []
            }
        }
    }

    private func perform(_ action: CommitMachine.Action) throws(RuntimeFailure) -> CommitMachine.Event? {
        switch action {
        case .freeze(let epoch, let releasing):
            return .froze(try freeze(epoch, releasing))
        case .prepare(let epoch):
            return prepare(epoch)
        case .commit(let epoch):
            return try commit(epoch)
        case .abort:
            do throws(ProducerError) {
                try producer.abort(timeout: .seconds(30))
                return .aborted
            } catch {
                return .abortFailed("\(error)")
            }
        case .settle:
            return settle()
        case .confirm(let epoch, let tasks):
            try confirm(epoch, tasks)
            return nil
        case .publish(let epoch):
            return publish(epoch)
        case .release(let tasks), .drop(let tasks):
            if case .drop = action {
                try drop(tasks)
                // What they did at their ends is not committed.
                finished.subtract(tasks.compactMap { owned[$0]?.partition })
            }
            for task in tasks.sorted() { forget(task) }
            return nil
        case .backOff(let reason):
            try backOff(reason)
            return .retry
        case .recover(let reason):
            throw RuntimeFailure(remedy: .recover, description: reason)
        case .fail(let reason):
            throw RuntimeFailure(remedy: .fail, description: reason)
        case .stopped:
            hasStopped = true
            return nil
        }
    }

    private func freeze(_ epoch: Int, _ releasing: Set<TaskID>) throws(RuntimeFailure) -> [CommitMachine.FrozenTask] {
        epochStart = clock.now()
        let reply = Mailbox<WorkerReply>()
        let end = epochEnd(epoch, releasing)
        lastOfTheirs = end.last
        for worker in workers { worker.send(.freeze(end, reply: reply)) }
        frozen = [:]
        var answers = 0
        while answers < workers.count {
            if context.requests.isGraceOver {
                throw RuntimeFailure(remedy: .fail, description: "stopped without a last commit: a worker did not end its batch in time")
            }
            for answer in replies(reply) {
                switch answer {
                case .failed(_, let failure): throw failure
                case .outOfRange: break
                case .froze(_, let tasks):
                    answers += 1
                    for content in tasks {
                        frozen[content.task] = PreparedTask(
                            content: content, delta: DeltaReference(epoch: epoch, id: context.surroundings.makeDeltaID()))
                    }
                }
            }
        }
        return frozen.values.map { .init(task: $0.content.task, delta: $0.delta.id, ledger: $0.content.ledger) }
    }

    private func epochEnd(_ epoch: Int, _ releasing: Set<TaskID>) -> EpochEnd {
        // A stop takes every task with it, so that nothing is read that is not committed.
        let isStop = context.requests.isStopRequested || rollsAll
        let releasing = isStop ? Set(owned.keys) : releasing
        // A backfill does not write the state of windows that it has closed: nobody reads it again.
        let last = order != nil ? ended.intersection(releasing) : rollsAll && mode.replay != nil ? releasing : []
        // Those that go do not make the others write their state.
        let isPart = order != nil && !isStop && !releasing.isEmpty
        return EpochEnd(
            epoch: epoch, tasks: isPart ? releasing : nil, releasing: releasing, rolling: rollsAll ? releasing : last, last: last)
    }

    /// What workers have answered, waiting for it.
    private func replies(_ reply: Mailbox<WorkerReply>) -> [WorkerReply] {
        guard !context.surroundings.hasThreads else { return reply.wait(until: Date(timeIntervalSinceNow: 0.5)) }
        // What they do over several turns they do when they are woken.
        for worker in workers { worker.queue.wake() }
        return reply.drain()
    }

    /// Deltas and files, durable under names that nobody reads before the commit. What is done already is not done again.
    private func prepare(_ epoch: Int) -> CommitMachine.Event {
        let preparation = EpochPreparation(job: plan.name, files: files, storage: settings.storage, metrics: context.metrics, buffers: buffers)
        let todo = machine.tasks.keys.sorted().compactMap { id -> EpochPreparation.Part? in
            guard let task = frozen[id], !task.isStored, let owner = owned[id] else { return nil }
            return EpochPreparation.Part(
                task: task, parent: owner.chain.tip, names: task.content.rolled.indices.map { names(of: $0, in: task) }, extras: extras(of: task.content))
        }
        // Each of them waits for a disk or a store most of the time.
        let width = context.surroundings.hasThreads ? Self.preparedAtOnce : 1
        let prepared = inParallel(todo, width: width) { preparation.prepare($0) }
        var problem: String?
        for (task, failure) in prepared {
            frozen[task.content.task] = task
            if let failure { problem = problem ?? "epoch \(epoch), task \(task.content.task.name): \(failure)" }
        }
        guard let problem else { return .prepared }
        context.metrics.commitFailures.add()
        return .prepareFailed(problem)
    }

    /// What the delta's header says besides.
    private func extras(of content: FrozenTask) -> [String: String] {
        var extras = content.extras
        extras[DeltaHeader.partitionsKey] = partitions[content.partition.topic].map { "\($0)" }
        if mode.replay != nil { extras.merge(totals(after: content).extras) { $1 } }
        if lastOfTheirs.contains(content.task) { extras[Replay.endKey] = "" }
        return extras
    }

    private func commit(_ epoch: Int) throws(RuntimeFailure) -> CommitMachine.Event {
        let tasks = machine.tasks.keys.sorted().compactMap { frozen[$0] }
        let began = clock.now()
        var processor = ProcessorClock()
        defer { processor.lap(context.metrics.transaction) }
        do {
            try producer.begin()
            for task in tasks {
                for output in task.content.outputs {
                    try producer.produce(output.records, topic: output.topic, timeout: .seconds(30))
                }
                for letter in task.content.deadLetters { try producer.produce(letter, topic: plan.deadLetter.topic) }
            }
            let offsets = tasks.map {
                OffsetToCommit(
                    partition: $0.content.partition, offset: $0.content.position,
                    metadata: CommitMetadata(epoch: epoch, delta: $0.delta.id).text)
            }
            try producer.sendOffsets(offsets, of: consumer, timeout: .seconds(30))
            try producer.commit(timeout: .seconds(30))
            return .committed
        } catch {
            context.metrics.commitFailures.add()
            context.transactionTimeout.failed(after: clock.now() - began)
            let reason = "epoch \(epoch): \(error)"
            context.log.warn("a commit failed", ["epoch": .integer(epoch), "error": .string("\(error)")])
            // While a revocation waits for this commit, nothing moves this member on: refused once it is refused for good, and the
            // loss of the partitions is only told to who has answered.
            if error.cause.isRefusalByGroup, isRevocationOpen { return .commitFailed(.fatal, reason) }
            switch error.remedy {
            case .fatal: return .commitFailed(.fatal, reason)
            case .outcomeUnknown: return .commitFailed(.outcomeUnknown, reason)
            case .abortable, .retriable, .rejected: return .commitFailed(.abortable, reason)
            }
        }
    }

    /// Settles a transaction whose outcome nobody knows: a new producer with the same id completes or aborts it, then the
    /// committed offsets say which.
    private func settle() -> CommitMachine.Event {
        do {
            producer = try context.surroundings.makeProducer(context)
            try producer.initTransactions(timeout: .seconds(30))
            let tasks = machine.tasks.keys.sorted()
            let committed = try consumer.committed(tasks.compactMap { frozen[$0]?.content.partition }, timeout: .seconds(30))
            var found: [TaskID: CommitMachine.DeltaID?] = [:]
            for offset in committed {
                let id = taskID(offset.partition)
                let delta = CommitMetadata(offset.metadata)?.delta
                guard delta == machine.tasks[id] || delta == owned[id]?.chain.tip?.id else {
                    return .overtaken("\(offset.partition) has been committed by another instance (\"\(offset.metadata)\")")
                }
                found[id] = .some(delta)
            }
            return .settled(found)
        } catch {
            return .settleFailed("the outcome of a commit could not be looked up: \(error)")
        }
    }

    private func confirm(_ epoch: Int, _ tasks: [TaskID: CommitMachine.DeltaID]) throws(RuntimeFailure) {
        let wall = clock.wall()
        var ledger = Ledger()
        var produced: [String: Int] = [:]
        for id in tasks.keys {
            guard let task = frozen[id] else { continue }
            let content = task.content
            owned[id]?.chain.append(task.delta, bytes: task.deltaBytes)
            if mode.replay != nil { totals[id] = totals(after: content) }
            context.metrics.deltaBytes.add(task.deltaBytes)
            context.metrics.add(content.ledger, topic: content.partition.topic, partition: content.partition.partition)
            owned[id]?.committed = content.position
            ledger += plan.source(named: id.source)?.shuffle == nil ? content.ledger : content.ledger.belowShuffle
            for output in content.outputs where partitions[output.topic] == nil { produced[output.topic, default: 0] += output.records.count }
            for rows in content.rolled { produced[rows.sink, default: 0] += rows.rows }
            for age in content.ages {
                context.metrics.latency.observe(max(0, wall - Double(age.timestampMilliseconds) / 1_000), times: age.records)
            }
        }
        flushWhatWantsIt()
        for (topic, count) in produced { context.metrics.addProduced(count, sink: topic) }
        context.metrics.commits.add()
        context.metrics.lastCommit.set(wall)
        context.board.update {
            $0.phase = phase
            $0.notReady = notReady
            $0.epoch = epoch
            $0.lastCommitSeconds = wall
            $0.ledger += ledger
            for (topic, count) in produced { $0.produced[topic, default: 0] += count }
        }
    }

    private func publish(_ epoch: Int) -> CommitMachine.Event {
        for id in machine.tasks.keys.sorted() {
            for file in frozen[id]?.files ?? [] {
                do {
                    context.noteIfGone(try files.publish(file), file)
                } catch {
                    context.metrics.commitFailures.add()
                    return .publishFailed("\(error)")
                }
            }
            if owned[id]?.hasLeftovers == true, let source = plan.source(named: id.source) {
                owned[id]?.hasLeftovers = recovery.clean(id, source, upTo: epoch, keeping: [])
            }
        }
        context.metrics.commitDuration.observe((clock.now() - epochStart).seconds)
        let duration = context.metrics.commitDuration
        if let median = duration.bound(at: 0.5), let p99 = duration.bound(at: 0.99), p99.isFinite {
            context.board.update { $0.commitSeconds = (median, p99) }
        }
        for task in frozen.values {
            for output in task.content.outputs { output.spare?.give(output.records) }
        }
        frozen = [:]
        backOffPause = .milliseconds(100)
        return .published
    }

    /// Has homes brought up to date whose deltas have become many.
    func flushWhatWantsIt() {
        let now = clock.now()
        for (id, task) in owned.sorted(by: { $0.key < $1.key }) where !task.chain.isFlushing && !task.chain.unflushed.isEmpty {
            guard task.chain.wantsFlush, task.flushNotBefore.map({ now >= $0 }) ?? true else { continue }
            owned[id]?.chain.isFlushing = true
            maintenance.flush(.init(task: id, home: task.home, deltas: task.chain.unflushed.map(\.reference)))
        }
    }

    /// The home of a task has been brought up to date, or has not.
    func flushed(_ flush: Maintenance.Flush, _ failure: StateError?) throws(RuntimeFailure) {
        // The task may have been lost since, and be back with another home, of which this says nothing.
        guard let owner = owned[flush.task], owner.home === flush.home, let upTo = flush.deltas.last else { return }
        let before = notReady
        owned[flush.task]?.homeTrouble = failure.map { "task \(flush.task.name): \($0)" }
        context.board.update { if $0.notReady == before { $0.notReady = notReady } }
        guard failure == nil else {
            owned[flush.task]?.chain.isFlushing = false
            owned[flush.task]?.flushNotBefore = clock.now() + .seconds(5)
            return
        }
        owned[flush.task]?.chain.flushed(upTo: upTo)
        workers[owner.worker].send(.flushed(flush.task, epoch: upTo.epoch))
    }

    /// Why a task's home cannot be brought up to date; nil when all can. Records are taken and committed all the same, until memory or the
    /// chain of deltas has become too long.
    var homeTrouble: String? {
        owned.filter { $0.value.homeTrouble != nil }.min { $0.key < $1.key }?.value.homeTrouble
    }

    /// Has the workers forget tasks, and waits until they have: nobody uses their homes any more then.
    private func drop(_ tasks: Set<TaskID>) throws(RuntimeFailure) {
        let reply = Mailbox<Int>()
        for worker in workers { worker.send(.drop(tasks, reply: reply)) }
        var answers = 0
        while answers < workers.count {
            if context.requests.isGraceOver {
                throw RuntimeFailure(remedy: .fail, description: "stopped without a last commit: a worker did not end its batch in time")
            }
            answers += reply.wait(until: Date(timeIntervalSinceNow: 0.5)).count
        }
    }

    private func forget(_ task: TaskID) {
        guard let owner = owned.removeValue(forKey: task) else { return }
        // Its database can be opened once at a time, and the task may come back.
        if owner.chain.isFlushing { leaving[task] = owner.home } else { owner.home.close() }
        ended.remove(task)
        order?.remove(owner.partition)
        // What came of a partition that is done is still to be seen.
        if !finished.contains(owner.partition) { context.metrics.forget(topic: owner.partition.topic, partition: owner.partition.partition) }
    }

    /// What the group takes away while its assignment still waits is never begun: it would be read without being owned, and the
    /// group fences by members, not by partitions.
    private func withdrawAssignments(of partitions: [TopicPartition]) {
        deferred = deferred.map { event in
            guard case .assign(let assigned) = event else { return event }
            return .assign(assigned.filter { !partitions.contains($0) })
        }
    }

    /// Waits before a step is tried again, visibly, and goes on listening to the group: what it takes away meanwhile is lost.
    private func backOff(_ reason: String) throws(RuntimeFailure) {
        context.log.warn("waiting to try again", ["reason": .string(reason), "seconds": .double(backOffPause.seconds)])
        context.board.update {
            $0.phase = .waiting(reason)
            $0.notReady = reason
            $0.lastError = reason
        }
        let until = clock.now() + backOffPause
        backOffPause = min(backOffPause * 2, .seconds(5))
        while clock.now() < until {
            if context.requests.isGraceOver {
                throw RuntimeFailure(remedy: .fail, description: "stopped without a last commit, the time for it is over: \(reason)")
            }
            guard let event = consumer.poll(timeout: min(until - clock.now(), .milliseconds(100))) else { continue }
            switch event {
            case .lost(let partitions):
                withdrawAssignments(of: partitions)
                try withdrawRecoveries(of: partitions)
                pendingActions += machine.handle(.lose(Set(partitions.map(taskID)).intersection(owned.keys)))
                try completeRevoke(partitions)
            case .revoke(let partitions):
                withdrawAssignments(of: partitions)
                deferred.append(event)
            default:
                deferred.append(event)
            }
        }
        try look(at: failures.drain())
    }
}
