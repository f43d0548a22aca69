import Foundation
import State

/// A directory that goes away with the object.
final class TemporaryDirectory {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/millrace-state-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A change that owns its bytes.
struct PlainChange: Hashable {
    var kind: Change.Kind
    var namespace: UInt16
    var key: [UInt8]
    var value: [UInt8] = []

    init(_ kind: Change.Kind, _ namespace: UInt16, _ key: [UInt8], _ value: [UInt8] = []) {
        self.kind = kind
        self.namespace = namespace
        self.key = key
        self.value = value
    }

    init(_ change: Change) {
        self.init(change.kind, change.namespace, Array(change.key), Array(change.value))
    }
}

func changeSet(_ changes: [PlainChange]) -> ChangeSet {
    var set = ChangeSet()
    for change in changes {
        change.key.withUnsafeBytes { key in
            change.value.withUnsafeBytes { value in
                switch change.kind {
                case .put: set.put(change.namespace, key: key, value: value)
                case .delete: set.delete(change.namespace, key: key)
                case .deletePrefix: set.deletePrefix(change.namespace, prefix: key)
                }
            }
        }
    }
    return set
}

func plain(_ set: ChangeSet) -> [PlainChange] {
    var changes: [PlainChange] = []
    set.forEach { changes.append(PlainChange($0)) }
    return changes
}

func plain(_ file: DeltaFile) throws -> [PlainChange] {
    var changes: [PlainChange] = []
    try file.forEach { changes.append(PlainChange($0)) }
    return changes
}

func error(_ body: () throws -> Void) -> StateError? {
    do {
        try body()
        return nil
    } catch {
        return error as? StateError
    }
}

/// What `body` takes of this thread's processor time: other processes do not disturb it.
func cpuTime(_ body: () throws -> Void) rethrows -> Duration {
    func now() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
    let start = now()
    try body()
    return now() - start
}
