import Batch
import Seeded
import Testing

/// Columns of every type, with nulls where `nulls` says so in percent.
private func columns(_ count: Int, nulls: UInt64, _ random: inout SplitMix64) -> [Column] {
    let types: [ValueType] = [.bool, .int64, .timestamp, .float64, .decimal(precision: 30, scale: 2), .string]
    return types.map { type in
        var column = Column(type)
        for _ in 0..<count {
            let value = random.next()
            if random.next() % 100 < nulls {
                column.appendNull()
                continue
            }
            switch type {
            case .bool: column.append(bool: value % 2 == 0)
            case .int64, .timestamp: column.append(integer: Int64(truncatingIfNeeded: value))
            case .float64: column.append(double: Double(value))
            case .decimal: column.append(decimal: Int128(value) << 20)
            case .string: column.append(string: String(value % 1_000, radix: 2))
            }
        }
        return column
    }
}

private func values(_ column: Column) -> [String] {
    (0..<column.count).map { row in
        if column.isNull(row) { return "null" }
        switch column.type {
        case .bool: return "\(column.bools[row])"
        case .int64, .timestamp: return "\(column.integers[row])"
        case .float64: return "\(column.doubles[row])"
        case .decimal: return "\(column.decimals[row])"
        case .string: return column.string(at: row)
        }
    }
}

@Test(arguments: [0, 30] as [UInt64], [0, 30] as [UInt64])
func rowsOfAColumnAreAppendedAsTheyAre(nullsThere: UInt64, nullsHere: UInt64) {
    let seed = UInt64.random(in: 0 ... .max)
    print("seed \(seed)")
    var random = SplitMix64(seed: seed)
    for (there, before) in zip(columns(200, nulls: nullsThere, &random), columns(20, nulls: nullsHere, &random)) {
        let rows = (0..<50).map { _ in Int32(random.next() % 200) }
        var here = before
        rows.withUnsafeBufferPointer { here.append($0, of: there, isNullable: true) }
        #expect(values(here) == values(before) + rows.map { values(there)[Int($0)] }, "\(there.type)")
    }
}

@Test func aNullThatIsNotAmongTheRowsLeavesNoTrace() {
    var random = SplitMix64(seed: 1)
    for there in columns(100, nulls: 50, &random) {
        let rows = (0..<100).filter { !there.isNull($0) }.map(Int32.init)
        var here = Column(there.type)
        rows.withUnsafeBufferPointer { here.append($0, of: there, isNullable: true) }
        #expect(!here.hasNulls && here.count == rows.count)
    }
}
