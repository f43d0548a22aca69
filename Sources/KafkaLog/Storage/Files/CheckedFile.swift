import CShims
import Glibc

/// Small files that are replaced as a whole, or not at all.
enum CheckedFile {
    /// Replaces `path` with `bytes`: temporary file, sync, rename, sync of the directory. Durable when it returns.
    static func replace(_ path: String, with bytes: [UInt8], operations: FileOperations) throws(StorageError) {
        try write(temporary(path), bytes, operations: operations, synchronize: true)
        try publish(path, operations: operations)
    }

    /// The second half of `replace`: the durable temporary file takes the place of `path`.
    static func publish(_ path: String, operations: FileOperations) throws(StorageError) {
        try operations.rename(temporary(path), to: path)
        try operations.synchronize(directory: String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
    }

    static func temporary(_ path: String) -> String { path + ".tmp" }

    /// Writes a file anew. Not durable unless `synchronize`.
    @discardableResult
    static func write(
        _ path: String, _ bytes: [UInt8], operations: FileOperations, synchronize: Bool
    ) throws(StorageError) -> LogFile {
        let file = try LogFile(path, .replace)
        do throws(SystemError) {
            var failure: SystemError?
            bytes.withUnsafeBytes { buffer in
                do throws(SystemError) {
                    try operations.writeAll(file.descriptor, buffer, at: 0)
                } catch {
                    failure = error
                }
            }
            if let failure { throw failure }
            if synchronize { try operations.synchronize(file.descriptor) }
        } catch {
            throw .system("write", path, error)
        }
        return file
    }

    /// All of a file that has at most `limit` bytes; nil when there is none.
    static func read(_ path: String, limit: Int64 = 1 << 30) throws(StorageError) -> [UInt8]? {
        guard Directories.exists(path) else { return nil }
        let file = try LogFile(path, .read)
        let size = try file.size()
        guard size <= limit else {
            throw StorageError(.storageError, "\(path) has \(size) bytes, more than the \(limit) it may have")
        }
        return try file.read(at: 0, count: Int(size))
    }

    /// Lines of text and, as the last, `crc32c` and eight hexadecimal digits over all before it.
    static func replaceText(_ path: String, lines: [String], operations: FileOperations) throws(StorageError) {
        try replace(path, with: encode(lines), operations: operations)
    }

    static func encode(_ lines: [String]) -> [UInt8] {
        var text = lines.joined(separator: "\n") + "\n"
        text += "crc32c \(hex(checksum([UInt8](text.utf8))))\n"
        return [UInt8](text.utf8)
    }

    /// The lines without the checksum; nil when there is no such file.
    /// - Throws: when the checksum is not there or wrong.
    static func readText(_ path: String) throws(StorageError) -> [String]? {
        guard let bytes = try read(path) else { return nil }
        guard let lines = decode(bytes) else { throw damaged(path) }
        return lines
    }

    /// The lines without the checksum; nil when that is not there or wrong.
    static func decode(_ bytes: [UInt8]) -> [String]? {
        let trailer = 16  // "crc32c 01234567\n"
        guard bytes.count > trailer else { return nil }
        let body = [UInt8](bytes.dropLast(trailer))
        guard String(decoding: bytes.suffix(trailer), as: UTF8.self) == "crc32c \(hex(checksum(body)))\n" else { return nil }
        return String(decoding: body, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    static func checksum(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBytes { millrace_crc32c(0, $0.baseAddress, $0.count) }
    }

    private static func damaged(_ path: String) -> StorageError {
        StorageError(.storageError, "\(path) is damaged: its checksum is missing or wrong; restore it from a backup")
    }

    private static func hex(_ value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}
