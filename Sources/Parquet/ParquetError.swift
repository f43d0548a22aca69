import Glibc

/// A file could not be written. The message says what was tried, where and why.
package struct ParquetError: Error, CustomStringConvertible, Sendable {
    package let description: String
    /// The system's error number, where there is one: `ENOSPC` is worth waiting for.
    package let code: Int32?

    init(_ operation: String, _ path: String, _ code: Int32) {
        self.code = code
        description = "cannot \(operation) \(path): \(String(cString: strerror(code)))"
    }

    init(_ description: String) {
        self.code = nil
        self.description = description
    }
}
