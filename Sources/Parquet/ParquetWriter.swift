import Batch
import Glibc

/// Writes one Parquet file (github.com/apache/parquet-format): row groups of dictionary or plain encoded, compressed
/// pages, with statistics for pages, page indexes and row groups, and the logical types of the schema.
///
/// The file is complete and on disk when `finish` returns; a file without its footer is what a crash leaves.
/// The same rows written in the same calls give the same bytes.
package struct ParquetWriter: ~Copyable {
    package struct Summary: Equatable, Sendable {
        package var bytes: Int
        package var rows: Int
    }

    private struct RowGroup {
        var chunks: [(chunk: ColumnChunk, offset: Int)]
        var rows: Int
    }

    package static let rowGroupRows = 250_000

    private let path: String
    private let schema: Schema
    private let compression: Compression
    private let descriptor: Int32
    private var offset = 0
    private var groups: [RowGroup] = []
    private var rows = 0

    /// Creates `path`, replacing what is there. Its directory has to exist.
    package init(path: String, schema: Schema, compression: Compression = .zstd) throws(ParquetError) {
        self.path = path
        self.schema = schema
        self.compression = compression
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw ParquetError("create", path, errno) }
        try write(Array("PAR1".utf8))
    }

    deinit {
        close(descriptor)
    }

    /// Appends rows `range` of `columns`, one a field of the schema, as one or more row groups: give it many at once.
    package mutating func write(_ columns: [Column], rows range: Range<Int>) throws(ParquetError) {
        precondition(columns.count == schema.fields.count, "a column for each field")
        var start = range.lowerBound
        while start < range.upperBound {
            let end = min(range.upperBound, start + Self.rowGroupRows)
            var group = RowGroup(chunks: [], rows: end - start)
            for (field, column) in zip(schema.fields, columns) {
                var chunk = try ColumnChunk(field, column, rows: start..<end, compression: compression)
                let at = offset
                try write(chunk.bytes)
                chunk.dropBytes()
                group.chunks.append((chunk, at))
            }
            groups.append(group)
            rows += group.rows
            start = end
        }
    }

    /// Writes indexes and footer and waits until all of it is on disk.
    package consuming func finish() throws(ParquetError) -> Summary {
        var columnIndexes: [[(offset: Int, length: Int)?]] = []
        var offsetIndexes: [[(offset: Int, length: Int)]] = []
        for group in groups {
            var places: [(offset: Int, length: Int)?] = []
            for (chunk, _) in group.chunks {
                places.append(chunk.hasColumnIndex ? try append { chunk.writeColumnIndex(to: &$0) } : nil)
            }
            columnIndexes.append(places)
        }
        for group in groups {
            var places: [(offset: Int, length: Int)] = []
            for (chunk, at) in group.chunks { places.append(try append { chunk.writeOffsetIndex(to: &$0, chunkAt: at) }) }
            offsetIndexes.append(places)
        }
        let schema = schema
        let groups = groups
        let rows = rows
        let codec = compression.code
        let footer = try append { footer in
            footer.field(1, i32: 2)
            Self.write(schema, to: &footer)
            footer.field(3, i64: Int64(rows))
            footer.field(4, structures: Array(groups.enumerated())) { writer, element in
                Self.write(
                    element.element, ordinal: element.offset, codec: codec, columnIndexes: columnIndexes[element.offset],
                    offsetIndexes: offsetIndexes[element.offset], to: &writer)
            }
            footer.field(6, string: "millrace")
            // Bounds are in the order that the types define.
            footer.field(7, structures: schema.fields) { writer, _ in writer.field(1, structure: { _ in }) }
        }
        try write(withUnsafeBytes(of: UInt32(footer.length).littleEndian) { Array($0) } + Array("PAR1".utf8))
        guard fsync(descriptor) == 0 else { throw ParquetError("fsync", path, errno) }
        return Summary(bytes: offset, rows: rows)
    }

    private mutating func append(_ body: (inout ThriftCompactWriter) -> Void) throws(ParquetError) -> (offset: Int, length: Int) {
        var writer = ThriftCompactWriter()
        writer.structure(body)
        let at = offset
        try write(writer.bytes)
        return (at, writer.bytes.count)
    }

    private static func write(_ schema: Schema, to writer: inout ThriftCompactWriter) {
        let root = (name: "schema", field: Field?.none)
        writer.field(2, structures: [root] + schema.fields.map { ($0.name, $0) }) { element, entry in
            guard let field = entry.field else {
                element.field(4, string: entry.name)
                element.field(5, i32: Int32(schema.fields.count))
                return
            }
            let physical = PhysicalType(field.type)
            element.field(1, i32: physical.code)
            if case .fixedBytes(let count) = physical { element.field(2, i32: Int32(count)) }
            element.field(3, i32: field.isNullable ? 1 : 0)
            element.field(4, string: field.name)
            switch field.type {
            case .bool, .int64, .float64: break
            case .string:
                element.field(6, i32: 0)
                element.field(10, structure: { $0.field(1, structure: { _ in }) })
            case .timestamp:
                element.field(6, i32: 10)
                element.field(
                    10,
                    structure: {
                        $0.field(
                            8,
                            structure: {
                                $0.field(1, bool: true)
                                $0.field(2, structure: { $0.field(2, structure: { _ in }) })
                            })
                    })
            case .decimal(let precision, let scale):
                element.field(6, i32: 5)
                element.field(7, i32: Int32(scale))
                element.field(8, i32: Int32(precision))
                element.field(
                    10,
                    structure: {
                        $0.field(
                            5,
                            structure: {
                                $0.field(1, i32: Int32(scale))
                                $0.field(2, i32: Int32(precision))
                            })
                    })
            }
        }
    }

    private static func write(
        _ group: RowGroup, ordinal: Int, codec: Int32, columnIndexes: [(offset: Int, length: Int)?],
        offsetIndexes: [(offset: Int, length: Int)], to writer: inout ThriftCompactWriter
    ) {
        writer.field(1, structures: Array(group.chunks.enumerated())) { writer, element in
            let (position, (chunk, at)) = element
            writer.field(2, i64: 0)
            writer.field(3, structure: { chunk.writeMetadata(to: &$0, chunkAt: at, codec: codec) })
            writer.field(4, i64: Int64(offsetIndexes[position].offset))
            writer.field(5, i32: Int32(offsetIndexes[position].length))
            if let index = columnIndexes[position] {
                writer.field(6, i64: Int64(index.offset))
                writer.field(7, i32: Int32(index.length))
            }
        }
        writer.field(2, i64: Int64(group.chunks.reduce(0) { $0 + $1.chunk.uncompressedSize }))
        writer.field(3, i64: Int64(group.rows))
        writer.field(5, i64: Int64(group.chunks.first?.offset ?? 4))
        writer.field(6, i64: Int64(group.chunks.reduce(0) { $0 + $1.chunk.compressedSize }))
        if let ordinal = Int16(exactly: ordinal) { writer.field(7, i16: ordinal) }
    }

    private mutating func write(_ bytes: [UInt8]) throws(ParquetError) {
        var start = 0
        while start < bytes.count {
            let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + start, $0.count - start) }
            if written < 0 {
                if errno == EINTR { continue }
                throw ParquetError("write to", path, errno)
            }
            start += written
        }
        offset += bytes.count
    }
}
