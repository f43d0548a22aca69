import CShims
import Glibc

/// A scratch file without a name: the system frees it with the process, so nothing of it is ever trusted after a crash.
final class SpillFile {
    private let descriptor: Int32
    private let place: String
    private var end: Int = 0

    /// - Parameter name: for errors.
    init(directory: String, name: String) throws(StateError) {
        try Files.createDirectories(directory)
        place = "\(directory)/\(name)"
        var template = Array("\(place)-XXXXXX".utf8CString)
        descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw Files.failure("create", place) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        template.withUnsafeBufferPointer { path in
            if let path = path.baseAddress { _ = unlink(path) }
        }
    }

    deinit { close(descriptor) }

    /// - Returns: where the bytes are.
    func append(_ bytes: UnsafeRawBufferPointer) throws(StateError) -> Int {
        let start = end
        try write(bytes, at: start)
        // In whole pages, so that freeing one run does not leave parts of a page.
        end = (start + bytes.count + 4_095) & ~4_095
        return start
    }

    func write(_ bytes: UnsafeRawBufferPointer, at start: Int) throws(StateError) {
        var written = 0
        while written < bytes.count {
            let count = pwrite(descriptor, bytes.baseAddress.unsafelyUnwrapped + written, bytes.count - written, start + written)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw Files.failure("write", place) }
            written += count
        }
    }

    func read(_ bytes: UnsafeMutableRawBufferPointer, at start: Int) throws(StateError) {
        guard try readSome(bytes, at: start) == bytes.count else {
            throw StateError(.inputOutput, place, "the scratch file is cut", remedy: "look at the device and its file system")
        }
    }

    /// - Returns: how many bytes were read: fewer than asked for only at the end of the file.
    func readSome(_ bytes: UnsafeMutableRawBufferPointer, at start: Int) throws(StateError) -> Int {
        var done = 0
        while done < bytes.count {
            let count = pread(descriptor, bytes.baseAddress.unsafelyUnwrapped + done, bytes.count - done, start + done)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw Files.failure("read", place) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Gives the room of what was written there back to the file system, where that can do it.
    func free(_ start: Int, _ count: Int) {
        millrace_punch_hole(descriptor, Int64(start), Int64((count + 4_095) & ~4_095))
    }
}
