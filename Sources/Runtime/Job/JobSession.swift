import Foundation
import JobFile
import KafkaClient
import State
import Synchronization
import Telemetry

/// One life of a job between two recoveries: consumer, producer, workers, tasks, and the commit machine over them.
///
/// Everything here runs on the job's thread; workers and the maintenance thread are spoken to by messages. When it throws, the
/// session is over: nothing of it is used again, and the next one starts from what Kafka says is committed.
package final class JobSession {
    /// A task of this session, as the job's thread knows it. The task itself is its worker's.
    struct Owned {
        var partition: TopicPartition
        var worker: Int
        var progress: TaskProgress
        var home: Home
        var chain: DeltaChain
        /// The offset that it began at.
        var start: Int64
        /// Since when nothing is known of it: for idleness before the first record.
        var since: ContinuousClock.Instant
        var lastStableOffset: Int64?
        /// Everything below has been read in committed epochs.
        var committed: Int64
        /// Of a shuffle's topic: everything below has been deleted.
        var trimmed: Int64 = 0
        var isIdle = false
        /// Files of lives before this one are still to be deleted, once this one has committed beyond them.
        var hasLeftovers: Bool
        /// After a flush that failed, until one has succeeded.
        var flushNotBefore: ContinuousClock.Instant?
        var homeTrouble: String?
    }

    let plan: JobPlan
    let settings: RuntimeSettings
    let mode: RunMode
    let context: JobContext
    let clock: RuntimeClock
    let files: any FileStore
    let consumer: any GroupConsumer
    var producer: any EpochProducer
    package let workers: [Worker]
    package let maintenance: Maintenance
    let background = BackgroundRecovery<RecoveredTask>()
    var placement: Placement
    /// Where tasks go that are being restored.
    var places: [TopicPartition: Int] = [:]
    let failures = Mailbox<WorkerReply>()
    package var machine = CommitMachine(after: 0)
    var owned: [TaskID: Owned] = [:]
    /// Homes of tasks that went while they were being flushed.
    var leaving: [TaskID: Home] = [:]
    let buffers = SpareBuffers()
    /// What the epoch under way has to commit.
    var frozen: [TaskID: PreparedTask] = [:]
    var epochStart: ContinuousClock.Instant
    /// Events of the group that came while an epoch was waiting to be tried again.
    var deferred: [ConsumerEvent] = []
    /// The group waits for a revocation that is being handled.
    private var isRevoking = false
    /// Actions of the machine that came out of such events.
    var pendingActions: [CommitMachine.Action] = []
    /// How long the next back-off takes; grows until an epoch succeeds.
    var backOffPause = Duration.milliseconds(100)
    package var hasStopped = false
    /// The last epoch of a bounded run makes files of all pending rows.
    var rollsAll = false
    /// End offsets of a bounded run; nil until they are known.
    var ends: [TopicPartition: Int64]?
    var starts: [TopicPartition: Int64] = [:]
    /// How many partitions each topic has that the job reads.
    var partitions: [String: Int32] = [:]
    /// Bounded runs: the sources of this many shuffles' depth are done.
    var doneDepth = 0
    var nextTrim: ContinuousClock.Instant
    var admin: (any TopicAdministrator)?
    /// Partitions of a backfill that have been read up to their ends, and are read no more.
    var finished: Set<TopicPartition> = []
    /// Of a backfill that reads its partitions in turn; nil: all at a time.
    var order: ReadingOrder?
    /// Tasks in turn that are at their ends, where they close all windows, and have yet to commit that.
    var ended: Set<TaskID> = []
    /// Tasks that have their last part in the epoch under way.
    var lastOfTheirs: Set<TaskID> = []
    /// Of a backfill: what each task has committed since the run began.
    var totals: [TaskID: ReplayTotals] = [:]
    /// Of a bounded run: when it began to count, and what had been done then.
    var countedFrom: (time: ContinuousClock.Instant, done: Int64)?
    private var nextCommit: ContinuousClock.Instant
    private var nextLook: ContinuousClock.Instant
    var isStopping = false
    private var reachability = Reachability()

    package init(_ context: JobContext) throws(RuntimeFailure) {
        self.context = context
        plan = context.plan
        settings = context.settings
        mode = context.mode
        clock = context.surroundings.clock
        files = context.surroundings.files
        let now = clock.now()
        epochStart = now
        nextLook = now
        nextTrim = now + Self.trimInterval
        nextCommit = now + .microseconds(context.settings.interval)
        do throws(ConfigurationError) {
            consumer = try context.surroundings.makeConsumer(context)
            producer = try context.surroundings.makeProducer(context)
        } catch {
            throw RuntimeFailure(remedy: .fail, description: "\(error)")
        }
        maintenance = Maintenance(context)
        var workers: [Worker] = []
        let limiter = context.mode.replay?.recordsPerSecond.map { RateLimiter(recordsPerSecond: $0, now: now) }
        do throws(KafkaClientError) {
            for index in 0..<settings.workers {
                workers.append(
                    Worker(
                        index: index, queue: try consumer.makeQueue(), failures: failures, freezeSlice: settings.freezeSlice,
                        freezeDuration: context.metrics.freezeDuration, clock: clock, limiter: limiter,
                        onPressure: { [context, consumer] in
                            context.requests.requestCommit()
                            consumer.wake()
                        }))
            }
        } catch {
            throw RuntimeFailure(remedy: .recover, description: "\(error)")
        }
        self.workers = workers
        placement = Placement(workers: workers.count)
        order = Self.readingOrder(mode, plan, workers: workers.count)
    }

    /// Runs until the job has stopped in order.
    func run() throws(RuntimeFailure) {
        defer { end() }
        try open()
        while !hasStopped { try step() }
        if rollsAll, mode.replay != nil {
            context.board.update { $0.replayed = totals.values.reduce(into: ReplayTotals()) { $0 += $1 } }
        }
    }

    /// Joins the group. `end` has to follow at last, also when this throws.
    package func open() throws(RuntimeFailure) {
        try prepareTopics()
        try retrying("initialise the transactional producer") { () throws(ProducerError) in
            try self.producer.initTransactions(timeout: .seconds(10))
        }
        try deleteLeftovers()
        weighPartitions()
        // librdkafka may otherwise register "no partition" with a transaction whose first record races the topic's metadata.
        for topic in writtenTopics {
            _ = try retrying("look up topic \(topic)") { () throws(KafkaClientError) in
                try self.producer.partitionCount(of: topic, timeout: .seconds(10))
            }
        }
        if context.surroundings.hasThreads {
            for worker in workers { worker.start() }
        }
        do throws(KafkaClientError) {
            try consumer.subscribe(plan.sources.map(\.topic))
        } catch {
            throw RuntimeFailure(error)
        }
        context.board.update {
            $0.phase = .running
            $0.notReady = "waiting for partitions of the group"
        }
        context.requests.wakeUp = { [consumer] in consumer.wake() }
    }

    /// Waits for the next thing to do, not for long, and does it. To be called until `hasStopped`.
    package func step() throws(RuntimeFailure) {
        if context.requests.isStopRequested, !isStopping {
            isStopping = true
            try drive(.stop)
            return
        }
        let now = clock.now()
        // At the end of a bounded run nobody says so.
        let patience = Duration.milliseconds(ends == nil ? 100 : 10)
        if let event = deferred.isEmpty ? consumer.poll(timeout: min(max(nextCommit - now, .zero), patience)) : deferred.removeFirst() {
            try handle(event)
        }
        try look(at: failures.drain())
        try startRecovered()
        try maintenance.finished { flush, failure throws(RuntimeFailure) in try flushed(flush, failure) }
        let isAsked = context.requests.takeCommitRequest()
        if isAsked || clock.now() >= nextCommit {
            nextCommit = clock.now() + .microseconds(settings.interval)
            try drive(.due)
            context.requests.answerCommit(epoch: machine.committedEpoch)
        }
        if clock.now() >= nextLook {
            nextLook = clock.now() + .milliseconds(200)
            adoptIdleWatermarks()
            flushWhatWantsIt()
            report()
            trimShufflesIfDue()
            reachability.look(consumer, plan.sources[0].topic, context.board, clock.now())
        }
        try endIfDone()
    }

    /// What workers say between freezes.
    func look(at replies: [WorkerReply]) throws(RuntimeFailure) {
        for reply in replies {
            switch reply {
            case .failed(_, let failure): throw failure
            case .outOfRange(let partition, let reason): try reposition(partition, reason)
            case .froze: break
            }
        }
    }

    /// The offset that `partition` is to be read from is not there: never reset in silence.
    private func reposition(_ partition: TopicPartition, _ reason: String) throws(RuntimeFailure) {
        let id = taskID(partition)
        guard let source = plan.sources.first(where: { $0.topic == partition.topic }), let task = owned[id] else { return }
        let ends = try asking { () throws(KafkaClientError) in try self.consumer.watermarks(of: partition, timeout: .seconds(10)) }
        if mode.replay != nil {
            throw RuntimeFailure(
                remedy: .fail,
                description: "the log no longer has offset \(task.progress.position) of \(partition), which the range begins at or goes on with (it has "
                    + "\(ends.low) to \(ends.lastStableOffset)): \(reason). Records were deleted by retention, or the topic was made anew")
        }
        let position: Int64
        switch source.onOffsetOutOfRange {
        case .fail:
            throw RuntimeFailure(
                remedy: .fail,
                description: "the log no longer has the offset that \(partition) is to be read from (it has \(ends.low) to "
                    + "\(ends.lastStableOffset)): \(reason). Records were deleted before they were processed, or the topic was made anew; set "
                    + "`on_offset_out_of_range` of source `\(source.name)` to earliest or latest to go on without them")
        case .earliest: position = ends.low
        case .latest: position = ends.lastStableOffset
        }
        context.log.warn(
            "offset out of range; going on elsewhere, as the job file says",
            ["task": .string(id.name), "from": .integer(Int(task.progress.position)), "to": .integer(Int(position))])
        let queue = workers[task.worker].queue
        try asking { () throws(KafkaClientError) in try self.consumer.end([partition]) }
        workers[task.worker].send(.resume(id, at: position))
        try asking { () throws(KafkaClientError) in try self.consumer.begin(partition, at: position, on: queue) }
    }

    /// A question to Kafka without which the session cannot go on.
    func asking<Answer>(_ question: () throws(KafkaClientError) -> Answer) throws(RuntimeFailure) -> Answer {
        do throws(KafkaClientError) {
            return try question()
        } catch {
            throw RuntimeFailure(error)
        }
    }

    private func handle(_ event: ConsumerEvent) throws(RuntimeFailure) {
        switch event {
        case .assign(let partitions):
            try checkGrowth(partitions)
            try findEnds()
            try restore(partitions.sorted())
            context.board.update { $0.notReady = notReady }
        case .revoke(let partitions):
            let tasks = Set(partitions.map(taskID))
            isRevoking = true
            defer { isRevoking = false }
            try withdrawRecoveries(of: partitions)
            try drive(.revoke(tasks.intersection(owned.keys)))
            try completeRevoke(partitions)
        case .lost(let partitions):
            context.log.warn("the group took partitions away", ["partitions": "\(partitions.map(\.description).joined(separator: " "))"])
            try withdrawRecoveries(of: partitions)
            try drive(.lose(Set(partitions.map(taskID)).intersection(owned.keys)))
            try completeRevoke(partitions)
            context.board.update { $0.notReady = "the group took partitions away; waiting for it to give some again" }
        case .error(let error):
            if error.isFatal { throw RuntimeFailure(error) }
            context.log.warn("\(error)")
            context.board.update { $0.lastError = "\(error)" }
            reachability.suspect(clock.now())
        case .statistics:
            break
        }
    }

    /// The group waits for this member to give something back.
    var isRevocationOpen: Bool {
        isRevoking
            || deferred.contains { event in
                if case .revoke = event { true } else { false }
            }
    }

    func completeRevoke(_ partitions: [TopicPartition]) throws(RuntimeFailure) {
        do throws(KafkaClientError) {
            try consumer.completeRevoke(partitions)
        } catch {
            throw RuntimeFailure(error)
        }
    }

    func taskID(_ partition: TopicPartition) -> TaskID {
        TaskID(
            source: plan.sources.first { $0.topic == partition.topic }?.name ?? partition.topic, partition: partition.partition)
    }

    /// Does `body` again until it succeeds, saying why it waits, with growing pauses.
    func retrying<Result, Failure: Error>(_ what: String, _ body: () throws(Failure) -> Result) throws(RuntimeFailure) -> Result {
        var pause = Duration.milliseconds(100)
        while true {
            do throws(Failure) {
                return try body()
            } catch {
                if let fatal = error as? ProducerError, fatal.remedy == .fatal {
                    throw RuntimeFailure(remedy: .recover, description: "\(error)")
                }
                context.log.warn("cannot \(what) yet", ["error": .string("\(error)")])
                context.board.update {
                    $0.phase = .waiting("\(error)")
                    $0.notReady = "cannot \(what): \(error)"
                    $0.lastError = "\(error)"
                }
                guard context.surroundings.pause(pause, context.requests) else {
                    throw RuntimeFailure(remedy: .fail, description: "stopped while waiting to \(what): \(error)")
                }
                pause = min(pause * 2, .seconds(5))
            }
        }
    }

    /// Ends threads and clients, whatever state they are in.
    package func end() {
        context.requests.wakeUp = nil
        for worker in workers { worker.stopAndJoin() }
        for recovered in background.end() { recovered.home.close() }
        maintenance.stop()
        _ = try? consumer.close(timeout: .seconds(5))
    }
}

extension Duration {
    var seconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}

extension RuntimeFailure {
    init(_ error: KafkaClientError) {
        self.init(remedy: .recover, description: "\(error)")
    }
}
