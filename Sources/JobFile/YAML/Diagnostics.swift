/// Collects what is wrong with one file.
final class Diagnostics {
    let file: String
    let source: SourceText
    private var found: [(position: SourceText.Position, message: String)] = []

    init(file: String, source: SourceText) {
        self.file = file
        self.source = source
    }

    var isEmpty: Bool { found.isEmpty }
    var count: Int { found.count }

    /// - Parameter index: Unicode scalars before the place.
    func report(_ index: Int, _ message: String) {
        found.append((source.position(of: index), message))
    }

    func report(_ node: YAMLNode, _ message: String) {
        report(node.start, message)
    }

    /// By position, none twice.
    var issues: [JobFileError.Issue] {
        var issues: [JobFileError.Issue] = []
        for (position, message) in found.enumerated().sorted(by: { ($0.element.position, $0.offset) < ($1.element.position, $1.offset) })
            .map(\.element)
        {
            let issue = JobFileError.Issue(file: file, line: position.line, column: position.column, message: message)
            if issues.last != issue { issues.append(issue) }
        }
        return issues
    }
}
