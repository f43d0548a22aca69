import COpenSSL
import Glibc

/// TLS on one socket. Never blocks; belongs to the broker's thread.
final class TLSSession {
    enum Result: Equatable {
        case bytes(Int)
        /// The socket has to become readable or writable first, see `waitsToWrite`.
        case blocked
        /// The peer has ended the connection.
        case closed
        case failed(String)
    }

    private let session: OpaquePointer
    private(set) var isEstablished = false
    /// Reading or the handshake goes on once the socket takes bytes.
    private(set) var waitsToWrite = false
    /// After a fatal error nothing more may be said, not even goodbye.
    private var isBroken = false

    /// The most that is encrypted at once; a larger buffer only becomes more records.
    static let pieceBytes = 64 << 10

    init(_ session: OpaquePointer) { self.session = session }

    deinit {
        if isEstablished, !isBroken {
            ERR_clear_error()
            SSL_shutdown(session)
        }
        SSL_free(session)
    }

    /// Bytes are ready that the socket will not tell of.
    var hasBufferedInput: Bool { SSL_has_pending(session) == 1 }

    /// Goes on with the handshake: `.bytes(0)` once it is done.
    func handshake() -> Result {
        if isEstablished { return .bytes(0) }
        ERR_clear_error()
        let status = SSL_do_handshake(session)
        guard status == 1 else { return result(of: status, "the TLS handshake failed") }
        isEstablished = true
        waitsToWrite = false
        return .bytes(0)
    }

    func read(into buffer: UnsafeMutableRawPointer, _ capacity: Int) -> Result {
        ERR_clear_error()
        let count = SSL_read(session, buffer, Int32(clamping: capacity))
        if count > 0 {
            waitsToWrite = false
            return .bytes(Int(count))
        }
        return result(of: count, "TLS")
    }

    /// Sends some of the bytes. After `.blocked` the same bytes have to come again, from anywhere in memory.
    func write(_ buffer: UnsafeRawBufferPointer) -> Result {
        ERR_clear_error()
        let count = SSL_write(session, buffer.baseAddress, Int32(clamping: buffer.count))
        return count > 0 ? .bytes(Int(count)) : result(of: count, "TLS")
    }

    private func result(of status: Int32, _ what: String) -> Result {
        let systemError = errno
        switch SSL_get_error(session, status) {
        case SSL_ERROR_WANT_READ:
            waitsToWrite = false
            return .blocked
        case SSL_ERROR_WANT_WRITE:
            waitsToWrite = true
            return .blocked
        case SSL_ERROR_ZERO_RETURN: return .closed
        case SSL_ERROR_SYSCALL:
            isBroken = true
            ERR_clear_error()
            if systemError == 0 || systemError == ECONNRESET || systemError == EPIPE { return .closed }
            return .failed("\(what): \(String(cString: strerror(systemError)))")
        default:
            isBroken = true
            let isTruncated = ERR_peek_error() != 0 && ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING
            let libraryReason = OpenSSLErrors.take()
            let reason = certificateProblem ?? libraryReason ?? "unknown error"
            return isTruncated ? .closed : .failed("\(what): \(reason)")
        }
    }

    /// Why the client's certificate was refused.
    private var certificateProblem: String? {
        let code = SSL_get_verify_result(session)
        guard !isEstablished, code != Int(X509_V_OK), let text = X509_verify_cert_error_string(code) else { return nil }
        return "the client's certificate: \(String(cString: text))"
    }

    /// The subject of the client's certificate as RFC 2253 writes it (`CN=alice,O=Example`); nil when it sent none. A certificate
    /// that was sent has been checked.
    var clientSubject: String? {
        guard isEstablished, let certificate = SSL_get1_peer_certificate(session) else { return nil }
        defer { X509_free(certificate) }
        guard SSL_get_verify_result(session) == Int(X509_V_OK), let name = X509_get_subject_name(certificate),
            let text = BIO_new(BIO_s_mem())
        else { return nil }
        defer { BIO_free(text) }
        // XN_FLAG_RFC2253, but with UTF-8 as it is (without ASN1_STRFLGS_ESC_MSB).
        let values = ASN1_STRFLGS_ESC_2253 | ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_UTF8_CONVERT | ASN1_STRFLGS_DUMP_UNKNOWN | ASN1_STRFLGS_DUMP_DER
        let names = XN_FLAG_SEP_COMMA_PLUS | XN_FLAG_DN_REV | XN_FLAG_FN_SN | XN_FLAG_DUMP_UNKNOWN_FIELDS
        let flags = UInt(values | names)
        guard X509_NAME_print_ex(text, name, 0, flags) >= 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = BIO_read(text, &bytes, Int32(bytes.count))
        return count > 0 ? String(decoding: bytes.prefix(Int(count)), as: UTF8.self) : nil
    }
}
