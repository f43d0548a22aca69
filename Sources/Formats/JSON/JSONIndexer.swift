import CShims

/// simdjson's first stage: finds the tokens of one record at a time.
struct JSONIndexer: ~Copyable {
    /// Records that are longer make the indexer grow for the rest of their run only.
    private static let capacityKept = 64 << 10

    private var indexer: OpaquePointer?
    private var capacity = 0

    init() {
        indexer = nil
    }

    deinit {
        if let indexer { millrace_json_indexer_destroy(indexer) }
    }

    /// Makes room for records of `count` bytes.
    /// - Returns: the indexer, or nil when there is not enough memory.
    @inline(__always)
    mutating func reserve(_ count: Int) -> OpaquePointer? {
        count <= capacity ? indexer : grow(to: count)
    }

    @inline(never)
    private mutating func grow(to count: Int) -> OpaquePointer? {
        if let indexer { millrace_json_indexer_destroy(indexer) }
        var size = Self.capacityKept
        while size < count { size *= 2 }
        indexer = millrace_json_indexer_create(size)
        capacity = indexer == nil ? 0 : size
        return indexer
    }

    /// Gives back what a run of long records has taken: four bytes of index for each of theirs.
    mutating func trim() {
        if capacity > Self.capacityKept { _ = grow(to: Self.capacityKept) }
    }
}

extension SyntaxFault.Kind {
    init(_ result: millrace_json_index_result) {
        switch result {
        case MILLRACE_JSON_INDEXED: self = .none
        case MILLRACE_JSON_EMPTY: self = .empty
        case MILLRACE_JSON_INVALID_UTF8: self = .invalidUTF8
        case MILLRACE_JSON_UNCLOSED_STRING: self = .unclosedString
        case MILLRACE_JSON_CONTROL_CHARACTER: self = .controlCharacter
        case MILLRACE_JSON_NO_MEMORY: self = .noMemory
        default: self = .unreadable
        }
    }
}
