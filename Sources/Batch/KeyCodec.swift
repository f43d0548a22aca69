/// Keys of a batch's rows: the group-by columns of a row as one string of bytes.
package struct KeyColumn: Sendable {
    /// One a row of the batch; rows that are not selected hold the empty view.
    package var views: [StringView] = []
    package var bytes: [UInt8] = []
    /// `hash64` of the key, one a row.
    package var hashes: [UInt64] = []

    package init() {}
}

/// Turns the group-by columns of a row into key bytes and back.
///
/// The encoding is injective, and stored (deltas, RocksDB): it does not change.
/// One string column that cannot be null is its own UTF-8. Otherwise, column after column:
/// a nullable column begins with 0 for null (nothing follows) or 1; bool is one byte; int64 and timestamp are eight
/// bytes, big-endian with the sign bit flipped; float64 is eight bytes, big-endian bits of the value, with -0 as 0 and one NaN;
/// decimal is sixteen bytes like int64; a string is a 4-byte big-endian length and its UTF-8.
package struct KeyCodec: Hashable, Sendable {
    package let fields: [Field]
    /// Positions of the fields in the batch's schema.
    package let positions: [Int]

    package init(schema: Schema, positions: [Int]) {
        self.positions = positions
        self.fields = positions.map { schema.fields[$0] }
    }

    package var isPlainString: Bool {
        fields.count == 1 && fields[0].type == .string && !fields[0].isNullable
    }

    /// Encodes and hashes the keys of all selected rows of `batch` into `keys`.
    package func encode(_ batch: Batch, into keys: inout KeyColumn) {
        if isPlainString {
            keys.views = batch.columns[positions[0]].views
            keys.bytes = batch.columns[positions[0]].bytes
        } else {
            encodeComposite(batch, into: &keys)
        }
        if keys.hashes.count != batch.rowCount {
            keys.hashes = [UInt64](repeating: 0, count: batch.rowCount)
        }
        Self.hash(batch.selection, keys.views, keys.bytes, into: &keys.hashes)
    }

    private static func hash(_ selection: [Int32], _ views: [StringView], _ bytes: [UInt8], into hashes: inout [UInt64]) {
        let views = views.span
        var hashes = hashes.mutableSpan
        bytes.withUnsafeBytes { bytes in
            for row in selection {
                let view = views[Int(row)]
                hashes[Int(row)] = hash64(
                    UnsafeRawBufferPointer(rebasing: bytes[Int(view.start)..<Int(view.start) + Int(view.length)]))
            }
        }
    }

    private func encodeComposite(_ batch: Batch, into keys: inout KeyColumn) {
        keys.bytes.removeAll(keepingCapacity: true)
        keys.views.removeAll(keepingCapacity: true)
        keys.views.append(contentsOf: repeatElement(StringView(start: 0, length: 0), count: batch.rowCount))
        for row in batch.selection {
            let row = Int(row)
            let start = keys.bytes.count
            for (field, position) in zip(fields, positions) {
                encode(batch.columns[position], row, field, into: &keys.bytes)
            }
            precondition(keys.bytes.count <= Int(UInt32.max), "the keys of one batch hold at most 4 GiB")
            keys.views[row] = StringView(start: UInt32(start), length: UInt32(keys.bytes.count - start))
        }
    }

    private func encode(_ column: Column, _ row: Int, _ field: Field, into bytes: inout [UInt8]) {
        if field.isNullable {
            if column.isNull(row) {
                bytes.append(0)
                return
            }
            bytes.append(1)
        }
        switch field.type {
        case .bool:
            bytes.append(column.bools[row])
        case .int64, .timestamp:
            append(UInt64(bitPattern: column.integers[row]) ^ (1 << 63), to: &bytes)
        case .float64:
            let value = column.doubles[row]
            append(value.isNaN ? Double.nan.bitPattern : value == 0 ? 0 : value.bitPattern, to: &bytes)
        case .decimal:
            let value = UInt128(bitPattern: column.decimals[row]) ^ (1 << 127)
            append(UInt64(truncatingIfNeeded: value >> 64), to: &bytes)
            append(UInt64(truncatingIfNeeded: value), to: &bytes)
        case .string:
            let view = column.views[row]
            for shift in [24, 16, 8, 0] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: view.length >> shift)) }
            bytes.append(contentsOf: column.bytes[Int(view.start)..<Int(view.start) + Int(view.length)])
        }
    }

    private func append(_ word: UInt64, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) }
    }

    /// Appends the values of one encoded key to `columns`, which are one a field, in order.
    /// - Returns: false when `key` is no key of these fields; `columns` are then of uneven length.
    package func decode(_ key: UnsafeRawBufferPointer, into columns: inout [Column]) -> Bool {
        if isPlainString {
            columns[0].append(utf8: key)
            return true
        }
        var rest = key[...]
        for (index, field) in fields.enumerated() {
            guard decode(&rest, field, into: &columns[index]) else { return false }
        }
        return rest.isEmpty
    }

    private func decode(_ rest: inout Slice<UnsafeRawBufferPointer>, _ field: Field, into column: inout Column) -> Bool {
        if field.isNullable {
            guard let tag = rest.popFirst(), tag <= 1 else { return false }
            if tag == 0 {
                column.appendNull()
                return true
            }
        }
        switch field.type {
        case .bool:
            guard let byte = rest.popFirst(), byte <= 1 else { return false }
            column.append(bool: byte == 1)
        case .int64, .timestamp:
            guard let word = word(&rest) else { return false }
            column.append(integer: Int64(bitPattern: word ^ (1 << 63)))
        case .float64:
            guard let word = word(&rest) else { return false }
            column.append(double: Double(bitPattern: word))
        case .decimal:
            guard let high = word(&rest), let low = word(&rest) else { return false }
            column.append(decimal: Int128(bitPattern: (UInt128(high) << 64 | UInt128(low)) ^ (1 << 127)))
        case .string:
            guard rest.count >= 4 else { return false }
            let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4)
            guard rest.count >= length else { return false }
            column.append(utf8: UnsafeRawBufferPointer(rebasing: rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return true
    }

    private func word(_ rest: inout Slice<UnsafeRawBufferPointer>) -> UInt64? {
        guard rest.count >= 8 else { return nil }
        let word = rest.prefix(8).reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        rest = rest.dropFirst(8)
        return word
    }
}
