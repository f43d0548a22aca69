import Glibc

/// AWS Signature Version 4 in the form of S3: the path is encoded once, the hash of the payload is a header of its own.
package struct S3Signature {
    private let credentials: S3Credentials
    private let region: String
    private let time: Int

    /// - Parameter time: seconds since 1970.
    package init(credentials: S3Credentials, region: String, time: Int) {
        self.credentials = credentials
        self.region = region
        self.time = time
    }

    /// All headers of the signed request: those given (names in lower case), the date, the payload's hash and the authorisation.
    /// - Parameters:
    ///   - path: encoded.
    ///   - query: neither encoded nor sorted.
    ///   - payloadHash: SHA-256 in hexadecimal.
    package func headers(
        method: String, path: String, query: [(String, String)], headers: [(String, String)], payloadHash: String
    ) -> [(String, String)] {
        var signed = headers
        signed.append(("x-amz-content-sha256", payloadHash))
        signed.append(("x-amz-date", timestamp))
        if let token = credentials.sessionToken { signed.append(("x-amz-security-token", token)) }
        signed.sort { $0.0 < $1.0 }
        let names = signed.map(\.0).joined(separator: ";")
        let canonical = [
            method, path, Self.text(of: query), signed.map { "\($0.0):\($0.1)\n" }.joined(), names, payloadHash,
        ].joined(separator: "\n")
        let scope = "\(timestamp.prefix(8))/\(region)/s3/aws4_request"
        let toSign = ["AWS4-HMAC-SHA256", timestamp, scope, SHA256.hex(SHA256.hash(canonical))].joined(separator: "\n")
        var key = Array("AWS4\(credentials.secretKey)".utf8)
        for part in [String(timestamp.prefix(8)), region, "s3", "aws4_request"] { key = SHA256.authenticate(part, key: key) }
        let signature = SHA256.hex(SHA256.authenticate(toSign, key: key))
        signed.append((
            "authorization",
            "AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope),SignedHeaders=\(names),Signature=\(signature)"
        ))
        return signed
    }

    /// A query string as it is signed and sent: encoded, by name.
    static func text(of query: [(String, String)]) -> String {
        query.map { (encoded($0.0), encoded($0.1)) }.sorted { $0 < $1 }.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }

    /// All but letters, digits and `-._~` (and `/` in paths) as `%XX` (RFC 3986).
    package static func encoded(_ text: String, isPath: Bool = false) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: "/") where isPath:
                encoded += "/"
            default:
                encoded += "%" + SHA256.hex([byte]).uppercased()
            }
        }
        return encoded
    }

    /// `20130524T000000Z`
    private var timestamp: String {
        var seconds = time_t(time)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        return String(unsafeUninitializedCapacity: 17) { text in
            text.withMemoryRebound(to: CChar.self) { strftime($0.baseAddress.unsafelyUnwrapped, 17, "%Y%m%dT%H%M%SZ", &parts) }
        }
    }
}
