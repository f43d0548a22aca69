import Glibc

/// A system call that failed.
package struct SocketError: Error, Equatable, CustomStringConvertible {
    package let call: String
    package let code: Int32

    /// The error that `call` left in `errno`.
    static func last(_ call: String) -> SocketError { SocketError(call: call, code: errno) }

    package var description: String { "\(call): \(String(cString: strerror(code)))" }
}
