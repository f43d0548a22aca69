/// A daemon file's tree to its settings.
struct DaemonFileReader {
    private let diagnostics: Diagnostics

    static func read(_ root: YAMLNode, _ diagnostics: Diagnostics) -> DaemonFile? {
        let reader = DaemonFileReader(diagnostics: diagnostics)
        return reader.daemon(root)
    }

    private static let keys = ["http", "log", "state", "checkpoint", "jobs", "workers"]

    private func daemon(_ root: YAMLNode) -> DaemonFile? {
        var file = DaemonFile()
        guard
            let section = Section(
                root, "a daemon file", keys: Self.keys,
                foreign: ["job": "jobs", "checkpoints": "checkpoint", "threads": "workers", "kafka": "log"], diagnostics)
        else { return nil }
        if let node = section["http"] { http(node, &file.http) }
        if let node = section["log"] {
            var log = LogSettings()
            LogReader(diagnostics: diagnostics).read(node, &log)
            file.log = log
        }
        if let node = section["state"] { state(node, &file.state) }
        if let node = section["checkpoint"] { checkpoint(node, &file.checkpoint) }
        if let node = section["jobs"] { file.jobs = jobs(node) }
        if let node = section["workers"] { file.workers = diagnostics.integer(node, "`workers`", 1...1_024) }
        if let log = file.log, log.listen.port == file.http.listen.port, log.listen.port != 0, log.listen.host == file.http.listen.host,
            let node = section["log"]
        {
            diagnostics.report(node, "`http` and `log` both listen on \(log.listen)")
        }
        return diagnostics.isEmpty ? file : nil
    }

    private func http(_ node: YAMLNode, _ http: inout HTTPSettings) {
        guard
            let section = Section(
                node, "`http`", keys: ["listen", "tls", "token", "insecure"], foreign: ["address": "listen", "port": "listen", "auth": "token"],
                diagnostics)
        else { return }
        if let node = section["token"] { http.token = token(node) }
        let isInsecure = section["insecure"].flatMap { diagnostics.scalar($0, "`insecure`") }.map { $0.text == "true" } ?? false
        if let node = section["listen"], let address = diagnostics.address(node) {
            http.listen = address
            if !address.isLoopback, section["token"] == nil, !isInsecure {
                diagnostics.report(
                    node,
                    "others than this machine can reach \(address.host): add a `token`, or `insecure: true` if something else keeps them out")
            }
        }
        guard let node = section["tls"],
            let tls = Section(
                node, "`tls`", keys: ["certificate", "key"], foreign: ["cert": "certificate"], diagnostics)
        else { return }
        let certificate = tls.required("certificate").flatMap { diagnostics.text($0, "the path of a PEM file") }
        let key = tls.required("key").flatMap { diagnostics.text($0, "the path of a PEM file") }
        if let certificate, let key { http.tls = TLSSettings(certificate: certificate, key: key) }
    }

    private func token(_ node: YAMLNode) -> String? {
        guard let scalar = diagnostics.scalar(node, "`token`") else { return nil }
        guard (16...1_024).contains(scalar.text.utf8.count), scalar.text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            diagnostics.report(node, "`token` has to be 16 to 1024 visible ASCII characters without spaces")
            return nil
        }
        return scalar.text
    }

    private func state(_ node: YAMLNode, _ state: inout StateSettings) {
        guard
            let section = Section(
                node, "`state`", keys: ["directory", "memory"], foreign: ["path": "directory", "dir": "directory"], diagnostics)
        else { return }
        if let directory = section["directory"].flatMap({ diagnostics.text($0, "a directory") }) { state.directory = directory }
        if let memory = section["memory"].flatMap({ diagnostics.size($0, "`memory`", min: 16 << 20) }) { state.memory = memory }
    }

    private func checkpoint(_ node: YAMLNode, _ checkpoint: inout CheckpointSettings) {
        guard
            let section = Section(
                node, "`checkpoint`", keys: ["interval", "storage", "s3"],
                foreign: ["every": "interval", "directory": "storage", "path": "storage"], diagnostics)
        else { return }
        if let interval = section["interval"].flatMap({ diagnostics.duration($0, "`interval`", 10_000...3_600_000_000) }) {
            checkpoint.interval = interval
        }
        if let storage = section["storage"].flatMap({ storage($0) }) { checkpoint.storage = storage }
        guard let node = section["s3"] else { return }
        if case .directory = checkpoint.storage {
            diagnostics.report(node, "`s3` says how to reach a bucket, and `storage` is a directory: set `storage: s3://bucket/prefix`, or leave `s3` out")
        }
        s3(node, &checkpoint.s3)
    }

    private func s3(_ node: YAMLNode, _ s3: inout CheckpointSettings.S3) {
        guard
            let section = Section(
                node, "`s3`", keys: ["endpoint", "region", "path_style"], foreign: ["url": "endpoint", "endpoint_url": "endpoint"], diagnostics)
        else { return }
        if let node = section["endpoint"], let endpoint = diagnostics.text(node, "`endpoint`, such as https://minio.example.com:9000") {
            let host = ["https://", "http://"].first { endpoint.hasPrefix($0) }.map { endpoint.dropFirst($0.count) }
            if let host, !host.isEmpty, host.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), !host.contains(where: { "/?#@".contains($0) }) {
                s3.endpoint = endpoint
            } else {
                diagnostics.report(node, "expected http:// or https:// with a host and perhaps a port and nothing behind, found \(endpoint)")
            }
        }
        if let node = section["region"], let region = diagnostics.text(node, "`region`, such as eu-central-1") {
            if !region.isEmpty, region.utf8.allSatisfy({ $0 == UInt8(ascii: "-") || ($0 < 0x80 && (Character(Unicode.Scalar($0)).isLetter || Character(Unicode.Scalar($0)).isNumber)) }) {
                s3.region = region
            } else {
                diagnostics.report(node, "a region has letters, digits and dashes, such as eu-central-1; found \(region)")
            }
        }
        s3.usesPathStyle = section["path_style"].flatMap { diagnostics.choice($0, "`path_style`", [("true", true), ("false", false)]) }
    }

    private func storage(_ node: YAMLNode) -> CheckpointSettings.Storage? {
        guard let scalar = diagnostics.scalar(node, "a directory or s3://bucket/prefix") else { return nil }
        guard let scheme = scalar.text.firstRange(of: "://") else { return .directory(scalar.text) }
        let parts = scalar.text[scheme.upperBound...].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard scalar.text[..<scheme.lowerBound] == "s3", let bucket = parts.first, !bucket.isEmpty else {
            diagnostics.report(node, "expected a directory or s3://bucket/prefix, found \(scalar.shown)")
            return nil
        }
        let prefix = (parts.count > 1 ? parts[1] : "").split(separator: "/").joined(separator: "/")
        return .s3(bucket: bucket, prefix: prefix)
    }

    private func jobs(_ node: YAMLNode) -> [String] {
        if case .sequence(let elements) = node.content, elements.isEmpty { return [] }
        guard let paths = diagnostics.texts(node, "the path of a job file") else { return [] }
        var jobs: [String] = []
        for (path, node) in paths {
            if jobs.contains(path) { diagnostics.report(node, "`\(path)` is named twice") }
            jobs.append(path)
        }
        return jobs
    }
}
