import Batch

/// What is known of a record in a chunk.
enum RecordState {
    /// Located; there is no backslash in it.
    case plain
    /// Located; its strings may have escapes.
    case escaped
    case failed
}

/// Records of a run whose values were located, ready to be converted column by column.
struct LocatedChunk {
    let payloads: UnsafeBufferPointer<UnsafeRawBufferPointer>
    /// The records of the run that are in the chunk.
    let rows: Range<Int>
    /// `nodeCount` a record of the chunk; without meaning where the record failed.
    let slots: UnsafePointer<ValueSlot>
    let nodes: UnsafePointer<FieldTree.Node>
    let nodeCount: Int
    /// One a record of the chunk.
    let states: UnsafeMutablePointer<RecordState>
}

extension JSONDecoder {
    /// Converts field `index` of the chunk's records that have not failed yet.
    func convert(_ index: Int, _ chunk: LocatedChunk, into column: inout Column) {
        switch column.type {
        case .bool: convertBools(index, chunk, into: &column)
        case .int64: convertIntegers(index, chunk, into: &column, unit: 1)
        case .float64: convertDoubles(index, chunk, into: &column)
        case .decimal: convertDecimals(index, chunk, into: &column)
        case .string: convertStrings(index, chunk, into: &column)
        case .timestamp:
            switch fields[index].timestampForm {
            case .rfc3339: convertDateTimes(index, chunk, into: &column)
            case .seconds: convertIntegers(index, chunk, into: &column, unit: 1_000_000)
            case .milliseconds: convertIntegers(index, chunk, into: &column, unit: 1000)
            case .microseconds: convertIntegers(index, chunk, into: &column, unit: 1)
            }
        }
    }

    /// Calls `body` with every value of a field that is there, and settles those that are absent, null or unfit.
    /// - Returns: the records of the chunk whose value is null, a bit each.
    @inline(__always)
    private func forEachValue(
        _ index: Int, _ chunk: LocatedChunk,
        _ body: (LocatedValue, _ row: Int) throws(ValueFault) -> Void
    ) -> UInt64 {
        let node = tree.leaves[index]
        let isNullable = fields[index].field.isNullable
        var nulls: UInt64 = 0
        for position in 0..<chunk.rows.count where chunk.states[position] != .failed {
            let row = chunk.rows.lowerBound &+ position
            let slots = chunk.slots + position &* chunk.nodeCount
            var slot = slots[node]
            let payload = chunk.payloads[row]
            guard let bytes = payload.baseAddress?.assumingMemoryBound(to: UInt8.self) else { continue }
            do throws(ValueFault) {
                if !slot.isAbsent && bytes[Int(slot.start)] != UInt8(ascii: "n") {
                    try body(
                        LocatedValue(
                            bytes: bytes, start: Int(slot.start), end: Int(slot.end),
                            mayHaveEscapes: chunk.states[position] == .escaped), row)
                } else {
                    try checkMissing(node, bytes, &slot, slots, chunk.nodes, isNullable)
                    nulls |= 1 << UInt64(truncatingIfNeeded: position)
                }
            } catch {
                chunk.states[position] = .failed
                note(error, field: index, row: row, slot, payload)
            }
        }
        return nulls
    }

    /// Whether a field without a value is in order. When something is in the way to it, `slot` becomes that.
    private func checkMissing(
        _ node: Int, _ bytes: UnsafePointer<UInt8>, _ slot: inout ValueSlot, _ slots: UnsafePointer<ValueSlot>,
        _ nodes: UnsafePointer<FieldTree.Node>, _ isNullable: Bool
    ) throws(ValueFault) {
        if !slot.isAbsent {
            if !isNullable { throw .null }
            return
        }
        var ancestor = Int(nodes[node].parent)
        while ancestor > 0 {
            let above = slots[ancestor]
            if !above.isAbsent {
                switch bytes[Int(above.start)] {
                case UInt8(ascii: "{"), UInt8(ascii: "n"): break
                default:
                    slot = above
                    throw .noObject(node: ancestor)
                }
            }
            ancestor = Int(nodes[ancestor].parent)
        }
        if !isNullable { throw .absent }
    }

    private func markNulls(_ nulls: UInt64, _ chunk: LocatedChunk, in column: inout Column) {
        var rest = nulls
        while rest != 0 {
            column.setNull(chunk.rows.lowerBound + rest.trailingZeroBitCount)
            rest &= rest &- 1
        }
    }

    private func convertBools(_ index: Int, _ chunk: LocatedChunk, into column: inout Column) {
        let nulls = column.bools.withUnsafeMutableBufferPointer { output in
            forEachValue(index, chunk) { (value, row) throws(ValueFault) in
                switch value.first {
                case UInt8(ascii: "t"): output[row] = 1
                case UInt8(ascii: "f"): output[row] = 0
                default: throw .wrongKind
                }
            }
        }
        markNulls(nulls, chunk, in: &column)
    }

    private func convertIntegers(_ index: Int, _ chunk: LocatedChunk, into column: inout Column, unit: Int64) {
        let nulls = column.integers.withUnsafeMutableBufferPointer { output in
            forEachValue(index, chunk) { (value, row) throws(ValueFault) in
                guard value.isNumber else { throw .wrongKind }
                let integer = try JSONNumber.int64(value.bytes, value.start, value.end)
                let (scaled, overflow) = integer.multipliedReportingOverflow(by: unit)
                guard !overflow else { throw .timestampOutOfRange }
                output[row] = scaled
            }
        }
        markNulls(nulls, chunk, in: &column)
    }

    private func convertDoubles(_ index: Int, _ chunk: LocatedChunk, into column: inout Column) {
        let nulls = column.doubles.withUnsafeMutableBufferPointer { output in
            forEachValue(index, chunk) { (value, row) throws(ValueFault) in
                guard value.isNumber else { throw .wrongKind }
                output[row] = try JSONNumber.double(value.bytes, value.start, value.end)
            }
        }
        markNulls(nulls, chunk, in: &column)
    }

    private func convertDecimals(_ index: Int, _ chunk: LocatedChunk, into column: inout Column) {
        guard let reader = decimals[index] else { preconditionFailure("a decimal column has a reader of decimals") }
        let nulls = column.decimals.withUnsafeMutableBufferPointer { output in
            forEachValue(index, chunk) { (value, row) throws(ValueFault) in
                if value.isNumber {
                    output[row] = try reader.mantissa(value.bytes, value.start, value.end)
                } else if value.isString {
                    output[row] = try value.withText { (bytes, start, end) throws(ValueFault) in
                        guard JSONNumber.isNumber(bytes, start, end) else { throw .notANumber }
                        return try reader.mantissa(bytes, start, end)
                    }
                } else {
                    throw .wrongKind
                }
            }
        }
        markNulls(nulls, chunk, in: &column)
    }

    private func convertDateTimes(_ index: Int, _ chunk: LocatedChunk, into column: inout Column) {
        let nulls = column.integers.withUnsafeMutableBufferPointer { output in
            forEachValue(index, chunk) { (value, row) throws(ValueFault) in
                guard value.isString else { throw .wrongKind }
                output[row] = try value.withText { (bytes, start, end) throws(ValueFault) in
                    guard let time = RFC3339.microseconds(bytes, start, end) else { throw .notADateTime }
                    return time
                }
            }
        }
        markNulls(nulls, chunk, in: &column)
    }

    private func convertStrings(_ index: Int, _ chunk: LocatedChunk, into column: inout Column) {
        var nulls: UInt64 = 0
        let before = column.bytes.count
        // Exclusive access to two parts of one column at a time.
        var bytes: [UInt8] = []
        swap(&bytes, &column.bytes)
        column.views.withUnsafeMutableBufferPointer { views in
            bytes.append(addingCapacity: stringRoom(index, chunk)) { span in
                span.withUnsafeMutableBufferPointer { output, written in
                    nulls = forEachValue(index, chunk) { (value, row) throws(ValueFault) in
                        guard value.isString else { throw .wrongKind }
                        guard let base = output.baseAddress else { return }
                        let length = try value.copyText(to: base + written, lengthMax: limits.stringLengthMax)
                        views[row] = StringView(
                            start: UInt32(truncatingIfNeeded: before &+ written), length: UInt32(truncatingIfNeeded: length))
                        written &+= length
                    }
                }
            }
        }
        swap(&bytes, &column.bytes)
        markNulls(nulls, chunk, in: &column)
    }

    /// Bytes that the strings of a field in the chunk take at most, those left out that are too long in any case.
    private func stringRoom(_ index: Int, _ chunk: LocatedChunk) -> Int {
        let node = tree.leaves[index]
        var room = 1
        for position in 0..<chunk.rows.count where chunk.states[position] != .failed {
            let slot = (chunk.slots + position &* chunk.nodeCount)[node]
            let length = Int(slot.end) &- Int(slot.start)
            if length &- 2 <= 6 &* limits.stringLengthMax { room &+= length }
        }
        return room
    }
}
