import Batch

/// One column of one row group, encoded: its pages as they go into the file, and what the footer says of them.
struct ColumnChunk {
    struct Page {
        var statistics: Statistics
        /// Within `bytes`.
        var offset: Int
        var compressedSize: Int
        var firstRow: Int
        var hasValues: Bool
    }

    static let pageBytes = 1 << 20
    static let pageRows = 20_000
    static let dictionaryBytes = 1 << 20

    let field: Field
    let physical: PhysicalType
    private(set) var bytes: [UInt8] = []
    private(set) var pages: [Page] = []
    private(set) var dictionarySize = 0
    private(set) var uncompressedSize = 0
    private(set) var compressedSize = 0
    let statistics: Statistics
    let rowCount: Int

    /// Encodes rows `range` of `column`: with a dictionary where that is smaller, else plain.
    init(_ field: Field, _ column: Column, rows range: Range<Int>, compression: Compression) throws(ParquetError) {
        self.field = field
        self.physical = PhysicalType(field.type)
        self.rowCount = range.count
        self.statistics = Statistics(column, rows: range, physical: physical)
        let dictionary = Dictionary(column, range, physical)
        if let dictionary {
            try appendPage(
                content: dictionary.plain, compression: compression,
                header: { header in
                    header.field(
                        7,
                        structure: {
                            $0.field(1, i32: Int32(dictionary.count))
                            $0.field(2, i32: Self.plainEncoding)
                        })
                }, type: 2)
            dictionarySize = bytes.count
        }
        var start = range.lowerBound
        while start < range.upperBound {
            let end = pageEnd(column, from: start, to: range.upperBound)
            try appendDataPage(column, start..<end, first: range.lowerBound, dictionary, compression)
            start = end
        }
        compressedSize = bytes.count
    }

    /// The pages are in the file: only what the footer needs stays.
    mutating func dropBytes() {
        bytes = []
    }

    static let plainEncoding: Int32 = 0
    static let rleEncoding: Int32 = 3
    static let rleDictionaryEncoding: Int32 = 8

    var encodings: [Int32] {
        dictionarySize > 0 ? [Self.plainEncoding, Self.rleEncoding, Self.rleDictionaryEncoding] : [Self.plainEncoding, Self.rleEncoding]
    }

    private func pageEnd(_ column: Column, from start: Int, to limit: Int) -> Int {
        let end = min(limit, start + Self.pageRows)
        guard column.type == .string else { return end }
        var size = 0
        for row in start..<end {
            size += Int(column.views[row].length)
            if size > Self.pageBytes { return max(row, start + 1) }
        }
        return end
    }

    private mutating func appendDataPage(
        _ column: Column, _ rows: Range<Int>, first: Int, _ dictionary: Dictionary?, _ compression: Compression
    ) throws(ParquetError) {
        var content: [UInt8] = []
        let statistics = Statistics(column, rows: rows, physical: physical)
        if field.isNullable {
            var levels: [UInt8] = []
            HybridEncoder.encode(rows.map { column.isNull($0) ? 0 : 1 }[...], bitWidth: 1, into: &levels)
            withUnsafeBytes(of: UInt32(levels.count).littleEndian) { content.append(contentsOf: $0) }
            content += levels
        }
        let values = rows.filter { !column.isNull($0) }
        if let dictionary {
            content.append(UInt8(dictionary.bitWidth))
            HybridEncoder.encode(values.map { dictionary.indexes[$0 - first] }[...], bitWidth: dictionary.bitWidth, into: &content)
        } else if physical == .boolean {
            // PLAIN booleans are bits, least significant first.
            for start in stride(from: 0, to: values.count, by: 8) {
                content.append(
                    values[start..<min(start + 8, values.count)].enumerated().reduce(0) { $0 | column.bools[$1.element] << $1.offset })
            }
        } else {
            for row in values { column.appendPlain(row, as: physical, to: &content) }
        }
        let offset = bytes.count
        try appendPage(
            content: content, compression: compression,
            header: { header in
                header.field(
                    5,
                    structure: {
                        $0.field(1, i32: Int32(rows.count))
                        $0.field(2, i32: dictionary == nil ? Self.plainEncoding : Self.rleDictionaryEncoding)
                        $0.field(3, i32: Self.rleEncoding)
                        $0.field(4, i32: Self.rleEncoding)
                        $0.field(5, structure: { statistics.write(to: &$0) })
                    })
            }, type: 0)
        pages.append(
            Page(
                statistics: statistics, offset: offset, compressedSize: bytes.count - offset, firstRow: rows.lowerBound - first,
                hasValues: !values.isEmpty))
    }

    private mutating func appendPage(
        content: [UInt8], compression: Compression, header: (inout ThriftCompactWriter) -> Void, type: Int32
    ) throws(ParquetError) {
        let compressed = try compression.compress(content)
        var writer = ThriftCompactWriter()
        writer.structure {
            $0.field(1, i32: type)
            $0.field(2, i32: Int32(content.count))
            $0.field(3, i32: Int32(compressed.count))
            header(&$0)
        }
        bytes += writer.bytes
        bytes += compressed
        uncompressedSize += writer.bytes.count + content.count
    }

    /// parquet.thrift `ColumnMetaData`.
    func writeMetadata(to writer: inout ThriftCompactWriter, chunkAt offset: Int, codec: Int32) {
        writer.field(1, i32: physical.code)
        writer.field(2, i32s: encodings)
        writer.field(3, binaries: [Array(field.name.utf8)])
        writer.field(4, i32: codec)
        writer.field(5, i64: Int64(rowCount))
        writer.field(6, i64: Int64(uncompressedSize))
        writer.field(7, i64: Int64(compressedSize))
        writer.field(9, i64: Int64(offset + dictionarySize))
        if dictionarySize > 0 { writer.field(11, i64: Int64(offset)) }
        writer.field(12, structure: { statistics.write(to: &$0) })
    }

    /// parquet.thrift `ColumnIndex`: readers skip pages by it.
    func writeColumnIndex(to writer: inout ThriftCompactWriter) {
        writer.field(1, bools: pages.map { !$0.hasValues })
        writer.field(2, binaries: pages.map { $0.statistics.minimum ?? [] })
        writer.field(3, binaries: pages.map { $0.statistics.maximum ?? [] })
        writer.field(4, i32: 0)
        writer.field(5, i64s: pages.map { Int64($0.statistics.nullCount) })
    }

    /// Whether the bounds of every page with values are known, so that a column index may be written.
    var hasColumnIndex: Bool {
        pages.allSatisfy { !$0.hasValues || $0.statistics.minimum != nil }
    }

    /// parquet.thrift `OffsetIndex`.
    func writeOffsetIndex(to writer: inout ThriftCompactWriter, chunkAt offset: Int) {
        writer.field(1, structures: pages) { writer, page in
            writer.field(1, i64: Int64(offset + page.offset))
            writer.field(2, i32: Int32(page.compressedSize))
            writer.field(3, i64: Int64(page.firstRow))
        }
    }

    /// The distinct values of a chunk and each row's place among them; none where they would not make it smaller.
    private struct Dictionary {
        private(set) var plain: [UInt8] = []
        private(set) var count = 0
        /// One a row; 0 where it is null.
        private(set) var indexes: [UInt32] = []

        var bitWidth: Int { max(1, UInt32.bitWidth - UInt32(max(count, 1) - 1).leadingZeroBitCount) }

        init?(_ column: Column, _ range: Range<Int>, _ physical: PhysicalType) {
            guard physical != .boolean, !range.isEmpty else { return nil }
            var places: [Hash128: UInt32] = [:]
            indexes.reserveCapacity(range.count)
            var values = 0
            for row in range {
                if column.isNull(row) {
                    indexes.append(0)
                    continue
                }
                values += 1
                let identity = column.identity(row)
                if let place = places[identity] {
                    indexes.append(place)
                    continue
                }
                places[identity] = UInt32(count)
                indexes.append(UInt32(count))
                column.appendPlain(row, as: physical, to: &plain)
                count += 1
                if plain.count > ColumnChunk.dictionaryBytes { return nil }
                // Mostly distinct: a dictionary would hold the values once more.
                if values >= 1_000, count > values / 4 * 3 { return nil }
            }
            if values == 0 || (values >= 16 && count > values / 4 * 3) { return nil }
        }
    }
}
