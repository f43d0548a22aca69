import Glibc

/// A whole file, or why not.
enum FileContents {
    /// Beyond this no file is read.
    static let sizeMax = 4 << 20

    struct Problem: Error {
        /// Such as `No such file or directory`.
        let reason: String
        let isMissing: Bool
    }

    static func read(_ path: String) throws(Problem) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw problem() }
        defer { close(descriptor) }
        var contents: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw problem()
            }
            if count == 0 { return contents }
            contents.append(contentsOf: buffer.prefix(count))
            guard contents.count <= sizeMax else {
                throw Problem(reason: "it is larger than \(Diagnostics.text(size: sizeMax))", isMissing: false)
            }
        }
    }

    private static func problem() -> Problem {
        let code = errno
        return Problem(reason: String(cString: strerror(code)), isMissing: code == ENOENT)
    }
}
