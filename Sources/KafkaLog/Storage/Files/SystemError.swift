import Glibc

/// A failed call of the operating system.
package struct SystemError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The value of `errno`.
    package let code: Int32

    package init(code: Int32) {
        self.code = code
    }

    /// The error that the calling thread's last failed call left.
    static var last: SystemError { SystemError(code: errno) }

    /// There is no room now; there may be later.
    var isOutOfSpace: Bool { code == ENOSPC || code == EDQUOT }

    package var description: String { String(cString: strerror(code)) }
}
