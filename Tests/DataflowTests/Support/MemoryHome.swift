import Dataflow
import State

/// What a test's task needs of a home.
protocol TestHome: ColdState {
    /// `watermark`: what the operators had been advanced to when the changes were frozen.
    func apply(_ changes: ChangeSet, epoch: Int, watermark: Int64) throws
}

/// A home in a dictionary: applies the changes of epochs and derives timers like the real one, stale ones included.
final class MemoryHome: TestHome {
    struct Entry: Hashable, Comparable {
        var namespace: UInt16
        var key: [UInt8]

        static func < (one: Entry, other: Entry) -> Bool {
            one.namespace != other.namespace
                ? one.namespace < other.namespace : one.key.lexicographicallyPrecedes(other.key)
        }
    }

    private(set) var values: [Entry: [UInt8]] = [:]
    private var timers: [UInt16: Set<Timer>] = [:]
    /// Keys that were looked up.
    private(set) var reads = 0
    let timed: UInt16

    private struct Timer: Hashable {
        var end: Int64
        var key: [UInt8]
    }

    private let lateness: Int64

    init(timed: UInt16, lateness: Int64) {
        self.timed = timed
        self.lateness = lateness
    }

    func apply(_ changes: ChangeSet, epoch: Int, watermark: Int64) {
        timers[timed] = timers[timed, default: []].filter { $0.end > watermark - lateness }
        changes.forEach { change in
            let entry = Entry(namespace: change.namespace, key: [UInt8](change.key))
            switch change.kind {
            case .put:
                values[entry] = [UInt8](change.value)
                if change.namespace == timed {
                    let end = Int64(bigEndian: change.value.loadUnaligned(as: Int64.self))
                    timers[timed, default: []].insert(Timer(end: end, key: entry.key))
                }
            case .delete: values[entry] = nil
            case .deletePrefix:
                values = values.filter { $0.key.namespace != entry.namespace || !$0.key.key.starts(with: entry.key) }
            }
        }
    }

    func multiGet(
        _ namespace: UInt16, _ keys: [UnsafeRawBufferPointer], areSorted: Bool,
        _ body: (Int, UnsafeRawBufferPointer?) -> Void
    ) throws(StateError) {
        for (position, key) in keys.enumerated() {
            reads += 1
            if let value = values[Entry(namespace: namespace, key: [UInt8](key))] {
                value.withUnsafeBytes { body(position, $0) }
            } else {
                body(position, nil)
            }
        }
    }

    func scanTimers(
        _ namespace: UInt16, after: Int64, upTo last: Int64,
        _ body: (Int64, UnsafeRawBufferPointer) throws(StateError) -> Bool
    ) throws(StateError) {
        for timer in timers[namespace, default: []].sorted(by: { $0.end < $1.end })
        where timer.end > after && timer.end <= last {
            guard try lend(timer.key, [], { key, _ throws(StateError) in try body(timer.end, key) }) else { return }
        }
    }

    func firstTimer(_ namespace: UInt16, after: Int64) throws(StateError) -> Int64? {
        timers[namespace, default: []].map(\.end).filter { $0 > after }.min()
    }

    func scan(
        _ namespace: UInt16, prefix: UnsafeRawBufferPointer,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(StateError) -> Bool
    ) throws(StateError) {
        for (entry, value) in values.sorted(by: { $0.key < $1.key })
        where entry.namespace == namespace && entry.key.starts(with: prefix) {
            guard try lend(entry.key, value, body) else { return }
        }
    }
}

/// A typed throw does not pass `withUnsafeBytes`.
private func lend(
    _ key: [UInt8], _ value: [UInt8], _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(StateError) -> Bool
) throws(StateError) -> Bool {
    let result: Result<Bool, StateError> = key.withUnsafeBytes { key in
        value.withUnsafeBytes { value in
            do throws(StateError) { return .success(try body(key, value)) } catch { return .failure(error) }
        }
    }
    return try result.get()
}
