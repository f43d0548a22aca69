import Expression

/// Who reads whom: transforms in an order in which inputs come first.
struct StageGraph {
    struct Node {
        let name: String
        let nameStart: Int
        let section: Section?
        /// The `from` and its place; nil when it is missing or no name, which has been reported.
        let from: (name: String, node: YAMLNode)?
    }

    /// Positions of `nodes` in topological order; those on a cycle, or behind one, are left out and reported once a cycle.
    /// A `from` that is the name of a source means the source.
    static func order(_ nodes: [Node], sources: Set<String>, _ diagnostics: Diagnostics) -> (order: [Int], hasCycle: Bool) {
        let positions = Dictionary(nodes.enumerated().map { ($0.element.name, $0.offset) }) { first, _ in first }
        enum State { case new, open, done, broken }
        var states = [State](repeating: .new, count: nodes.count)
        var order: [Int] = []
        var hasCycle = false
        for start in nodes.indices where states[start] == .new {
            // Each has one input, so the way back is a list and needs no recursion.
            var path: [Int] = []
            var next: Int? = start
            while let node = next, states[node] == .new {
                states[node] = .open
                path.append(node)
                next = nodes[node].from.flatMap { sources.contains($0.name) ? nil : positions[$0.name] }
            }
            if let node = next, states[node] == .open, let first = path.firstIndex(of: node) {
                report(path[first...].map { nodes[$0] }, diagnostics)
                hasCycle = true
                for node in path { states[node] = .broken }
            } else if let node = next, states[node] == .broken {
                for node in path { states[node] = .broken }
            } else {
                for node in path.reversed() {
                    states[node] = .done
                    order.append(node)
                }
            }
        }
        return (order, hasCycle)
    }

    private static func report(_ cycle: [Node], _ diagnostics: Diagnostics) {
        // A node reads the next one: records flow the other way. The message begins with the one that stands first in the file.
        let flow = Array(cycle.reversed())
        guard let first = flow.indices.min(by: { (flow[$0].from?.node.start ?? 0) < (flow[$1].from?.node.start ?? 0) }) else { return }
        let names = (flow[first...] + flow[..<first] + [flow[first]]).map(\.name)
        diagnostics.report(flow[first].from?.node.start ?? 0, "the transforms run in a circle: \(names.joined(separator: " -> "))")
    }
}
