/// What a principal may be allowed to do, in Kafka's words.
package enum AclOperation: String, CaseIterable, Hashable, Sendable {
    case read, write, create, delete, alter, describe
    case describeConfigs = "describe_configs"
    case alterConfigs = "alter_configs"
}

/// A name, or the beginning of names.
package enum NamePattern: Hashable, Sendable {
    case exactly(String)
    /// The empty prefix stands for all names.
    case prefix(String)

    /// `*` at the end makes it a prefix.
    package init(_ text: String) {
        self = text.hasSuffix("*") ? .prefix(String(text.dropLast())) : .exactly(text)
    }

    package func matches(_ name: String) -> Bool {
        switch self {
        case .exactly(let text): text == name
        case .prefix(let text): name.hasPrefix(text)
        }
    }
}

/// What is asked for.
package enum AclResource: Hashable, Sendable {
    case topic(String)
    case group(String)
    case transactionalID(String)
    case cluster
}

/// A line of the allow list: each of the principals may do each of the operations to all that the patterns name.
package struct AllowRule: Hashable, Sendable {
    /// A user's name, or a certificate's subject; `*` stands for everybody, logged in or not.
    package var principals: [String]
    package var operations: Set<AclOperation>
    package var topics: [NamePattern]
    package var groups: [NamePattern]
    package var transactionalIDs: [NamePattern]
    package var cluster: Bool

    package init(
        principals: [String], operations: Set<AclOperation>, topics: [NamePattern] = [], groups: [NamePattern] = [],
        transactionalIDs: [NamePattern] = [], cluster: Bool = false
    ) {
        self.principals = principals
        self.operations = operations
        self.topics = topics
        self.groups = groups
        self.transactionalIDs = transactionalIDs
        self.cluster = cluster
    }
}

/// The allow list: what no rule allows is denied. To read, write, delete or alter something implies to describe it, and to alter
/// its configuration implies to describe that, as in Kafka.
package struct Authorizer: Sendable {
    private let rulesOfAll: [AllowRule]
    private let rulesOfOne: [String: [AllowRule]]

    package init(_ rules: [AllowRule]) {
        let complete = rules.map { rule in
            var rule = rule
            if !rule.operations.isDisjoint(with: [.read, .write, .delete, .alter]) { rule.operations.insert(.describe) }
            if rule.operations.contains(.alterConfigs) { rule.operations.insert(.describeConfigs) }
            return rule
        }
        rulesOfAll = complete.filter { $0.principals.contains("*") }
        var rulesOfOne: [String: [AllowRule]] = [:]
        for rule in complete {
            for principal in Set(rule.principals) where principal != "*" { rulesOfOne[principal, default: []].append(rule) }
        }
        self.rulesOfOne = rulesOfOne
    }

    package func allows(_ principal: String, _ operation: AclOperation, _ resource: AclResource) -> Bool {
        func allows(_ rule: AllowRule) -> Bool {
            guard rule.operations.contains(operation) else { return false }
            return switch resource {
            case .topic(let name): rule.topics.contains { $0.matches(name) }
            case .group(let name): rule.groups.contains { $0.matches(name) }
            case .transactionalID(let name): rule.transactionalIDs.contains { $0.matches(name) }
            case .cluster: rule.cluster
            }
        }
        return rulesOfAll.contains(where: allows) || rulesOfOne[principal]?.contains(where: allows) ?? false
    }

    /// Whether `principal` may write to some topic: an idempotent producer asks for its id before it says to which (KIP-679).
    package func allowsWritingSomewhere(_ principal: String) -> Bool {
        func allows(_ rule: AllowRule) -> Bool { rule.operations.contains(.write) && (!rule.topics.isEmpty || rule.cluster) }
        return rulesOfAll.contains(where: allows) || rulesOfOne[principal]?.contains(where: allows) ?? false
    }
}
