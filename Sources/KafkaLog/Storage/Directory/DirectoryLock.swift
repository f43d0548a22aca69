import Glibc

/// Keeps a second process out of a directory, until it is released or the process ends.
package final class DirectoryLock {
    private let file: LogFile

    /// - Throws: when another one holds it.
    init(_ path: String) throws(StorageError) {
        // Not replaced: the number in it is the other's while that one holds the lock.
        if !Directories.exists(path) { _ = try? LogFile(path, .create) }
        file = try LogFile(path, .readWrite)
        guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let holder = (try? file.read(at: 0, count: Int(min(file.size(), 20)))).map { String(decoding: $0, as: UTF8.self) } ?? ""
            throw StorageError(
                .storageError,
                "\(path) is held by another process\(holder.isEmpty ? "" : " (\(holder))"): a log directory belongs to one broker at a time")
        }
        let number = [UInt8](String(getpid()).utf8)
        _ = ftruncate(file.descriptor, 0)
        _ = number.withUnsafeBytes { pwrite(file.descriptor, $0.baseAddress, $0.count, 0) }
    }

    /// Whether somebody holds the lock now.
    static func isHeld(_ path: String) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        guard flock(descriptor, LOCK_SH | LOCK_NB) == 0 else { return errno == EWOULDBLOCK }
        _ = flock(descriptor, LOCK_UN)
        return false
    }

    deinit {
        // Closing it is not enough: a child process that has not got to its exec yet holds it too.
        _ = flock(file.descriptor, LOCK_UN)
    }
}
