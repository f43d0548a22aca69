import Batch
import CShims

/// Decodes runs of JSON records into the columns that a job needs.
///
/// A record is one JSON object (RFC 8259) in UTF-8 with nothing but white space around it. A chunk of records at a time is
/// located (`JSONLocator`: simdjson finds the tokens, one walk checks the whole grammar and notes where the wanted values
/// lie; `JSONShape` does without where a record is like the one before) and then converted column by column while its bytes are in the processor's cache.
///
/// What a value may be, by the type of its column; anything else is `bad_type`:
/// - bool: `true`, `false`
/// - int64: a number of digits alone that fits (1.0 and 1e3 do not)
/// - float64: any number that is not beyond the largest double; what is too small becomes 0
/// - decimal: any number, or a string that holds one, whose value the precision and scale hold exactly
/// - string: a string of at most `limits.stringLengthMax` bytes (else `too_large`) without surrogates that stand alone
/// - timestamp: see `RFC3339`, or an integer in the unit of its form
///
/// A nullable field may be absent or null; another that is, is `missing_field`. So is a field below an object that is
/// absent or null; below any other value it is `bad_type`. Of equal keys in one object the last one counts. When several
/// fields of a record fail, the first one in the order of the fields is reported.
///
/// Belongs to one thread at a time.
package final class JSONDecoder {
    package let fields: [DecodedField]
    package let limits: DecodeLimits
    /// The schema of the batches: the decoded fields, in order.
    package let schema: Schema

    let tree: FieldTree
    /// Of every field of type decimal how to read it, one a field.
    let decimals: [DecimalText?]
    /// Of the chunk that is being decoded.
    var pending: [DecodeFailure] = []

    private var indexer = JSONIndexer()
    private var shapes = JSONShapes()
    private let slots: UnsafeMutablePointer<ValueSlot>
    private let states: UnsafeMutablePointer<RecordState>
    private let stack: UnsafeMutablePointer<Int32>
    private let keyScratch: UnsafeMutablePointer<UInt8>
    private let remembered: UnsafeMutablePointer<RememberedKey>

    /// Records decoded at a time: their bytes and slots fit the first-level cache when they are of the usual size.
    static let chunkLength = 64

    package init(fields: [DecodedField], limits: DecodeLimits = DecodeLimits()) {
        self.fields = fields
        self.limits = limits
        self.schema = Schema(fields.map(\.field))
        self.tree = FieldTree(paths: fields.map(\.path))
        self.decimals = fields.map {
            guard case .decimal(let precision, let scale) = $0.field.type else { return nil }
            return DecimalText(precision: precision, scale: scale)
        }
        self.slots = .allocate(capacity: Self.chunkLength * tree.nodes.count)
        self.states = .allocate(capacity: Self.chunkLength)
        states.initialize(repeating: .failed, count: Self.chunkLength)
        self.stack = .allocate(capacity: limits.depthMax + 1)
        self.keyScratch = .allocate(capacity: 6 * tree.keyLengthMax + 1)
        self.remembered = .allocate(capacity: RememberedKey.count)
        remembered.initialize(repeating: RememberedKey(), count: RememberedKey.count)
    }

    deinit {
        slots.deallocate()
        states.deallocate()
        stack.deallocate()
        keyScratch.deallocate()
        remembered.deallocate()
    }

    /// Decodes `payloads` into `batch`, whose schema is this decoder's; what was in it is forgotten.
    ///
    /// Row `i` is record `i` and `rowCount` the number of records. A record that does not decode is not in the selection,
    /// holds zeros in every column, and has a failure in `failures`, to which they are appended in the order of the rows.
    /// A payload without a base address is Kafka's null value, which is `malformed`. Bytes are read within their length only.
    /// The payloads of one run are together at most 4 GiB.
    package func decode(
        _ payloads: UnsafeBufferPointer<UnsafeRawBufferPointer>, into batch: inout Batch, failures: inout [DecodeFailure]
    ) {
        precondition(batch.columns.count == fields.count, "the batch has the columns of the decoder's schema")
        precondition(
            payloads.reduce(0) { $0 + $1.count } <= Int(UInt32.max), "the payloads of one run are together at most 4 GiB")
        let longest = payloads.reduce(0) { $1.count <= limits.recordLengthMax ? max($0, $1.count) : $0 }
        let indexer = indexer.reserve(longest)
        batch.removeAll()
        batch.rowCount = payloads.count
        for index in batch.columns.indices { batch.columns[index].resize(to: payloads.count) }
        batch.selection.reserveCapacity(payloads.count)
        tree.withPointers { nodes, entries, keyBytes in
            let locator = JSONLocator(
                nodes: nodes, nodeCount: tree.nodes.count, entries: entries, keyBytes: keyBytes,
                keyLengthMax: tree.keyLengthMax, keyScratch: keyScratch, remembered: remembered, stack: stack,
                depthMax: limits.depthMax)
            var first = 0
            while first < payloads.count {
                let count = min(Self.chunkLength, payloads.count - first)
                decodeChunk(payloads, first..<first + count, indexer, locator, into: &batch, &failures)
                first += count
            }
        }
        self.indexer.trim()
    }

    private func decodeChunk(
        _ payloads: UnsafeBufferPointer<UnsafeRawBufferPointer>, _ rows: Range<Int>, _ indexer: OpaquePointer, _ locator: JSONLocator,
        into batch: inout Batch, _ failures: inout [DecodeFailure]
    ) {
        // Taken out of the object: in the loop it is a plain variable.
        var shapes = self.shapes
        self.shapes = JSONShapes()
        defer { self.shapes = shapes }
        for row in rows {
            let position = row &- rows.lowerBound
            let fault = locate(payloads[row], indexer, locator, slots + position &* locator.nodeCount, &shapes, &states[position])
            if fault.kind != .none {
                states[position] = .failed
                note(fault, row, payloads[row])
            }
        }
        let chunk = LocatedChunk(
            payloads: payloads, rows: rows, slots: UnsafePointer(slots), nodes: locator.nodes, nodeCount: locator.nodeCount,
            states: states)
        for index in fields.indices { convert(index, chunk, into: &batch.columns[index]) }
        for row in rows where states[row - rows.lowerBound] != .failed { batch.selection.append(Int32(truncatingIfNeeded: row)) }
        if !pending.isEmpty { settle(into: &batch, &failures) }
    }

    @inline(__always)
    private func locate(
        _ payload: UnsafeRawBufferPointer, _ indexer: OpaquePointer, _ locator: JSONLocator,
        _ slots: UnsafeMutablePointer<ValueSlot>, _ shapes: inout JSONShapes, _ state: inout RecordState
    ) -> SyntaxFault {
        guard let base = payload.baseAddress else { return SyntaxFault(kind: .null, offset: 0) }
        guard payload.count > 0 else { return SyntaxFault(kind: .empty, offset: 0) }
        guard payload.count <= limits.recordLengthMax else { return SyntaxFault(kind: .tooLong, offset: 0) }
        let bytes = base.assumingMemoryBound(to: UInt8.self)
        if shapes.locate(bytes, payload.count, into: slots) {
            state = .plain
            return .none
        }
        var tokens: UnsafePointer<UInt32>?
        var tokenCount = 0
        let result = millrace_json_index(indexer, bytes, payload.count, &tokens, &tokenCount)
        guard result == MILLRACE_JSON_INDEXED, let tokens, tokenCount > 0 else {
            return SyntaxFault(kind: SyntaxFault.Kind(result), offset: 0)
        }
        let hasEscapes = JSONEscapes.firstBackslash(bytes, 0, payload.count) < payload.count
        state = hasEscapes ? .escaped : .plain
        let fault = locator.locate(bytes, payload.count, tokens, tokenCount, hasEscapes: hasEscapes, into: slots)
        if fault.kind == .none { shapes.learn(bytes, payload.count, tokens, tokenCount, slots, nodeCount: locator.nodeCount) }
        return fault
    }

    @inline(never)
    private func note(_ fault: SyntaxFault, _ row: Int, _ payload: UnsafeRawBufferPointer) {
        pending.append(
            DecodeFailure(
                row: row, reason: fault.kind == .tooLong ? .tooLarge : .malformed, detail: fault.describe(payload, limits)))
    }

    /// Zeroes the rows of a chunk that failed and hands the failures over in the order of the rows.
    @inline(never)
    private func settle(into batch: inout Batch, _ failures: inout [DecodeFailure]) {
        pending.sort { $0.row < $1.row }
        for failure in pending {
            for index in batch.columns.indices { batch.columns[index].clear(failure.row) }
        }
        failures.append(contentsOf: pending)
        pending.removeAll(keepingCapacity: true)
    }
}

extension Column {
    /// Makes `row` zero and not null.
    fileprivate mutating func clear(_ row: Int) {
        switch type {
        case .bool: bools[row] = 0
        case .int64, .timestamp: integers[row] = 0
        case .float64: doubles[row] = 0
        case .decimal: decimals[row] = 0
        case .string: views[row] = StringView(start: 0, length: 0)
        }
        if !validity.isEmpty { validity[row] = 1 }
    }
}
