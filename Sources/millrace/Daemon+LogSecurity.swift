import Foundation
import JobFile
import KafkaLog

/// What `log.tls`, `log.users`, `log.allow` and `log.limits` of the daemon file mean to the log.
extension LogServerConfiguration {
    /// - Throws: what is wrong in the words of a file's errors, without secrets.
    mutating func secure(with settings: LogSettings) throws(UsageError) {
        advertised = settings.advertised.map { ($0.host, $0.port) }
        isInsecure = settings.isInsecure
        hasInternalListener = !settings.isOpenToThisMachine
        security.tls = settings.tls.map { tls in
            LogTLSConfiguration(
                certificate: tls.certificate, key: tls.key, clientAuthorities: tls.clientCA,
                clientCertificates: .init(rawValue: tls.clientCertificates.rawValue) ?? .required)
        }
        security.users = try users(settings)
        security.allow = settings.allow.map { $0.map(AllowRule.init) }
        limits.apply(settings.limits)
    }

    private func users(_ settings: LogSettings) throws(UsageError) -> [LogUser] {
        var users: [LogUser] = []
        for user in settings.users {
            if let password = user.password {
                users.append(LogUser(name: user.name, secret: .password(password)))
                continue
            }
            let credentials = user.verifiers.compactMap { ScramCredential(verifier: $0) }
            guard credentials.count == user.verifiers.count else {
                throw UsageError("log.users: \(UserFile.whatAVerifierIs); a hash of the user `\(user.name)` is none")
            }
            users.append(LogUser(name: user.name, secret: .credentials(credentials)))
        }
        guard let path = settings.usersFile else { return users }
        for user in try UserFile.read(path) {
            guard !users.contains(where: { $0.name == user.name }) else {
                throw UsageError("\(path): the user `\(user.name)` is there twice, or in `log.users` too")
            }
            users.append(user)
        }
        guard !users.isEmpty else { throw UsageError("\(path): there is no user in it, so that nobody could log in") }
        return users
    }
}

/// `log.users_file`: a user a line, the name and one or two hashes of the password, with spaces between. `#` begins a comment.
enum UserFile {
    static let whatAVerifierIs =
        "a hash has the form SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>, iterations \(ScramCredential.iterationRange.lowerBound) to \(ScramCredential.iterationRange.upperBound)"

    static func read(_ path: String) throws(UsageError) -> [LogUser] {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw UsageError("\(path): the file cannot be read: \(error.localizedDescription)")
        }
        var users: [LogUser] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            guard let name = words.first, !name.hasPrefix("#") else { continue }
            let credentials = words.dropFirst().compactMap { ScramCredential(verifier: $0) }
            guard LogUser.isName(name), !credentials.isEmpty, credentials.count == words.count - 1,
                Set(credentials.map(\.hash)).count == credentials.count
            else {
                throw UsageError("\(path):\(index + 1): expected a user's name and one or two hashes, made by `millrace log user`; \(whatAVerifierIs)")
            }
            users.append(LogUser(name: name, secret: .credentials(credentials)))
        }
        return users
    }
}

extension AllowRule {
    fileprivate init(_ settings: AllowSettings) {
        self.init(
            principals: settings.principals, operations: Set(settings.operations.compactMap { AclOperation(rawValue: $0) }),
            topics: settings.topics.map(NamePattern.init), groups: settings.groups.map(NamePattern.init),
            transactionalIDs: settings.transactionalIDs.map(NamePattern.init), cluster: settings.cluster)
    }
}

extension LogServerLimits {
    fileprivate mutating func apply(_ settings: LogLimitSettings) {
        func milliseconds(_ microseconds: Int64) -> Int { Int(microseconds / 1_000) }
        if let connections = settings.connections { self.connections = connections }
        if let perAddress = settings.connectionsPerAddress { connectionsPerAddress = perAddress }
        if let size = settings.requestSize { requestBytes = size }
        if let memory = settings.requestMemory { receivedBytes = memory }
        if let memory = settings.responseMemory { answerBytes = memory }
        if let time = settings.idleTimeout { idleMilliseconds = milliseconds(time) }
        if let time = settings.authenticationTimeout { authenticationMilliseconds = milliseconds(time) }
        if let time = settings.slowReaderTimeout { stalledMilliseconds = milliseconds(time) }
    }
}
