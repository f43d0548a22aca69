import CSnappy
import CZstd

/// How pages are compressed (parquet.thrift `CompressionCodec`).
package enum Compression: String, CaseIterable, Sendable {
    case zstd
    case snappy
    case none

    var code: Int32 {
        switch self {
        case .none: 0
        case .snappy: 1
        case .zstd: 6
        }
    }

    func compress(_ bytes: [UInt8]) throws(ParquetError) -> [UInt8] {
        switch self {
        case .none:
            return bytes
        case .snappy:
            var written = snappy_max_compressed_length(bytes.count)
            var out = [UInt8](repeating: 0, count: written)
            let status = bytes.withUnsafeBytes { source in
                out.withUnsafeMutableBytes { target in
                    snappy_compress(
                        source.bindMemory(to: CChar.self).baseAddress, source.count,
                        target.bindMemory(to: CChar.self).baseAddress, &written)
                }
            }
            guard status == SNAPPY_OK else { throw ParquetError("snappy refused \(bytes.count) bytes (status \(status.rawValue))") }
            out.removeLast(out.count - written)
            return out
        case .zstd:
            var out = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
            let written = bytes.withUnsafeBytes { source in
                out.withUnsafeMutableBytes { ZSTD_compress($0.baseAddress, $0.count, source.baseAddress, source.count, 1) }
            }
            guard ZSTD_isError(written) == 0 else {
                throw ParquetError("zstd refused \(bytes.count) bytes: \(String(cString: ZSTD_getErrorName(written)))")
            }
            out.removeLast(out.count - written)
            return out
        }
    }
}
