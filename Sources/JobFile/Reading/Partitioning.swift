/// Which rows of a stage are known to be in one partition.
enum Partitioning {
    /// One column of a key, and those that hold its value unchanged: none once a `select` has dropped it.
    struct KeyPart {
        let name: String
        var columns: Set<String>
    }

    /// Those that agree in all parts of the key; all rows where it has no parts. `owner` is whoever put them there, for messages.
    case byKey([KeyPart], owner: String)
    /// Not even those of one key; `owner` has spread them.
    case spread(owner: String)

    /// Nothing is held against a stage whose key is not known because of an error, and a topic without key has one partition.
    static let together = Partitioning.byKey([], owner: "")

    static func by(_ columns: [String], owner: String) -> Partitioning {
        .byKey(columns.map { KeyPart(name: $0, columns: [$0]) }, owner: owner)
    }

    /// - Parameter names: under which names a column goes on, if it does.
    func renamed(_ names: (String) -> Set<String>) -> Partitioning {
        guard case .byKey(let parts, let owner) = self else { return self }
        let renamed = parts.map { part in
            KeyPart(name: part.name, columns: part.columns.reduce(into: []) { $0.formUnion(names($1)) })
        }
        return .byKey(renamed, owner: owner)
    }

    /// Why rows that agree in `columns` may lie in several partitions, as a clause; nil: they do not.
    func reasonForShuffle(by columns: Set<String>) -> String? {
        switch self {
        case .spread(let owner): return "\(owner) has a `salt` and spreads the rows of a group"
        case .byKey(let parts, let owner):
            guard let part = parts.first(where: { $0.columns.isDisjoint(with: columns) }) else { return nil }
            if part.columns.isEmpty { return "a `select` dropped or changed `\(part.name)`, by which \(owner) is partitioned" }
            let names = part.columns.sorted().map { "`\($0)`" }.joined(separator: " or ")
            return "`group_by` does not contain \(names), by which \(owner) is partitioned"
        }
    }
}
