// Names that end up in topics, files, metrics and expressions.
extension Diagnostics {
    /// Kafka's rule for topics: 1 to 249 of `A-Z a-z 0-9 . _ -`, not `.` or `..`.
    func topic(_ node: YAMLNode) -> String? {
        guard let scalar = scalar(node, "the name of a topic") else { return nil }
        guard Self.isTopicName(scalar.text, lengthMax: 249) else {
            report(node, "\(scalar.shown) cannot be a topic: 1 to 249 of A-Z a-z 0-9 . _ -")
            return nil
        }
        return scalar.text
    }

    func jobName(_ node: YAMLNode) -> String? {
        guard let scalar = scalar(node, "the name of the job") else { return nil }
        guard Self.isTopicName(scalar.text, lengthMax: 100) else {
            report(
                node,
                "\(scalar.shown) cannot be a job's name: 1 to 100 of A-Z a-z 0-9 . _ -, since it names a consumer group, topics and files")
            return nil
        }
        guard !scalar.text.hasSuffix(".savepoints") else {
            report(node, "\(scalar.shown) cannot be a job's name: the checkpoint storage has the savepoints of a job under its name and `.savepoints`")
            return nil
        }
        return scalar.text
    }

    private static func isTopicName(_ name: String, lengthMax: Int) -> Bool {
        name != "." && name != ".." && (1...lengthMax).contains(name.utf8.count)
            && name.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte & 0xDF) || byte == UInt8(ascii: "_")
    }

    /// Of a source, transform or sink.
    func isStageName(_ entry: YAMLEntry, _ what: String) -> Bool {
        let name = entry.key
        let isFine =
            (1...100).contains(name.utf8.count) && name.utf8.allSatisfy { Self.isWord($0) || $0 == UInt8(ascii: "-") }
            && !name.hasPrefix("-")
        if !isFine { report(entry.keyStart, "`\(name)` cannot name a \(what): 1 to 100 of A-Z a-z 0-9 _ -") }
        return isFine
    }

    /// Of a column: what an expression takes for a name.
    func isColumnName(_ entry: YAMLEntry, _ hint: String = "") -> Bool {
        let name = entry.key
        let isFine = (1...128).contains(name.utf8.count) && name.utf8.allSatisfy(Self.isWord) && name.first?.isNumber == false
        if !isFine { report(entry.keyStart, "`\(name)` cannot name a column: letters, digits and _, no digit first\(hint)") }
        return isFine
    }

    /// `host:port` or `[::1]:port`.
    func address(_ node: YAMLNode) -> ListenAddress? {
        let expected = "an address such as 127.0.0.1:8080"
        guard let scalar = scalar(node, expected) else { return nil }
        let parts = scalar.text.split(separator: ":", omittingEmptySubsequences: false)
        var host = parts.dropLast().joined(separator: ":")
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            host = ""
        }
        guard parts.count > 1, !host.isEmpty, !host.contains(where: \.isWhitespace), let port = parts.last.flatMap({ UInt16($0) }) else {
            report(node, "expected \(expected), found \(scalar.shown)")
            return nil
        }
        return ListenAddress(host: host, port: port)
    }
}
