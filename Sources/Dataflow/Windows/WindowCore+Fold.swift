import Batch
import State

/// Rows and the records that take them, in the order of the log.
struct FoldRun {
    let records: UnsafeMutablePointer<Record>
    let rows: UnsafeMutablePointer<Int32>
    let count: Int

    @inline(__always)
    func forEach(_ body: (UnsafeMutableRawPointer, Int) -> Void) {
        for position in 0..<count { body(records[position].payload, Int(rows[position])) }
    }
}

/// The largest mantissa of a decimal(38), and so of every sum of decimals.
let decimalMax: Int128 = 99_999_999_999_999_999_999_999_999_999_999_999_999

/// Stands for a sum that left what an Int128 can say, and stays so.
let overflowedSum = Int128.min

@inline(__always)
func addSaturating(_ one: Int128, _ other: Int128) -> Int128 {
    let (sum, overflow) = one.addingReportingOverflow(other)
    return overflow || one == overflowedSum || other == overflowedSum ? overflowedSum : sum
}

/// Floats in one total order: NaN above all, the zeros equal.
@inline(__always)
func isLess(_ one: Double, _ other: Double) -> Bool { one < other || (other.isNaN && !one.isNaN) }

// Folding a block's values into the records: one loop an aggregate.
extension WindowCore {
    mutating func foldPending(_ batch: Batch) {
        guard pendingCount > 0 else { return }
        for index in 0..<layout.slots.count {
            let slot = layout.slots[index]
            let run = choose(slot, batch)
            if run.count > 0 { fold(slot, index, run, batch) }
        }
        pendingCount = 0
    }

    /// The pending rows that an aggregate takes: those where its condition is true and its argument is not null; `first` and
    /// `last` are about rows and take nulls as well.
    private func choose(_ slot: AggregateSlot, _ batch: Batch) -> FoldRun {
        var run = FoldRun(records: pendingRecords, rows: pendingRows, count: pendingCount)
        if slot.argument >= 0, !slot.isByTime, batch.columns[slot.argument].hasNulls {
            run = keep(run, batch.columns[slot.argument].validity)
        }
        if slot.condition >= 0 {
            run = keep(run, batch.columns[slot.condition].bools)
            if batch.columns[slot.condition].hasNulls { run = keep(run, batch.columns[slot.condition].validity) }
        }
        return run
    }

    private func keep(_ run: FoldRun, _ flags: [UInt8]) -> FoldRun {
        flags.withUnsafeBufferPointer { flags in
            var count = 0
            for position in 0..<run.count {
                // Written in any case and counted if wanted: no branch to guess.
                chosenRecords[count] = run.records[position]
                chosenRows[count] = run.rows[position]
                count &+= flags[Int(run.rows[position])] == 0 ? 0 : 1
            }
            return FoldRun(records: chosenRecords, rows: chosenRows, count: count)
        }
    }

    private mutating func fold(_ slot: AggregateSlot, _ index: Int, _ run: FoldRun, _ batch: Batch) {
        switch slot.function {
        case .count: foldCount(slot, run)
        case .sum, .avg: foldSum(slot, run, batch)
        case .min, .max: foldExtreme(slot, index, run, batch)
        case .first, .last: foldByTime(slot, index, run, batch)
        case .countDistinct: foldDistinct(slot, run, batch)
        }
    }

    private func foldCount(_ slot: AggregateSlot, _ run: FoldRun) {
        run.forEach { payload, _ in
            let state = (payload + slot.offset).assumingMemoryBound(to: Int64.self)
            state.pointee &+= 1
        }
    }

    @inline(__always)
    private func mark(_ payload: UnsafeMutableRawPointer, _ slot: AggregateSlot) {
        let word = (payload + AggregateLayout.presenceOffset).assumingMemoryBound(to: UInt64.self)
        word.pointee |= slot.presence
    }

    @inline(__always)
    private func isPresent(_ payload: UnsafeMutableRawPointer, _ slot: AggregateSlot) -> Bool {
        payload.load(fromByteOffset: AggregateLayout.presenceOffset, as: UInt64.self) & slot.presence != 0
    }

    private func foldSum(_ slot: AggregateSlot, _ run: FoldRun, _ batch: Batch) {
        // avg keeps a count behind the sum, sum a bit in the presence word.
        let isAverage = slot.presence == 0
        let countOffset = slot.offset + (slot.storage == .double ? 8 : 16)
        @inline(__always)
        func note(_ payload: UnsafeMutableRawPointer) {
            if isAverage {
                (payload + countOffset).assumingMemoryBound(to: Int64.self).pointee &+= 1
            } else {
                mark(payload, slot)
            }
        }
        switch slot.storage {
        case .integer:
            batch.columns[slot.argument].integers.withUnsafeBufferPointer { values in
                run.forEach { payload, row in
                    let sum = payload.loadUnaligned(fromByteOffset: slot.offset, as: Int128.self)
                    // Exact: no number of rows that a log can hold brings 64-bit values beyond 128 bits.
                    payload.storeBytes(of: sum &+ Int128(values[row]), toByteOffset: slot.offset, as: Int128.self)
                    note(payload)
                }
            }
        case .double:
            batch.columns[slot.argument].doubles.withUnsafeBufferPointer { values in
                run.forEach { payload, row in
                    (payload + slot.offset).assumingMemoryBound(to: Double.self).pointee += values[row]
                    note(payload)
                }
            }
        case .decimal:
            batch.columns[slot.argument].decimals.withUnsafeBufferPointer { values in
                run.forEach { payload, row in
                    let sum = payload.loadUnaligned(fromByteOffset: slot.offset, as: Int128.self)
                    payload.storeBytes(of: addSaturating(sum, values[row]), toByteOffset: slot.offset, as: Int128.self)
                    note(payload)
                }
            }
        case .none, .bool, .string: break
        }
    }

    @inline(__always)
    private func foldExtreme<Value: BitwiseCopyable>(
        _ slot: AggregateSlot, _ run: FoldRun, _ values: [Value], _ isBetter: (Value, Value) -> Bool
    ) {
        values.withUnsafeBufferPointer { values in
            run.forEach { payload, row in
                let value = values[row]
                let best = payload.loadUnaligned(fromByteOffset: slot.offset, as: Value.self)
                if !isPresent(payload, slot) || isBetter(value, best) {
                    payload.storeBytes(of: value, toByteOffset: slot.offset, as: Value.self)
                    mark(payload, slot)
                }
            }
        }
    }

    private mutating func foldExtreme(_ slot: AggregateSlot, _ index: Int, _ run: FoldRun, _ batch: Batch) {
        let isMin = slot.function == .min
        switch slot.storage {
        case .integer where isMin: foldExtreme(slot, run, batch.columns[slot.argument].integers) { $0 < $1 }
        case .integer: foldExtreme(slot, run, batch.columns[slot.argument].integers) { $0 > $1 }
        case .double where isMin: foldExtreme(slot, run, batch.columns[slot.argument].doubles) { isLess($0, $1) }
        case .double: foldExtreme(slot, run, batch.columns[slot.argument].doubles) { isLess($1, $0) }
        case .decimal where isMin: foldExtreme(slot, run, batch.columns[slot.argument].decimals) { $0 < $1 }
        case .decimal: foldExtreme(slot, run, batch.columns[slot.argument].decimals) { $0 > $1 }
        case .bool where isMin: foldExtreme(slot, run, batch.columns[slot.argument].bools) { $0 < $1 }
        case .bool: foldExtreme(slot, run, batch.columns[slot.argument].bools) { $0 > $1 }
        case .string:
            foldStrings(slot, index, run, batch) { value, best in
                isMin ? StringState.isLess(value, best) : StringState.isLess(best, value)
            }
        case .none: break
        }
    }

    private mutating func foldStrings(
        _ slot: AggregateSlot, _ index: Int, _ run: FoldRun, _ batch: Batch,
        _ isBetter: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Bool
    ) {
        batch.columns[slot.argument].views.withUnsafeBufferPointer { views in
            batch.columns[slot.argument].bytes.withUnsafeBytes { bytes in
                for position in 0..<run.count {
                    let record = run.records[position]
                    let value = Self.slice(bytes, views[Int(run.rows[position])])
                    let best = layout.string(record, index)
                    if !isPresent(record.payload, slot) || isBetter(value, best.bytes) {
                        best.set(value, &table.pieces)
                        mark(record.payload, slot)
                    }
                }
            }
        }
    }

    @inline(__always)
    private static func slice(_ bytes: UnsafeRawBufferPointer, _ view: StringView) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: bytes.baseAddress.map { $0 + Int(view.start) }, count: Int(view.length))
    }

    /// Whether the row's value takes the place of what is there, by time: the record's timed word stands before its value.
    @inline(__always)
    private func takesPlace(
        _ payload: UnsafeMutableRawPointer, _ slot: AggregateSlot, _ time: Int64, isNull: Bool, _ isFirst: Bool
    ) -> Bool {
        let old = TimedWord(bits: payload.load(fromByteOffset: slot.offset, as: Int64.self)).time
        guard !isPresent(payload, slot) || (isFirst ? time < old : time >= old) else { return false }
        payload.storeBytes(of: TimedWord(time, isNull: isNull).bits, toByteOffset: slot.offset, as: Int64.self)
        mark(payload, slot)
        return true
    }

    @inline(__always)
    private func foldByTime<Value: BitwiseCopyable>(
        _ slot: AggregateSlot, _ run: FoldRun, _ times: [Int64], _ values: [Value], _ validity: [UInt8]
    ) {
        let isFirst = slot.function == .first
        let hasNulls = !validity.isEmpty
        times.withUnsafeBufferPointer { times in
            values.withUnsafeBufferPointer { values in
                validity.withUnsafeBufferPointer { validity in
                    run.forEach { payload, row in
                        if takesPlace(payload, slot, times[row], isNull: hasNulls && validity[row] == 0, isFirst) {
                            payload.storeBytes(of: values[row], toByteOffset: slot.offset + 8, as: Value.self)
                        }
                    }
                }
            }
        }
    }

    private mutating func foldByTime(_ slot: AggregateSlot, _ index: Int, _ run: FoldRun, _ batch: Batch) {
        let times = batch.eventTimes
        let column = batch.columns[slot.argument]
        switch slot.storage {
        case .integer: foldByTime(slot, run, times, column.integers, column.validity)
        case .double: foldByTime(slot, run, times, column.doubles, column.validity)
        case .decimal: foldByTime(slot, run, times, column.decimals, column.validity)
        case .bool: foldByTime(slot, run, times, column.bools, column.validity)
        case .string: foldStringsByTime(slot, index, run, batch)
        case .none: break
        }
    }

    private mutating func foldStringsByTime(_ slot: AggregateSlot, _ index: Int, _ run: FoldRun, _ batch: Batch) {
        let isFirst = slot.function == .first
        batch.eventTimes.withUnsafeBufferPointer { times in
            batch.columns[slot.argument].views.withUnsafeBufferPointer { views in
                batch.columns[slot.argument].bytes.withUnsafeBytes { bytes in
                    for position in 0..<run.count {
                        let record = run.records[position]
                        let row = Int(run.rows[position])
                        let isNull = batch.columns[slot.argument].isNull(row)
                        if takesPlace(record.payload, slot, times[row], isNull: isNull, isFirst) {
                            layout.string(record, index).set(Self.slice(bytes, views[row]), &table.pieces)
                        }
                    }
                }
            }
        }
    }

    private mutating func foldDistinct(_ slot: AggregateSlot, _ run: FoldRun, _ batch: Batch) {
        guard slot.storage == .string else {
            let column = batch.columns[slot.argument]
            return insertDistinct(slot, run) { Self.valueHash(column, $0, slot.storage) }
        }
        batch.columns[slot.argument].views.withUnsafeBufferPointer { views in
            batch.columns[slot.argument].bytes.withUnsafeBytes { bytes in
                insertDistinct(slot, run) { hash128(Self.slice(bytes, views[$0])) }
            }
        }
    }

    @inline(__always)
    private mutating func insertDistinct(_ slot: AggregateSlot, _ run: FoldRun, _ hash: (Int) -> Hash128) {
        let ahead = 12
        for position in 0..<run.count { valueHashes[position] = hash(Int(run.rows[position])) }
        for position in 0..<min(ahead, run.count) { DistinctSet(run.records[position].payload + slot.offset).prefetch(valueHashes[position]) }
        for position in 0..<run.count {
            if position + ahead < run.count {
                DistinctSet(run.records[position + ahead].payload + slot.offset).prefetch(valueHashes[position + ahead])
            }
            DistinctSet(run.records[position].payload + slot.offset).insert(valueHashes[position], &table.pieces)
        }
    }

    /// Stands for a value in a set: the hash of its bytes as in a key. Stored: it does not change.
    @inline(__always)
    static func valueHash(_ column: borrowing Column, _ row: Int, _ storage: AggregateSlot.Storage) -> Hash128 {
        switch storage {
        case .string:
            return column.bytes.withUnsafeBytes { hash128(slice($0, column.views[row])) }
        case .integer:
            return wordHash(UInt64(bitPattern: column.integers[row]) ^ (1 << 63))
        case .double:
            let value = column.doubles[row]
            return wordHash(value.isNaN ? Double.nan.bitPattern : value == 0 ? 0 : value.bitPattern)
        case .decimal:
            let value = (UInt128(bitPattern: column.decimals[row]) ^ (1 << 127)).bigEndian
            return withUnsafeBytes(of: value) { hash128($0) }
        case .bool:
            return withUnsafeBytes(of: column.bools[row]) { hash128($0) }
        case .none:
            return Hash128(low: 0, high: 0)
        }
    }

    @inline(__always)
    private static func wordHash(_ word: UInt64) -> Hash128 {
        withUnsafeBytes(of: word.bigEndian) { hash128($0) }
    }
}
