import State

/// Which numbers the parts of a task's state have. Kept in the header of every delta, so that a changed job file is
/// compared with what is there instead of misreading it.
struct StateRegistry: Sendable {
    /// One transform or sink that keeps state, in `namespacesEach` namespaces.
    struct Component: Hashable, Sendable {
        var name: String
        var namespace: UInt16
        /// What stored state has to agree with.
        var fingerprint: String
    }

    static let namespacesEach: UInt16 = 8
    private static let prefix = "state."

    private(set) var components: [Component] = []
    private var stored: [String: Component] = [:]

    init() {}

    /// Takes up what the header of the task's last delta says.
    init(extras: [String: String]) {
        for (key, value) in extras where key.hasPrefix(Self.prefix) {
            let parts = value.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let namespace = UInt16(parts[0]) else { continue }
            let name = String(key.dropFirst(Self.prefix.count))
            stored[name] = Component(name: name, namespace: namespace, fingerprint: String(parts[1]))
        }
    }

    /// What every delta's header has to say.
    var extras: [String: String] {
        Dictionary(uniqueKeysWithValues: components.map { (Self.prefix + $0.name, "\($0.namespace) \($0.fingerprint)") })
    }

    /// The first namespace of `name`: the stored one, else the next that nobody has, the numbers given out in `besides` included.
    func namespace(for name: String, besides: [UInt16]) -> UInt16 {
        if let known = stored[name] { return known.namespace }
        let taken = stored.values.map(\.namespace) + components.map(\.namespace) + besides
        return taken.max().map { $0 + Self.namespacesEach } ?? StateNamespace.firstOfTables
    }

    /// Registers a component under the namespace that `namespace(for:)` gave.
    mutating func register(_ name: String, fingerprint: String, namespace: UInt16) {
        components.append(Component(name: name, namespace: namespace, fingerprint: fingerprint))
    }

    /// What the stored state has that the job does not, or has otherwise; empty when they fit.
    var conflicts: [String] {
        stored.values.sorted { $0.name < $1.name }.compactMap { old in
            guard let new = components.first(where: { $0.name == old.name }) else {
                return "`\(old.name)` keeps state and is no longer in the job"
            }
            return new.fingerprint == old.fingerprint ? nil : "`\(old.name)` was \(old.fingerprint) and is now \(new.fingerprint)"
        }
    }
}
