/// The paths of the wanted fields, compiled for a walk over a record: one node a key.
///
/// Nodes are numbered depth first, so what lies below a node is the range `node + 1 ..< subtreeEnd`. Node 0 is the record.
/// Children are found by a hash table of their own for each node; a key of at most eight bytes is decided by one comparison.
struct FieldTree {
    struct Node {
        var parent: Int32
        var subtreeEnd: Int32 = 0
        /// Where the node's table begins in `entries`.
        var tableStart: Int32 = 0
        /// Table size - 1, a power of two less one; -1 where there are no children.
        var tableMask: Int32 = -1
    }

    struct Entry {
        var prefix: UInt64 = 0
        var length: UInt32 = 0
        /// 0 marks a free entry: the record is nobody's child.
        var node: Int32 = 0
        /// Where the key lies in `keyBytes`.
        var keyStart: UInt32 = 0
    }

    private(set) var nodes: [Node] = []
    /// The key of every node; the record's is empty.
    private(set) var keys: [String] = [""]
    /// The tables of all nodes. Never empty, like `keyBytes`, so that both have an address.
    private(set) var entries = [Entry()]
    private(set) var keyBytes: [UInt8] = [0]
    private(set) var keyLengthMax = 0

    /// For each path, in order, its node.
    private(set) var leaves: [Int] = []

    init(paths: [[String]]) {
        var root = Branch()
        for path in paths { root.insert(path[...]) }
        nodes.append(Node(parent: 0))
        number(root, at: 0)
        leaves = paths.map { $0.reduce(0) { child(of: $0, $1) } }
    }

    private func child(of parent: Int, _ key: String) -> Int {
        nodes.indices.first { $0 > 0 && Int(nodes[$0].parent) == parent && keys[$0].utf8.elementsEqual(key.utf8) } ?? 0
    }

    /// The path of a node, for people.
    func path(of node: Int) -> String {
        let parent = Int(nodes[node].parent)
        return parent == 0 ? keys[node] : path(of: parent) + "." + keys[node]
    }

    /// A tree of the paths before it is numbered; children in the order in which they were first named.
    private struct Branch {
        var children: [(key: String, branch: Branch)] = []

        mutating func insert(_ path: ArraySlice<String>) {
            guard let key = path.first else { return }
            // Keys are compared as UTF-8, as they are in the records, not by Unicode's canonical equivalence.
            let known = children.firstIndex { $0.key.utf8.elementsEqual(key.utf8) }
            if known == nil { children.append((key, Branch())) }
            children[known ?? children.count - 1].branch.insert(path.dropFirst())
        }
    }

    private mutating func number(_ branch: Branch, at node: Int) {
        var numbered: [(key: String, node: Int)] = []
        for (key, child) in branch.children {
            numbered.append((key, nodes.count))
            nodes.append(Node(parent: Int32(node)))
            keys.append(key)
            number(child, at: nodes.count - 1)
        }
        nodes[node].subtreeEnd = Int32(nodes.count)
        guard !numbered.isEmpty else { return }
        var size = 2
        while size < 2 * numbered.count { size *= 2 }
        nodes[node].tableStart = Int32(entries.count)
        nodes[node].tableMask = Int32(size - 1)
        entries.append(contentsOf: repeatElement(Entry(), count: size))
        for (key, child) in numbered { enter(key, child, in: nodes[node]) }
    }

    private mutating func enter(_ key: String, _ child: Int, in parent: Node) {
        let utf8 = Array(key.utf8)
        let prefix = utf8.withUnsafeBufferPointer { Self.prefix($0.baseAddress, 0, $0.count, end: $0.count) }
        var position = Self.position(prefix, utf8.count, parent.tableMask)
        while entries[Int(parent.tableStart + position)].node != 0 { position = (position + 1) & parent.tableMask }
        entries[Int(parent.tableStart + position)] = Entry(
            prefix: prefix, length: UInt32(utf8.count), node: Int32(child), keyStart: UInt32(keyBytes.count))
        keyBytes.append(contentsOf: utf8)
        keyLengthMax = max(keyLengthMax, utf8.count)
    }

    /// Hands out the arrays as a walk needs them, for as long as `body` runs.
    func withPointers(
        _ body: (_ nodes: UnsafePointer<Node>, _ entries: UnsafePointer<Entry>, _ keyBytes: UnsafePointer<UInt8>) -> Void
    ) {
        nodes.withUnsafeBufferPointer { nodes in
            entries.withUnsafeBufferPointer { entries in
                keyBytes.withUnsafeBufferPointer { keyBytes in
                    guard let nodes = nodes.baseAddress, let entries = entries.baseAddress, let keyBytes = keyBytes.baseAddress
                    else { return }
                    body(nodes, entries, keyBytes)
                }
            }
        }
    }

    /// The first eight bytes of a key of `length` bytes at `start`, zero where it is shorter. Reads nothing at or beyond `end`.
    @inline(__always)
    static func prefix(_ bytes: UnsafePointer<UInt8>?, _ start: Int, _ length: Int, end: Int) -> UInt64 {
        guard let bytes else { return 0 }
        if start &+ 8 <= end {
            let word = UInt64(littleEndian: UnsafeRawPointer(bytes + start).loadUnaligned(as: UInt64.self))
            return length >= 8 ? word : word & ((1 << (UInt64(length) &* 8)) &- 1)
        }
        var word: UInt64 = 0
        for index in 0..<min(length, 8) { word |= UInt64(bytes[start &+ index]) << UInt64(index &* 8) }
        return word
    }

    @inline(__always)
    static func position(_ prefix: UInt64, _ length: Int, _ mask: Int32) -> Int32 {
        let mixed = (prefix ^ UInt64(length)) &* 0x9E37_79B9_7F4A_7C15
        return Int32(truncatingIfNeeded: mixed >> 33) & mask
    }
}
