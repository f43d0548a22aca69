import Batch
import CShims
import State

/// A closed window's place in the output: by end, then by key bytes.
private struct ClosedOrder: BitwiseCopyable {
    var end: Int64
    /// The key's first eight bytes as a number, so that most comparisons need no more.
    var prefix: UInt64
    var record: Record

    init(_ record: Record) {
        self.record = record
        end = record.pointee.end
        let key = record.key
        var prefix: UInt64 = 0
        for offset in 0..<8 { prefix = prefix << 8 | (offset < key.count ? UInt64(key[offset]) : 0) }
        self.prefix = prefix
    }

    static func precedes(_ one: ClosedOrder, _ other: ClosedOrder) -> Bool {
        if one.end != other.end { return one.end < other.end }
        if one.prefix != other.prefix { return one.prefix < other.prefix }
        return compareBytes(one.record.key, other.record.key) < 0
    }
}

// From open windows to output rows.
extension WindowCore {
    /// Closes every window in memory that ends at or before `watermark` (an effective one).
    mutating func closeDue(_ watermark: Int64) {
        due.removeAll()
        timers.takeDue(upTo: watermark, into: &due)
        for position in 0..<min(32, due.count) { table.lookup.prefetch(due[position].record) }
        for position in 0..<due.count {
            if position + 32 < due.count { table.lookup.prefetch(due[position + 32].record) }
            if position + 12 < due.count { prefetchIfEnded(due[position + 12], watermark) }
            let entry = due[position]
            let record = table.lookup.record(entry.record)
            guard record.pointee.flags & RecordHeader.isAlive != 0, record.pointee.timerEnd == entry.end else { continue }
            if record.pointee.end <= watermark { close(record) } else { register(record) }
        }
    }

    /// What closing the window will touch.
    @inline(__always)
    private func prefetchIfEnded(_ entry: EventTimers.Entry, _ watermark: Int64) {
        let record = table.lookup.record(entry.record)
        guard record.pointee.end <= watermark else { return }
        table.lookup.prefetchSlot(record.pointee.hash)
        table.lookup.prefetchPayload(record)
    }

    /// Closes every window in memory, whatever the watermark.
    mutating func closeAll() {
        var open = RawList<Record>()
        table.forEachKey { table, first in
            var record = first
            open.append(record)
            while record.pointee.next != RecordHeader.none {
                record = table.lookup.record(record.pointee.next)
                open.append(record)
            }
        }
        for position in 0..<open.count {
            if position + 12 < open.count { table.lookup.prefetchSlot(open[position + 12].pointee.hash) }
            close(open[position])
        }
    }

    /// Sorts the closed windows by end and key: so they are put out.
    mutating func sortClosed() {
        guard closed.count > 1 else { return }
        var order = UnsafeMutableBufferPointer<ClosedOrder>.allocate(capacity: closed.count)
        defer { order.deallocate() }
        for position in 0..<closed.count { order.initializeElement(at: position, to: ClosedOrder(closed[position])) }
        order.sort(by: ClosedOrder.precedes)
        for position in 0..<closed.count { closed[position] = order[position].record }
    }

    /// Windows that are put out column by column: a cache holds them.
    private static let windowsAtOnce = 256

    /// Appends the closed windows, which are sorted, to `output` and frees them.
    /// - Parameter max: of them; the others are left for the next call.
    /// - Returns: false when a key does not decode: state of other group-by columns.
    mutating func putOut(_ codec: KeyCodec, max: Int = .max, into output: inout Batch) -> Bool {
        let last = putOutCount + min(max, closed.count - putOutCount)
        while putOutCount < last {
            let end = min(putOutCount + Self.windowsAtOnce, last)
            guard putOut(putOutCount..<end, codec, into: &output) else { return false }
            putOutCount = end
        }
        if putOutCount == closed.count {
            closed.removeAll()
            putOutCount = 0
        }
        return true
    }

    private mutating func putOut(_ range: Range<Int>, _ codec: KeyCodec, into output: inout Batch) -> Bool {
        for position in range {
            millrace_prefetch(closed[position])
            table.lookup.prefetchPayload(closed[position])
        }
        if layout.hasPieces {
            for position in range { layout.prefetch(closed[position]) }
        }
        guard putOutKeys(range, codec, into: &output) else { return false }
        let groups = codec.fields.count
        for position in range { output.columns[groups].append(integer: closed[position].pointee.start) }
        for position in range { output.columns[groups + 1].append(integer: closed[position].pointee.end) }
        for position in range { output.eventTimes.append(closed[position].pointee.end - 1) }
        for position in range { output.watermarks.append(closed[position].pointee.end - 1) }
        output.selection.append(contentsOf: Int32(output.rowCount)..<Int32(output.rowCount + range.count))
        for index in 0..<layout.slots.count { putOut(range, layout.slots[index], index, into: &output.columns[groups + 2 + index]) }
        output.rowCount += range.count
        for position in range { free(closed[position]) }
        return true
    }

    private func putOutKeys(_ range: Range<Int>, _ codec: KeyCodec, into output: inout Batch) -> Bool {
        // Out of the batch while they grow: a slice of its columns would copy them.
        var columns = codec.fields.indices.map { index in
            let column = output.columns[index]
            output.columns[index] = Column(column.type)
            return column
        }
        var isDecoded = true
        for position in range where isDecoded { isDecoded = codec.decode(closed[position].key, into: &columns) }
        for index in codec.fields.indices { output.columns[index] = columns[index] }
        return isDecoded
    }

    private func isPresent(_ record: Record, _ slot: AggregateSlot) -> Bool {
        record.payload.load(fromByteOffset: AggregateLayout.presenceOffset, as: UInt64.self) & slot.presence != 0
    }

    private mutating func putOut(_ range: Range<Int>, _ slot: AggregateSlot, _ index: Int, into column: inout Column) {
        for position in range {
            let record = closed[position]
            let payload = record.payload
            switch slot.function {
            case .count: column.append(integer: payload.load(fromByteOffset: slot.offset, as: Int64.self))
            case .countDistinct: column.append(integer: Int64(layout.distinct(record, index).count))
            case .avg: putOutAverage(payload, slot, into: &column)
            case .sum where isPresent(record, slot): putOutSum(payload, slot, into: &column)
            case .min where isPresent(record, slot), .max where isPresent(record, slot):
                putOutValue(record, slot, index, slot.offset, into: &column)
            case .first where isPresent(record, slot), .last where isPresent(record, slot):
                if TimedWord(bits: payload.load(fromByteOffset: slot.offset, as: Int64.self)).isNull {
                    column.appendNull()
                } else {
                    putOutValue(record, slot, index, slot.offset + 8, into: &column)
                }
            case .sum, .min, .max, .first, .last: column.appendNull()
            }
        }
    }

    private func putOutValue(_ record: Record, _ slot: AggregateSlot, _ index: Int, _ offset: Int, into column: inout Column) {
        let payload = record.payload
        switch slot.storage {
        case .integer: column.append(integer: payload.load(fromByteOffset: offset, as: Int64.self))
        case .double: column.append(double: payload.load(fromByteOffset: offset, as: Double.self))
        case .decimal: column.append(decimal: payload.loadUnaligned(fromByteOffset: offset, as: Int128.self))
        case .bool: column.append(bool: payload.load(fromByteOffset: offset, as: UInt8.self) != 0)
        case .string: column.append(utf8: layout.string(record, index).bytes)
        case .none: column.appendNull()
        }
    }

    private mutating func putOutSum(_ payload: UnsafeMutableRawPointer, _ slot: AggregateSlot, into column: inout Column) {
        if slot.storage == .double {
            column.append(double: payload.load(fromByteOffset: slot.offset, as: Double.self))
            return
        }
        let sum = payload.loadUnaligned(fromByteOffset: slot.offset, as: Int128.self)
        if slot.storage == .integer, let value = Int64(exactly: sum) {
            column.append(integer: value)
        } else if slot.storage == .decimal, sum >= -decimalMax, sum <= decimalMax {
            column.append(decimal: sum)
        } else {
            overflows += 1
            column.appendNull()
        }
    }

    private mutating func putOutAverage(_ payload: UnsafeMutableRawPointer, _ slot: AggregateSlot, into column: inout Column) {
        let countOffset = slot.offset + (slot.storage == .double ? 8 : 16)
        let count = payload.load(fromByteOffset: countOffset, as: Int64.self)
        guard count > 0 else {
            column.appendNull()
            return
        }
        if slot.storage == .double {
            column.append(double: payload.load(fromByteOffset: slot.offset, as: Double.self) / Double(count))
            return
        }
        let sum = payload.loadUnaligned(fromByteOffset: slot.offset, as: Int128.self)
        if slot.storage == .integer {
            column.append(double: Double(sum) / Double(count))
        } else if let average = decimalAverage(sum, count, digits: max(slot.scale, 6) - slot.scale) {
            column.append(decimal: average)
        } else {
            overflows += 1
            column.appendNull()
        }
    }
}

/// sum / count with `digits` (0...6) more decimal places, rounded half away from zero; nil beyond 38 digits.
func decimalAverage(_ sum: Int128, _ count: Int64, digits: Int) -> Int128? {
    guard sum != overflowedSum else { return nil }
    let count = Int128(count)
    var shift: Int128 = 1
    for _ in 0..<digits { shift *= 10 }
    let (whole, rest) = sum.quotientAndRemainder(dividingBy: count)
    let (scaled, isTooLarge) = whole.multipliedReportingOverflow(by: shift)
    guard !isTooLarge else { return nil }
    // |rest| < count < 2^63, so this has room.
    let (fraction, remainder) = (rest * shift).quotientAndRemainder(dividingBy: count)
    let doubled = remainder.magnitude * 2
    let rounding: Int128 = doubled >= UInt128(count) ? (sum < 0 ? -1 : 1) : 0
    let (average, isBeyond) = scaled.addingReportingOverflow(fraction + rounding)
    return isBeyond || average.magnitude > decimalMax.magnitude ? nil : average
}
