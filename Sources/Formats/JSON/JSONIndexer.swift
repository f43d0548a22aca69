import CShims

/// simdjson's first stage: finds the tokens of one record at a time.
struct JSONIndexer: ~Copyable {
    /// Records that are longer make the indexer grow for the rest of their run only.
    private static let capacityKept = 64 << 10

    private var indexer: OpaquePointer
    private var capacity: Int

    init() {
        capacity = Self.capacityKept
        indexer = Self.make(capacity)
    }

    deinit {
        millrace_json_indexer_destroy(indexer)
    }

    /// The indexer, with room for records of `count` bytes.
    mutating func reserve(_ count: Int) -> OpaquePointer {
        if count > capacity { resize(to: count) }
        return indexer
    }

    private mutating func resize(to count: Int) {
        millrace_json_indexer_destroy(indexer)
        indexer = Self.make(count)
        capacity = count
    }

    private static func make(_ count: Int) -> OpaquePointer {
        // As where an array cannot grow: without memory there is no going on, and the records are not to blame.
        guard let indexer = millrace_json_indexer_create(count) else { preconditionFailure("not enough memory to index JSON") }
        return indexer
    }

    /// Gives back what a run of long records has taken: four bytes of index for each of theirs.
    mutating func trim() {
        if capacity > Self.capacityKept { resize(to: Self.capacityKept) }
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
        default: self = .unreadable
        }
    }
}
