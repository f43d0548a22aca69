import Foundation
import KafkaClient
import Synchronization

let patience: Duration = .seconds(60)

struct Impatience: Error, CustomStringConvertible {
    var description: String
}

/// A record as Swift values.
struct Record: Equatable, CustomStringConvertible {
    var partition: TopicPartition
    var offset: Int64
    var key: [UInt8]?
    var value: [UInt8]?
    var timestamp: Int64
    var headers: [MessageHeader]

    var description: String { "\(partition)@\(offset) \(key.map(text) ?? "-")=\(value.map(text) ?? "-")" }
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

extension MessageBatch {
    var records: [Record] {
        items.flatMap { item -> [Record] in
            guard case .records(let run) = item else { return [] }
            return run.indexes.map { index in
                let message = self[index]
                return Record(
                    partition: run.partition, offset: message.offset, key: message.key.map { [UInt8]($0) },
                    value: message.payload.map { [UInt8]($0) }, timestamp: message.timestampMilliseconds,
                    headers: message.headers())
            }
        }
    }
}

extension WorkerQueue {
    /// Consumes until `count` records have come.
    func records(_ count: Int, max: Int = 1000) throws -> [Record] {
        var found: [Record] = []
        let deadline = ContinuousClock.now + patience
        while found.count < count {
            if ContinuousClock.now > deadline { throw Impatience(description: "\(found.count) of \(count) records came: \(found.suffix(3))") }
            found += consume(max: max, timeout: .milliseconds(100)).records
        }
        return found
    }

    /// Consumes until an item matches, and returns all items up to there.
    func items(until matches: (BatchItem) -> Bool) throws -> [BatchItem] {
        var found: [BatchItem] = []
        let deadline = ContinuousClock.now + patience
        while true {
            if ContinuousClock.now > deadline { throw Impatience(description: "no such item among \(found.suffix(5))") }
            for item in consume(max: 1000, timeout: .milliseconds(100)).items {
                found.append(item)
                if matches(item) { return found }
            }
        }
    }
}

extension Consumer {
    /// Polls until an event matches.
    func event(_ matches: (ConsumerEvent) -> Bool) throws -> ConsumerEvent {
        var others: [ConsumerEvent] = []
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline {
            guard let event = poll(timeout: .milliseconds(100)) else { continue }
            if matches(event) { return event }
            others.append(event)
        }
        throw Impatience(description: "the event did not come, but \(others)")
    }

    /// Polls until the group gives something.
    func assignment() throws -> [TopicPartition] {
        guard case .assign(let partitions) = try event({ if case .assign(let list) = $0 { !list.isEmpty } else { false } }) else {
            return []
        }
        return partitions.sorted()
    }
}

extension Producer {
    func produce(_ topic: String, _ partition: Int32, _ keysAndValues: [(String, String)]) throws {
        var records = OutgoingRecords()
        for (key, value) in keysAndValues { records.append(key: key.utf8, value: value.utf8, partition: partition) }
        try produce(records, topic: topic)
        try flush(timeout: patience)
        if let failure = deliveries.firstFailure { throw failure }
    }
}

/// Runs `body` on a thread of its own; the closure that comes back waits for its result.
func onThread<Result: Sendable>(_ body: @escaping @Sendable () -> Result) -> () -> Result {
    let box = Box<Result>()
    let thread = Thread {
        let result = body()
        box.result.withLock { $0 = result }
        box.done.signal()
    }
    thread.start()
    return {
        box.done.wait()
        guard let result = box.result.withLock({ $0 }) else { preconditionFailure("the thread left nothing") }
        return result
    }
}

private final class Box<Result: Sendable>: Sendable {
    let done = DispatchSemaphore(value: 0)
    let result = Mutex<Result?>(nil)
}

/// Where `offsets` stops being 0, 1, 2 ... up to `count`; nil if it does not.
func firstBreak(_ offsets: [Int64], upTo count: Int) -> String? {
    if let index = offsets.indices.first(where: { offsets[$0] != Int64($0) }) {
        return "offset \(offsets[index]) in place of \(index)"
    }
    return offsets.count == count ? nil : "\(offsets.count) records instead of \(count)"
}
