/// The `log` section of a daemon file to its settings.
struct LogReader {
    let diagnostics: Diagnostics

    private static let keys = [
        "listen", "advertised", "directory", "fsync", "default_partitions", "tls", "users", "users_file", "allow", "limits", "insecure",
    ]

    func read(_ node: YAMLNode, _ log: inout LogSettings) {
        guard
            let section = Section(
                node, "`log`", keys: Self.keys,
                foreign: [
                    "address": "listen", "path": "directory", "dir": "directory", "partitions": "default_partitions", "ssl": "tls", "sasl": "users",
                    "acl": "allow", "acls": "allow", "advertised_listeners": "advertised",
                ], diagnostics)
        else { return }
        if let address = section["advertised"].flatMap({ diagnostics.address($0) }) { log.advertised = address }
        if let directory = section["directory"].flatMap({ diagnostics.text($0, "a directory") }) { log.directory = directory }
        if let fsync = section["fsync"].flatMap({ fsync($0) }) { log.fsync = fsync }
        if let partitions = section["default_partitions"].flatMap({ diagnostics.integer($0, "`default_partitions`", 1...10_000) }) {
            log.defaultPartitions = partitions
        }
        if let node = section["tls"] { log.tls = tls(node) }
        if let node = section["users"] { log.users = users(node) }
        if let path = section["users_file"].flatMap({ diagnostics.text($0, "the path of a file of users") }) { log.usersFile = path }
        if let node = section["limits"] { limits(node, &log.limits) }
        if let isInsecure = section["insecure"].flatMap({ truth($0, "`insecure`") }) { log.isInsecure = isInsecure }
        if let node = section["allow"] {
            log.allow = allow(node)
            if section["users"] == nil, section["users_file"] == nil, log.tls?.clientCertificates ?? .notAsked == .notAsked {
                diagnostics.report(node, "`allow` goes by who asks, and nobody has to say so: add `users` or `tls.client_certificates`")
            }
        }
        if let node = section["listen"], let address = diagnostics.address(node) {
            log.listen = address
            check(address, node, section, log)
        }
    }

    /// Beyond this machine, clients have to prove who they are, and what is said has to be encrypted.
    private func check(_ address: ListenAddress, _ node: YAMLNode, _ section: Section, _ log: LogSettings) {
        if ["0.0.0.0", "::"].contains(address.host), section["advertised"] == nil {
            diagnostics.report(
                node, "clients cannot connect to \(address.host): add `advertised` with the host and port that they find this log at")
        }
        guard !address.isLoopback, !log.isInsecure else { return }
        let hasUsers = section["users"] != nil || section["users_file"] != nil
        var missing: [String] = []
        if section["tls"] == nil { missing.append("`tls`") }
        if !hasUsers, log.tls?.clientCertificates != .required { missing.append("`users` (or `tls.client_certificates: required`)") }
        guard !missing.isEmpty else { return }
        diagnostics.report(
            node,
            "others than this machine can reach \(address.host): add \(missing.joined(separator: " and ")), or `insecure: true` if something else keeps them out"
        )
    }

    private func fsync(_ node: YAMLNode) -> LogSettings.Fsync? {
        guard let scalar = diagnostics.scalar(node, "`fsync`: commit, never or a duration such as 100ms") else { return nil }
        if scalar.text.first?.isNumber == true {
            return diagnostics.duration(node, "`fsync`", 1_000...60_000_000).map { .every($0) }
        }
        return diagnostics.choice(node, "`fsync`", [("commit", .commit), ("never", .never), ("a duration such as 100ms", .commit)])
    }

    private func truth(_ node: YAMLNode, _ what: String) -> Bool? {
        diagnostics.choice(node, what, [("true", true), ("false", false)])
    }

    private func tls(_ node: YAMLNode) -> LogTLSSettings? {
        guard
            let section = Section(
                node, "`tls`", keys: ["certificate", "key", "client_ca", "client_certificates"],
                foreign: ["cert": "certificate", "ca": "client_ca", "client_auth": "client_certificates"], diagnostics)
        else { return nil }
        let certificate = section.required("certificate").flatMap { diagnostics.text($0, "the path of a PEM file") }
        let key = section.required("key").flatMap { diagnostics.text($0, "the path of a PEM file") }
        let clientCA = section["client_ca"].flatMap { diagnostics.text($0, "the path of a PEM file") }
        let wanted = section["client_certificates"].flatMap {
            diagnostics.choice($0, "`client_certificates`", LogTLSSettings.ClientCertificates.self)
        }
        if let wanted, wanted != .notAsked, section["client_ca"] == nil, let node = section["client_certificates"] {
            diagnostics.report(node, "clients' certificates are checked with the authority that issued them: add `client_ca`")
        }
        if section["client_ca"] != nil, section["client_certificates"] == nil || wanted == .notAsked, let entry = section.entry("client_ca") {
            diagnostics.report(entry.keyStart, "`client_ca` does nothing without `client_certificates: wanted` or `required`")
        }
        guard let certificate, let key else { return nil }
        var tls = LogTLSSettings(certificate: certificate, key: key)
        tls.clientCA = clientCA
        tls.clientCertificates = wanted ?? .notAsked
        return tls
    }

    private func users(_ node: YAMLNode) -> [LogUserSettings] {
        guard case .sequence(let elements) = node.content, !elements.isEmpty else {
            diagnostics.report(node, "expected `users` as a list such as [{name: alice, password: \"${ALICE_PASSWORD}\"}], found \(diagnostics.found(node))")
            return []
        }
        var users: [LogUserSettings] = []
        for element in elements {
            guard let (user, nameNode) = user(element) else { continue }
            if users.contains(where: { $0.name == user.name }) { diagnostics.report(nameNode, "the user `\(user.name)` is there twice") }
            users.append(user)
        }
        return users
    }

    private func user(_ node: YAMLNode) -> (LogUserSettings, YAMLNode)? {
        guard
            let section = Section(
                node, "a user", keys: ["name", "password", "scram_sha_256", "scram_sha_512"], foreign: ["user": "name", "username": "name"],
                diagnostics), let nameNode = section.required("name"), let name = diagnostics.text(nameNode, "the name of a user")
        else { return nil }
        if !Self.isVisible(name, 0x21, 128) {
            diagnostics.report(nameNode, "a user's name has 1 to 128 visible ASCII characters without spaces")
        }
        // What is wrong with a secret is said without the secret.
        let password = section["password"].flatMap { diagnostics.text($0, "a password") }
        if let password, let node = section["password"], !Self.isVisible(password, 0x20, 1_024) {
            diagnostics.report(node, "a password has 1 to 1024 printable ASCII characters")
        }
        var verifiers: [String] = []
        for (key, mechanism) in [("scram_sha_256", "SCRAM-SHA-256"), ("scram_sha_512", "SCRAM-SHA-512")] {
            guard let node = section[key], let verifier = diagnostics.text(node, "`\(key)`") else { continue }
            let parts = verifier.split(separator: "$", omittingEmptySubsequences: false)
            if parts.count != 3 || parts[0] != mechanism {
                diagnostics.report(
                    node, "expected `\(key)` as \(mechanism)$<iterations>:<salt>$<stored key>:<server key>: `millrace log user` makes one")
            }
            verifiers.append(verifier)
        }
        if section["password"] == nil, section["scram_sha_256"] == nil, section["scram_sha_512"] == nil {
            diagnostics.report(node, "the user has neither `password` nor `scram_sha_256` or `scram_sha_512`")
        } else if section["password"] != nil, !verifiers.isEmpty {
            diagnostics.report(node, "the user has a `password` and hashes of one: keep either")
        }
        return (LogUserSettings(name: name, password: password, verifiers: verifiers), nameNode)
    }

    private static func isVisible(_ text: String, _ least: UInt8, _ lengthMax: Int) -> Bool {
        (1...lengthMax).contains(text.utf8.count) && text.utf8.allSatisfy { (least...0x7E).contains($0) }
    }

    private func allow(_ node: YAMLNode) -> [AllowSettings] {
        guard case .sequence(let elements) = node.content else {
            diagnostics.report(
                node, "expected `allow` as a list such as [{principal: alice, operations: [read], topic: \"clicks*\"}], found \(diagnostics.found(node))")
            return []
        }
        return elements.compactMap { allowed($0) }
    }

    private func allowed(_ node: YAMLNode) -> AllowSettings? {
        guard
            let section = Section(
                node, "an entry of `allow`", keys: ["principal", "operations", "topic", "group", "transactional_id", "cluster"],
                foreign: ["user": "principal", "operation": "operations", "topics": "topic", "groups": "group"], diagnostics)
        else { return nil }
        let principals = section.required("principal").flatMap { diagnostics.texts($0, "a user's name, a certificate's subject or `*`") }
        let operations = section.required("operations").flatMap { operationSet($0) }
        func names(_ key: String) -> [String] {
            guard let found = section[key].flatMap({ diagnostics.texts($0, "`\(key)`: a name, or its beginning and `*`") }) else { return [] }
            for (text, node) in found where text.dropLast().contains("*") {
                diagnostics.report(node, "a `*` stands at the end of a name, as in `clicks*`, or alone")
            }
            return found.map(\.text)
        }
        let topics = names("topic"), groups = names("group"), transactionalIDs = names("transactional_id")
        let cluster = section["cluster"].flatMap { truth($0, "`cluster`") } ?? false
        if !["topic", "group", "transactional_id", "cluster"].contains(where: { section[$0] != nil }) {
            diagnostics.report(node, "the entry allows nothing: it has no `topic`, `group`, `transactional_id` or `cluster`")
        }
        guard let principals, let operations else { return nil }
        var allowed = AllowSettings(principals: principals.map(\.text), operations: operations)
        allowed.topics = topics
        allowed.groups = groups
        allowed.transactionalIDs = transactionalIDs
        allowed.cluster = cluster
        return allowed
    }

    private func operationSet(_ node: YAMLNode) -> Set<String>? {
        let all = "all"
        guard let words = diagnostics.texts(node, "operations: \(AllowSettings.operations.joined(separator: ", ")) or all") else { return nil }
        let known = (AllowSettings.operations + [all]).map { ($0, $0) }
        let chosen = words.compactMap { diagnostics.choice($0.node, "an operation", known) }
        guard chosen.count == words.count else { return nil }
        return chosen.contains(all) ? Set(AllowSettings.operations) : Set(chosen)
    }

    private func limits(_ node: YAMLNode, _ limits: inout LogLimitSettings) {
        guard
            let section = Section(
                node, "`limits`",
                keys: [
                    "connections", "connections_per_address", "request_size", "request_memory", "response_memory", "idle_timeout",
                    "authentication_timeout", "slow_reader_timeout",
                ], diagnostics)
        else { return }
        func count(_ key: String) -> Int? { section[key].flatMap { diagnostics.integer($0, "`\(key)`", 1...1_000_000) } }
        func size(_ key: String, min: Int) -> Int? { section[key].flatMap { diagnostics.size($0, "`\(key)`", min: min) } }
        func time(_ key: String) -> Int64? { section[key].flatMap { diagnostics.duration($0, "`\(key)`", 100_000...86_400_000_000) } }
        limits.connections = count("connections")
        limits.connectionsPerAddress = count("connections_per_address")
        limits.requestSize = size("request_size", min: 64 << 10)
        limits.requestMemory = size("request_memory", min: 16 << 20)
        limits.responseMemory = size("response_memory", min: 16 << 20)
        limits.idleTimeout = time("idle_timeout")
        limits.authenticationTimeout = time("authentication_timeout")
        limits.slowReaderTimeout = time("slow_reader_timeout")
    }
}
