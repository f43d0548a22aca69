import CShims
import Glibc

/// The system calls that storage needs, with typed errors. All paths are the caller's business.
enum Files {
    /// Writes `bytes` to the new file `path` and brings them to the disk.
    static func create(_ path: String, _ bytes: UnsafeRawBufferPointer) throws(StateError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure("create", path) }
        defer { Glibc.close(descriptor) }
        let written = bytes.count >= directMin ? try writePages(descriptor, path, bytes) : 0
        try write(descriptor, path, UnsafeRawBufferPointer(rebasing: bytes[written...]))
        guard fsync(descriptor) == 0 else { throw failure("fsync", path) }
    }

    private static func write(_ descriptor: Int32, _ path: String, _ bytes: UnsafeRawBufferPointer) throws(StateError) {
        var written = 0
        while written < bytes.count {
            let count = Glibc.write(descriptor, bytes.baseAddress.unsafelyUnwrapped + written, bytes.count - written)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw failure("write", path) }
            written += count
        }
    }

    /// Files of this size and more go to the disk around the page cache. Nobody may ever read them; taking new pages for each costs
    /// more than all else that is done to their bytes, and the page cache has better use for the memory.
    private static let directMin = 256 << 10
    private static let pageBytes = 4_096
    private static let pieceBytes = 1 << 20

    /// Writes the whole pages of `bytes` around the page cache, where the file system can do that.
    /// - Returns: how many bytes it has written; the rest is to be written the usual way.
    private static func writePages(_ descriptor: Int32, _ path: String, _ bytes: UnsafeRawBufferPointer) throws(StateError) -> Int {
        guard millrace_set_direct(descriptor, 1) == 0 else { return 0 }
        defer { _ = millrace_set_direct(descriptor, 0) }
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceBytes, alignment: pageBytes)
        defer { piece.deallocate() }
        let end = bytes.count / pageBytes * pageBytes
        var written = 0
        while written < end {
            let size = min(pieceBytes, end - written)
            piece.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[written..<written + size]))
            let count = Glibc.write(descriptor, piece.baseAddress, size)
            if count < 0 && errno == EINTR { continue }
            // Devices with larger blocks refuse pages, and what was not written as a whole does not end at one: the usual way has no such cares.
            if count < 0 && errno == EINVAL { return written }
            guard count >= 0 else { throw failure("write", path) }
            written += count
            if count % pageBytes != 0 { return written }
        }
        return written
    }

    /// - Returns: nil when there is no such file.
    static func read(_ path: String) throws(StateError) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw failure("open", path)
        }
        defer { Glibc.close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure("look at", path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw StateError(.inputOutput, path, "a file was expected and it is something else", remedy: "look who put it there")
        }
        var problem: StateError?
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, filled in
            while filled < buffer.count {
                let count = Glibc.read(descriptor, buffer.baseAddress.unsafelyUnwrapped + filled, buffer.count - filled)
                if count < 0 && errno == EINTR { continue }
                if count < 0 { problem = failure("read", path) }
                // A file that has become shorter is found out by its own checksum.
                if count <= 0 { return }
                filled += count
            }
        }
        if let problem { throw problem }
        return bytes
    }

    static func rename(_ from: String, to: String) throws(StateError) {
        guard Glibc.rename(from, to) == 0 else { throw failure("rename to \(to)", from) }
    }

    /// Makes names in `directory` durable.
    static func syncDirectory(_ directory: String) throws(StateError) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", directory) }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("fsync", directory) }
    }

    /// Makes a directory and those above it that are missing, durably.
    static func createDirectories(_ path: String) throws(StateError) {
        var status = stat()
        if stat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFDIR else {
                throw StateError(.inputOutput, path, "a directory was expected and it is a file", remedy: "move the file away")
            }
            return
        }
        let above = parent(path)
        if above != path { try createDirectories(above) }
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw failure("make the directory", path) }
        try syncDirectory(above)
    }

    /// The names in a directory, ascending; nil when there is no such directory.
    static func names(in directory: String) throws(StateError) -> [String]? {
        guard let stream = opendir(directory) else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw failure("list", directory)
        }
        defer { closedir(stream) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != "." && name != ".." { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw failure("list", directory) }
        return names.sorted()
    }

    static func status(_ path: String) throws(StateError) -> stat? {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw failure("look at", path)
        }
        return status
    }

    /// Removes a file, or a directory with all below it. Symbolic links are removed, not followed.
    static func remove(_ path: String) throws(StateError) {
        guard let status = try status(path) else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            guard unlink(path) == 0 || errno == ENOENT else { throw failure("remove", path) }
            return
        }
        for name in try names(in: path) ?? [] { try remove("\(path)/\(name)") }
        guard rmdir(path) == 0 || errno == ENOENT else { throw failure("remove", path) }
    }

    /// The same file under a second name, where the file system has that; else a copy.
    static func linkOrCopy(_ from: String, to: String) throws(StateError) {
        if link(from, to) == 0 { return }
        guard errno == EXDEV || errno == EPERM || errno == EMLINK || errno == ENOTSUP || errno == ENOSYS else {
            throw failure("link to \(to)", from)
        }
        try copy(from, to: to)
    }

    /// Copies a file in pieces and brings the copy to the disk.
    static func copy(_ from: String, to: String) throws(StateError) {
        let source = open(from, O_RDONLY | O_CLOEXEC)
        guard source >= 0 else { throw failure("open", from) }
        defer { Glibc.close(source) }
        let target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard target >= 0 else { throw failure("create", to) }
        defer { Glibc.close(target) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = Glibc.read(source, buffer.baseAddress, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw failure("read", from) }
            if count == 0 { break }
            var written = 0
            while written < count {
                let more = Glibc.write(target, buffer.baseAddress.unsafelyUnwrapped + written, count - written)
                if more < 0 && errno == EINTR { continue }
                guard more >= 0 else { throw failure("write", to) }
                written += more
            }
        }
        guard fsync(target) == 0 else { throw failure("fsync", to) }
    }

    static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Of the system call that just failed.
    static func failure(_ action: String, _ path: String) -> StateError {
        let code = errno
        let problem = "could not \(action): \(String(cString: strerror(code)))"
        if code == ENOSPC || code == EDQUOT {
            return StateError(.noSpace, path, problem, remedy: "make room on the device; work goes on when there is some")
        }
        let remedy =
            code == EACCES || code == EPERM || code == EROFS
            ? "give the user that runs Millrace the right to write there" : "look at the device and its file system"
        return StateError(.inputOutput, path, problem, remedy: remedy)
    }
}
