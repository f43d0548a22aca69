/// Synthetic records, one after the other.
protocol RecordStream {
    /// Puts the next record's key and value into the arrays, which are emptied first.
    mutating func next(key: inout [UInt8], value: inout [UInt8])
}
