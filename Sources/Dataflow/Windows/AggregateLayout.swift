import Batch
import Expression
import State

/// One aggregate as the loops want it: what to do, where its state lies in the payload, where its input comes from.
struct AggregateSlot {
    /// Which of a column's arrays the argument is in.
    enum Storage {
        case none, bool, integer, double, decimal, string
    }

    var function: AggregateFunction
    var storage: Storage
    /// Bytes from the payload's beginning; 8-byte aligned.
    var offset: Int
    /// In the presence word: set once there was a value. 0 for functions that need none.
    var presence: UInt64
    /// Column positions; -1 for none.
    var argument: Int
    var condition: Int
    /// The argument's scale, for avg of decimals.
    var scale: Int

    /// Goes by event time: a timed word and the value.
    var isByTime: Bool { function == .first || function == .last }

    /// A string is kept as address (8) and length (4, then 4 unused) of a piece of the table.
    var stringOffset: Int? {
        guard storage == .string else { return nil }
        switch function {
        case .min, .max: return offset
        case .first, .last: return offset + 8
        case .count, .sum, .avg, .countDistinct: return nil
        }
    }
}

/// The event time of the row that `first` or `last` took, and whether its value was null: time << 1 | isNull. Times are within
/// +-2^61 us.
struct TimedWord {
    var bits: Int64

    @inline(__always)
    init(bits: Int64) { self.bits = bits }

    @inline(__always)
    init(_ time: Int64, isNull: Bool) { bits = time << 1 | (isNull ? 1 : 0) }

    @inline(__always) var time: Int64 { bits >> 1 }
    @inline(__always) var isNull: Bool { bits & 1 != 0 }
}

/// How the aggregates of a window lie in a record's payload.
///
/// A presence word (8 bytes) when an aggregate can have no value; the window's uid (8) when there are distinct sets;
/// then the aggregates in order: count 8; sum 16 (Int128) or 8 (Double); avg the sum and a count of 8; min and max the
/// value (8, decimals 16, strings 16); first and last a timed word (8) and the value; count_distinct 16.
struct AggregateLayout {
    private(set) var slots: [AggregateSlot] = []
    private(set) var payloadBytes = 0
    let hasPresence: Bool
    let uidOffset: Int?
    /// Slots whose state has a piece outside the record.
    private(set) var strings: [Int] = []
    private(set) var distincts: [Int] = []
    var hasPieces: Bool { !strings.isEmpty || !distincts.isEmpty }

    static let presenceOffset = 0
    /// As many as the presence word has bits, which is also what keeps records small.
    static let aggregatesMax = 64

    /// The definition is valid: `output` is not nil, positions exist.
    init(_ definition: WindowDefinition) {
        precondition(definition.aggregates.count <= Self.aggregatesMax, "a window has at most 64 aggregates")
        func needsPresence(_ function: AggregateFunction) -> Bool {
            switch function {
            case .sum, .min, .max, .first, .last: true
            case .count, .avg, .countDistinct: false
            }
        }
        hasPresence = definition.aggregates.contains { needsPresence($0.function) }
        var offset = hasPresence ? 8 : 0
        if definition.aggregates.contains(where: { $0.function == .countDistinct }) {
            uidOffset = offset
            offset += 8
        } else {
            uidOffset = nil
        }
        for (index, aggregate) in definition.aggregates.enumerated() {
            let type = aggregate.argument.map { definition.input.fields[$0].type }
            let storage = Self.storage(of: type)
            var slot = AggregateSlot(
                function: aggregate.function, storage: storage, offset: offset,
                presence: needsPresence(aggregate.function) ? 1 << UInt64(index) : 0,
                argument: aggregate.argument ?? -1, condition: aggregate.condition ?? -1, scale: 0)
            if case .decimal(_, let scale)? = type { slot.scale = scale }
            offset += Self.stateBytes(slot)
            if slot.stringOffset != nil { strings.append(index) }
            if slot.function == .countDistinct { distincts.append(index) }
            slots.append(slot)
        }
        payloadBytes = offset
    }

    private static func storage(of type: ValueType?) -> AggregateSlot.Storage {
        switch type {
        case nil: .none
        case .bool: .bool
        case .int64, .timestamp: .integer
        case .float64: .double
        case .decimal: .decimal
        case .string: .string
        }
    }

    private static func stateBytes(_ slot: AggregateSlot) -> Int {
        let value = slot.storage == .decimal || slot.storage == .string ? 16 : 8
        let sum = slot.storage == .double ? 8 : 16
        switch slot.function {
        case .count: return 8
        case .sum: return sum
        case .avg: return sum + 8
        case .min, .max: return value
        case .first, .last: return 8 + value
        case .countDistinct: return DistinctSet.stateBytes
        }
    }

    // MARK: Pieces outside the record

    func uid(_ record: Record) -> UInt64 {
        uidOffset.map { record.payload.load(fromByteOffset: $0, as: UInt64.self) } ?? 0
    }

    func setUid(_ record: Record, _ uid: UInt64) {
        if let uidOffset { record.payload.storeBytes(of: uid, toByteOffset: uidOffset, as: UInt64.self) }
    }

    func distinct(_ record: Record, _ index: Int) -> DistinctSet { DistinctSet(record.payload + slots[index].offset) }

    func string(_ record: Record, _ index: Int) -> StringState {
        StringState(record.payload + (slots[index].stringOffset ?? 0))
    }

    /// Frees what the payload points to.
    /// Brings closer what a record has besides itself.
    func prefetch(_ record: Record) {
        for index in strings { string(record, index).prefetch() }
        for index in distincts { distinct(record, index).prefetchPiece() }
    }

    func release(_ record: Record, _ pieces: inout ByteArena) {
        for index in strings { string(record, index).release(&pieces) }
        for index in distincts { distinct(record, index).release(&pieces) }
    }

    /// Whether the persisted state has elements of the record's sets.
    func hasPersistedSets(_ record: Record) -> Bool {
        distincts.contains { distinct(record, $0).persisted > 0 }
    }
}
