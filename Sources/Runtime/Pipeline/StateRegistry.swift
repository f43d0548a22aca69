import State

/// Which numbers the parts of a task's state have. Kept in the header of every delta, so that a changed job file is
/// compared with what is there instead of misreading it.
package struct StateRegistry: Sendable {
    /// One transform or sink that keeps state, in `namespacesEach` namespaces.
    package struct Component: Hashable, Sendable {
        package var name: String
        package var namespace: UInt16
        /// What stored state has to agree with.
        package var fingerprint: String
    }

    /// Stored state that the job does not have, or has otherwise.
    package struct Conflict: Hashable, Sendable, CustomStringConvertible {
        package var name: String
        package var was: String
        /// Nil: it is no longer in the job.
        package var now: String?

        package init(name: String, was: String, now: String?) {
            self.name = name
            self.was = was
            self.now = now
        }

        package var description: String {
            now.map { "`\(name)` was \(was) and is now \($0)" } ?? "`\(name)` was \(was) and is no longer in the job"
        }
    }

    static let namespacesEach: UInt16 = 8
    private static let prefix = "state."
    private static let dropPrefix = "dropped."
    private static let nextKey = "state_next"
    private static let savepointKey = "savepoint"

    package private(set) var components: [Component] = []
    package private(set) var stored: [String: Component] = [:]
    /// What was dropped at any time, by name: its numbers are never given out again, since older deltas and homes have them.
    package private(set) var dropped: [String: String] = [:]
    /// What this start drops; its entries are to be deleted in the next epoch.
    package private(set) var dropping: [Component] = []
    /// Nobody has had this number or a higher one.
    private var next = StateNamespace.firstOfTables
    /// The savepoint that the state came from, if it came from one.
    package var savepoint: SavepointName?

    package init() {}

    /// Takes up what the header of the task's last delta says.
    package init(extras: [String: String]) {
        for (key, value) in extras {
            if key.hasPrefix(Self.dropPrefix) { dropped[String(key.dropFirst(Self.dropPrefix.count))] = value }
            guard key.hasPrefix(Self.prefix) else { continue }
            let parts = value.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let namespace = UInt16(parts[0]) else { continue }
            let name = String(key.dropFirst(Self.prefix.count))
            stored[name] = Component(name: name, namespace: namespace, fingerprint: String(parts[1]))
        }
        savepoint = extras[Self.savepointKey].flatMap { SavepointName($0) }
        next = max(extras[Self.nextKey].flatMap { UInt16($0) } ?? next, Self.end(of: stored.values))
    }

    /// What every delta's header has to say.
    package var extras: [String: String] {
        var extras = Dictionary(uniqueKeysWithValues: components.map { (Self.prefix + $0.name, "\($0.namespace) \($0.fingerprint)") })
        for (name, fingerprint) in dropped { extras[Self.dropPrefix + name] = fingerprint }
        extras[Self.nextKey] = String(firstUnused)
        extras[Self.savepointKey] = savepoint?.description
        return extras
    }

    /// Above all numbers that are or were somebody's.
    package var firstUnused: UInt16 { max(next, Self.end(of: components)) }

    /// The first namespace of `name`: the stored one, else the next that nobody has had, the numbers given out in `besides` included.
    package func namespace(for name: String, besides: [UInt16]) -> UInt16 {
        stored[name]?.namespace ?? max(firstUnused, besides.max().map { $0 + Self.namespacesEach } ?? 0)
    }

    /// Registers a component under the namespace that `namespace(for:)` gave.
    package mutating func register(_ name: String, fingerprint: String, namespace: UInt16) {
        components.append(Component(name: name, namespace: namespace, fingerprint: fingerprint))
    }

    /// What the stored state has that the job does not, or has otherwise, by name; empty when they fit.
    package var conflicts: [Conflict] {
        stored.values.sorted { $0.name < $1.name }.compactMap { old in
            let new = components.first { $0.name == old.name }
            return new?.fingerprint == old.fingerprint ? nil : Conflict(name: old.name, was: old.fingerprint, now: new?.fingerprint)
        }
    }

    /// The registry to start with when the stored state of `names` is given up, before anything is registered.
    package func dropping(_ names: Set<String>) -> StateRegistry {
        var rest = self
        rest.components = []
        rest.dropping = stored.values.filter { names.contains($0.name) }.sorted { $0.name < $1.name }
        for component in rest.dropping {
            rest.stored[component.name] = nil
            rest.dropped[component.name] = component.fingerprint
        }
        return rest
    }

    /// The deletion of all that `dropping` has.
    package var deletions: ChangeSet {
        var changes = ChangeSet()
        let everything = UnsafeRawBufferPointer(start: nil, count: 0)
        for component in dropping {
            for offset in 0..<Self.namespacesEach { changes.deletePrefix(component.namespace + offset, prefix: everything) }
        }
        return changes
    }

    private static func end(of components: some Sequence<Component>) -> UInt16 {
        components.map { $0.namespace + namespacesEach }.max() ?? StateNamespace.firstOfTables
    }
}
