import Foundation
import Glibc

/// The state directory of an instance: locked while it runs, and where its name is kept, so that a restart is the same
/// member of the group and settles its own transactions.
package final class InstanceDirectory: Sendable {
    package struct Failure: Error, CustomStringConvertible, Sendable {
        package let description: String
    }

    package let path: String
    package let instance: String
    private let lock: Int32

    /// Creates `path` where it is missing.
    package init(_ path: String) throws(Failure) {
        self.path = path
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw Failure(description: "state directory \(path) cannot be created: \(error.localizedDescription)")
        }
        lock = open(path + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard lock >= 0 else {
            throw Failure(description: "\(path)/lock cannot be opened: \(String(cString: strerror(errno)))")
        }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            throw Failure(
                description: "state directory \(path) is in use by another process; stop that one, or set `state.directory` to a directory of its own")
        }
        let file = path + "/instance"
        if let text = try? String(contentsOfFile: file, encoding: .utf8), !text.isEmpty {
            instance = text.trimmingCharacters(in: .whitespacesAndNewlines)
        } else {
            instance = String(UInt64.random(in: 0...UInt64.max), radix: 36)
            do {
                try (instance + "\n").write(toFile: file, atomically: true, encoding: .utf8)
            } catch {
                close(lock)
                throw Failure(description: "\(file) cannot be written: \(error.localizedDescription)")
            }
        }
    }

    deinit {
        close(lock)
    }
}
