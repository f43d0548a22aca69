import COpenSSL
import Glibc

/// What TLS is spoken with; PEM files.
package struct LogTLSConfiguration: Equatable, Sendable {
    package enum ClientCertificates: String, CaseIterable, Hashable, Sendable {
        case none
        /// Asked for and checked, but a client may have none.
        case wanted
        case required
    }

    /// The certificate and those between it and the root, in this order.
    package var certificate: String
    package var key: String
    /// The authorities that clients' certificates come from; needed unless `clientCertificates` is `none`.
    package var clientAuthorities: String?
    package var clientCertificates: ClientCertificates

    package init(
        certificate: String, key: String, clientAuthorities: String? = nil, clientCertificates: ClientCertificates = .none
    ) {
        self.certificate = certificate
        self.key = key
        self.clientAuthorities = clientAuthorities
        self.clientCertificates = clientCertificates
    }
}

/// OpenSSL's error queue of the calling thread.
enum OpenSSLErrors {
    /// The reason of the oldest error, such as `wrong version number`; the queue is empty afterwards.
    static func take() -> String? {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0 else { return nil }
        guard let reason = ERR_reason_error_string(code) else { return "OpenSSL error \(code)" }
        return String(cString: reason)
    }
}

/// Keys and rules that all TLS connections of a listener share.
///
/// Unchecked: written only while it is made; OpenSSL counts references to it atomically, and sessions are made on the broker's thread.
final class TLSContext: @unchecked Sendable {
    private let context: OpaquePointer

    // Function-like macros of OpenSSL, SSL_OP_BIT(n), which Swift does not see.
    private static let noTickets: UInt64 = 1 << 14
    private static let noCompression: UInt64 = 1 << 17
    private static let serverPreference: UInt64 = 1 << 22
    private static let noRenegotiation: UInt64 = 1 << 30

    /// Reads the files; TLS 1.2 and 1.3 are spoken, without renegotiation and without resuming sessions.
    init(_ configuration: LogTLSConfiguration) throws(LogServerError) {
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_server_method()) else {
            throw .tls("OpenSSL cannot be set up: \(OpenSSLErrors.take() ?? "out of memory")")
        }
        self.context = context
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
        SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, Int(SSL_SESS_CACHE_OFF), nil)
        _ = SSL_CTX_set_num_tickets(context, 0)
        _ = SSL_CTX_set_options(context, Self.noTickets | Self.noCompression | Self.serverPreference | Self.noRenegotiation)
        let mode = UInt32(SSL_MODE_ENABLE_PARTIAL_WRITE) | UInt32(SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER) | UInt32(SSL_MODE_RELEASE_BUFFERS)
        SSL_CTX_ctrl(context, SSL_CTRL_MODE, Int(mode), nil)
        // A key with a passphrase would have OpenSSL ask at the terminal.
        SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in 0 }

        guard SSL_CTX_use_certificate_chain_file(context, configuration.certificate) == 1 else {
            throw Self.failure("the certificate", configuration.certificate)
        }
        guard SSL_CTX_use_PrivateKey_file(context, configuration.key, SSL_FILETYPE_PEM) == 1 else {
            throw Self.failure("the key", configuration.key)
        }
        guard SSL_CTX_check_private_key(context) == 1 else {
            throw .tls("the key \(configuration.key) is not that of the certificate \(configuration.certificate)")
        }
        guard configuration.clientCertificates != .none else { return }
        guard let authorities = configuration.clientAuthorities else {
            throw .tls("client certificates are \(configuration.clientCertificates.rawValue), and no authority is named to check them with")
        }
        guard SSL_CTX_load_verify_file(context, authorities) == 1, let names = SSL_load_client_CA_file(authorities) else {
            throw Self.failure("the client authorities", authorities)
        }
        SSL_CTX_set_client_CA_list(context, names)
        let isRequired = configuration.clientCertificates == .required
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (isRequired ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nil)
    }

    private static func failure(_ what: String, _ path: String) -> LogServerError {
        // OpenSSL says "system lib" for a file that is not there.
        let reason = OpenSSLErrors.take()
        guard access(path, R_OK) == 0 else { return .tls("\(what) \(path) cannot be read: \(String(cString: strerror(errno)))") }
        return .tls("\(what) \(path) cannot be used: \(reason ?? "it is no PEM file")")
    }

    deinit { SSL_CTX_free(context) }

    /// The server's side of TLS on a connected, non-blocking socket, which stays the caller's.
    func session(on socket: Int32) -> TLSSession? {
        guard let session = SSL_new(context) else { return nil }
        guard SSL_set_fd(session, socket) == 1 else {
            SSL_free(session)
            return nil
        }
        SSL_set_accept_state(session)
        return TLSSession(session)
    }
}
