import COpenSSL

/// The hash functions of SCRAM, from OpenSSL.
package enum ScramHash: CaseIterable, Hashable, Sendable {
    case sha256
    case sha512

    /// As SASL names the mechanism.
    package var mechanism: String {
        switch self {
        case .sha256: "SCRAM-SHA-256"
        case .sha512: "SCRAM-SHA-512"
        }
    }

    /// Bytes of a digest.
    package var byteCount: Int {
        switch self {
        case .sha256: 32
        case .sha512: 64
        }
    }

    private var function: OpaquePointer {
        switch self {
        case .sha256: EVP_sha256()
        case .sha512: EVP_sha512()
        }
    }

    package func digest(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: byteCount)
        let status = EVP_Digest(bytes, bytes.count, &digest, nil, function, nil)
        precondition(status == 1, "EVP_Digest failed")
        return digest
    }

    package func authenticationCode(key: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: byteCount)
        let result = HMAC(function, key, Int32(key.count), bytes, bytes.count, &code, nil)
        precondition(result != nil, "HMAC failed")
        return code
    }

    /// PBKDF2 with one block of output: RFC 5802's `Hi`.
    package func stretch(_ password: [UInt8], salt: [UInt8], iterations: Int) -> [UInt8] {
        var key = [UInt8](repeating: 0, count: byteCount)
        let status = password.withUnsafeBytes { raw in
            PKCS5_PBKDF2_HMAC(
                raw.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(raw.count), salt, Int32(salt.count), Int32(iterations), function,
                Int32(byteCount), &key)
        }
        precondition(status == 1, "PKCS5_PBKDF2_HMAC failed")
        return key
    }
}

enum SecureRandom {
    /// `count` bytes from the system's generator. The process ends when there are none: nothing safe could follow.
    static func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let status = RAND_bytes(&bytes, Int32(count))
        precondition(status == 1, "the system gives no random bytes")
        return bytes
    }
}

/// Whether two texts of bytes are the same, in a time that does not depend on where they differ.
func areEqualInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
}
