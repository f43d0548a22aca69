import Foundation
import KafkaClient
import Synchronization
import Telemetry

/// A thread that runs some of the job's tasks: takes records from its queue, gives them to their tasks, and freezes
/// epochs between batches. Its tasks are touched by nobody else.
final class Worker: Sendable {
    /// Records taken from the queue at once.
    static let recordsMax = 8_192
    /// Bytes of input, and of output that waits, in one epoch, beyond which a commit is asked for at once and nothing more is
    /// read until it froze: a slow sink slows the consumer down.
    static let epochBytesMax = 256 << 20

    let index: Int
    let queue: WorkerQueue
    private let mailbox = Mailbox<WorkerCommand>()
    private let failures: Mailbox<WorkerReply>
    private let onPressure: @Sendable () -> Void
    private let thread = Mutex<NamedThread?>(nil)

    /// - Parameters:
    ///   - failures: gets what comes up between freezes. After a failure the worker does nothing but answer freezes with it.
    ///   - onPressure: called when the open epoch has grown so large that it should be committed now.
    init(index: Int, queue: WorkerQueue, failures: Mailbox<WorkerReply>, onPressure: @escaping @Sendable () -> Void) {
        self.index = index
        self.queue = queue
        self.failures = failures
        self.onPressure = onPressure
    }

    func start(job: String) {
        thread.withLock { $0 = NamedThread("worker-\(index)") { [self] in run() } }
    }

    func send(_ command: WorkerCommand) {
        mailbox.send(command)
        queue.wake()
    }

    func stopAndJoin() {
        send(.stop)
        thread.withLock { $0.take() }?.join()
    }

    private func run() {
        var tasks: [TopicPartition: Task] = [:]
        var failure: RuntimeFailure?
        var epochBytes = 0
        var hasAsked = false
        // A partition is begun only after its task was taken over here. So records of it that were taken before can only be those
        // of a former life of the partition on this worker: nobody's any more.
        var fresh: Set<TopicPartition> = []
        /// False when the worker is to end.
        func perform(_ commands: [WorkerCommand]) -> Bool {
            for command in commands {
                switch command {
                case .stop: return false
                case .adopt(let handle, let reply):
                    tasks[handle.task.partition] = handle.task
                    fresh.insert(handle.task.partition)
                    reply.send(handle.task.id)
                case .freeze(let epoch, let releasing, let rollAll, let reply):
                    if let failure {
                        reply.send(.failed(worker: index, failure))
                        continue
                    }
                    do throws(RuntimeFailure) {
                        reply.send(.froze(worker: index, tasks: try freeze(&tasks, epoch, releasing, rollAll)))
                        epochBytes = 0
                        hasAsked = false
                    } catch {
                        failure = error
                        reply.send(.failed(worker: index, error))
                    }
                case .drop(let dropped):
                    tasks = tasks.filter { !dropped.contains($0.value.id) }
                default:
                    do throws(RuntimeFailure) {
                        try self.perform(command, tasks)
                    } catch {
                        failure = error
                        failures.send(.failed(worker: index, error))
                    }
                }
            }
            return true
        }
        while true {
            fresh = []
            let isFull = epochBytes >= Self.epochBytesMax
            if failure != nil || isFull || tasks.values.contains(where: { $0.mustWait }) {
                if isFull, failure == nil, !hasAsked {
                    onPressure()
                    hasAsked = true
                }
                guard perform(mailbox.wait(until: Date(timeIntervalSinceNow: 0.1))) else { return }
                continue
            }
            let batch = queue.consume(max: Self.recordsMax, timeout: .milliseconds(100))
            guard perform(mailbox.drain()) else { return }
            guard failure == nil else { continue }
            do throws(RuntimeFailure) {
                for item in batch.items where !fresh.contains(item.partition) { epochBytes += try process(item, batch, tasks) }
            } catch {
                failure = error
                failures.send(.failed(worker: index, error))
            }
        }
    }

    /// - Returns: the bytes that the item adds to the epoch.
    private func process(
        _ item: BatchItem, _ batch: borrowing MessageBatch, _ tasks: [TopicPartition: Task]
    ) throws(RuntimeFailure) -> Int {
        switch item {
        case .records(let run):
            guard let task = tasks[run.partition] else { return 0 }
            return try task.process(run, batch)
        case .endOfPartition(let partition, let offset):
            tasks[partition]?.reachEnd(offset)
            return 0
        case .offsetOutOfRange(let partition, let error):
            failures.send(.outOfRange(partition, "\(error)"))
            return 0
        case .failure(let partition, let error):
            // librdkafka goes on by itself; what is lasting shows as lag and in the client's log.
            if error.isFatal {
                throw RuntimeFailure(remedy: .recover, description: "reading \(partition?.description ?? "from Kafka"): \(error)")
            }
            return 0
        }
    }

    private func freeze(
        _ tasks: inout [TopicPartition: Task], _ epoch: Int, _ releasing: Set<TaskID>, _ rollAll: Bool
    ) throws(RuntimeFailure) -> [FrozenTask] {
        var frozen: [FrozenTask] = []
        for (partition, task) in tasks.sorted(by: { $0.key < $1.key }) {
            let isReleased = releasing.contains(task.id)
            if let content = try task.freeze(epoch: epoch, rollAll: rollAll, isReleased: isReleased) { frozen.append(content) }
            if isReleased { tasks[partition] = nil }
        }
        return frozen
    }

    private func perform(_ command: WorkerCommand, _ tasks: [TopicPartition: Task]) throws(RuntimeFailure) {
        switch command {
        case .flushed(let id, let epoch):
            for task in tasks.values where task.id == id { task.flushed(upTo: epoch) }
        case .advance(let id, let watermark):
            for task in tasks.values where task.id == id { try task.advance(to: watermark) }
        case .resume(let id, let position):
            for task in tasks.values where task.id == id { task.resume(at: position) }
        case .closeWindows:
            for task in tasks.values { try task.closeWindows() }
        case .adopt, .freeze, .drop, .stop:
            break
        }
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
