extension JobPlan {
    /// Reads and checks a job file.
    /// - Parameters:
    ///   - environment: what `${NAME}` reads.
    ///   - reservedProperties: properties of librdkafka that a file may not set, and why not.
    /// - Throws: everything that is wrong with the file, or that it cannot be read.
    package static func load(
        _ path: String, environment: [String: String], reservedProperties: [String: String] = [:]
    ) throws(JobFileError) -> JobPlan {
        try parse(contents(of: path), file: path, environment: environment, reservedProperties: reservedProperties)
    }

    /// - Parameter file: the name for messages.
    package static func parse(
        _ bytes: [UInt8], file: String, environment: [String: String], reservedProperties: [String: String] = [:]
    ) throws(JobFileError) -> JobPlan {
        try parseFile(bytes, file: file, environment: environment) { root, diagnostics in
            JobFileReader.read(root, reservedProperties: reservedProperties, diagnostics)
        }
    }

    package static func parse(
        _ text: String, file: String, environment: [String: String], reservedProperties: [String: String] = [:]
    ) throws(JobFileError) -> JobPlan {
        try parse(Array(text.utf8), file: file, environment: environment, reservedProperties: reservedProperties)
    }
}

extension DaemonFile {
    /// Reads and checks a daemon file.
    /// - Parameters:
    ///   - environment: what `${NAME}` reads.
    ///   - mayBeMissing: then `withoutFile` stands in for a file that is not there.
    /// - Throws: everything that is wrong with the file, or that it cannot be read.
    package static func load(
        _ path: String, environment: [String: String], mayBeMissing: Bool = false
    ) throws(JobFileError) -> DaemonFile {
        let bytes: [UInt8]
        do {
            bytes = try FileContents.read(path)
        } catch {
            if error.isMissing, mayBeMissing { return .withoutFile }
            throw cannotRead(path, error)
        }
        return try parse(bytes, file: path, environment: environment)
    }

    /// - Parameter file: the name for messages.
    package static func parse(_ bytes: [UInt8], file: String, environment: [String: String]) throws(JobFileError) -> DaemonFile {
        try parseFile(bytes, file: file, environment: environment) { root, diagnostics in DaemonFileReader.read(root, diagnostics) }
    }

    package static func parse(_ text: String, file: String, environment: [String: String]) throws(JobFileError) -> DaemonFile {
        try parse(Array(text.utf8), file: file, environment: environment)
    }
}

private func contents(of path: String) throws(JobFileError) -> [UInt8] {
    do {
        return try FileContents.read(path)
    } catch {
        throw cannotRead(path, error)
    }
}

private func cannotRead(_ path: String, _ problem: FileContents.Problem) -> JobFileError {
    JobFileError(issues: [.init(file: path, line: 1, column: 1, message: "the file cannot be read: \(problem.reason)")])
}

private func parseFile<Plan>(
    _ bytes: [UInt8], file: String, environment: [String: String], _ read: (YAMLNode, Diagnostics) -> Plan?
) throws(JobFileError) -> Plan {
    guard var text = String(validating: bytes, as: UTF8.self) else {
        // What comes before the first bad byte is the longest part that is still right.
        let repaired = Array(String(decoding: bytes, as: UTF8.self).utf8)
        let same = zip(bytes, repaired).prefix { $0 == $1 }.count
        let source = SourceText(String(decoding: bytes.prefix(same), as: UTF8.self))
        let position = source.position(of: source.scalars.count)
        throw JobFileError(issues: [.init(file: file, line: position.line, column: position.column, message: "the file is not UTF-8 here")])
    }
    if text.unicodeScalars.first == "\u{FEFF}" { text.unicodeScalars.removeFirst() }
    let diagnostics = Diagnostics(file: file, source: SourceText(text))
    var plan: Plan?
    if let root = YAMLReader.read(text, Environment(variables: environment), diagnostics) {
        plan = read(root, diagnostics)
    }
    guard diagnostics.isEmpty, let plan else { throw JobFileError(issues: diagnostics.issues) }
    return plan
}
