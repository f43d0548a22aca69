import COpenSSL
import Glibc

/// SHA-256 and HMAC-SHA-256, by OpenSSL.
package enum SHA256 {
    static func hash(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { digest, count in
            precondition(
                EVP_Digest(bytes.baseAddress, bytes.count, digest.baseAddress, nil, EVP_sha256(), nil) == 1, "OpenSSL has SHA-256")
            count = 32
        }
    }

    package static func hash(_ text: String) -> [UInt8] { Array(text.utf8).withUnsafeBytes(hash) }

    static func authenticate(_ text: String, key: [UInt8]) -> [UInt8] {
        let message = Array(text.utf8)
        return [UInt8](unsafeUninitializedCapacity: 32) { code, count in
            var size: UInt32 = 32
            precondition(
                HMAC(EVP_sha256(), key, Int32(key.count), message, message.count, code.baseAddress, &size) != nil, "OpenSSL has HMAC")
            count = Int(size)
        }
    }

    package static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(unsafeUninitializedCapacity: bytes.count * 2) { text in
            for (index, byte) in bytes.enumerated() {
                text[2 * index] = digits[Int(byte >> 4)]
                text[2 * index + 1] = digits[Int(byte & 15)]
            }
            return bytes.count * 2
        }
    }
}

extension SHA256 {
    /// Of a range of a file, which is read in pieces.
    static func hash(file path: String, offset: Int, count: Int) throws(HTTPFailure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw HTTPFailure(reason: "could not open \(path): \(String(cString: strerror(errno)))", isLocal: true)
        }
        defer { close(descriptor) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { buffer.deallocate() }
        let running = Running()
        var done = 0
        while done < count {
            let read = pread(descriptor, buffer.baseAddress, min(buffer.count, count - done), off_t(offset + done))
            guard read > 0 else {
                let reason = read < 0 ? String(cString: strerror(errno)) : "it has become shorter"
                throw HTTPFailure(reason: "could not read \(path): \(reason)", isLocal: true)
            }
            running.add(UnsafeRawBufferPointer(rebasing: buffer[..<read]))
            done += read
        }
        return running.finish()
    }

    /// Of bytes that come one piece after the other.
    final class Running {
        private let context: OpaquePointer

        init() {
            guard let context = EVP_MD_CTX_new() else { preconditionFailure("out of memory: a context of OpenSSL") }
            precondition(EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1, "OpenSSL has SHA-256")
            self.context = context
        }

        deinit { EVP_MD_CTX_free(context) }

        func add(_ bytes: UnsafeRawBufferPointer) {
            EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        }

        /// Of all that was added. Once.
        func finish() -> [UInt8] {
            [UInt8](unsafeUninitializedCapacity: 32) { digest, size in
                EVP_DigestFinal_ex(context, digest.baseAddress, nil)
                size = 32
            }
        }
    }
}
