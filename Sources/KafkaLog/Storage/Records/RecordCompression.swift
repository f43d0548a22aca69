import CLZ4
import CSnappy
import CZlib
import CZstd

/// The codecs of record batches, with a hard bound on what comes out: a few bytes can unpack to gigabytes.
enum RecordCompression {
    /// Unpacks the records of a batch.
    /// - Parameter limit: the largest result that is taken, bytes.
    /// - Throws: `corruptMessage` when the bytes are not of this codec, `invalidRecord` when the result would be larger than `limit`.
    static func decompress(
        _ bytes: UnsafeRawBufferPointer, _ codec: RecordBatchHeader.Compression, limit: Int
    ) throws(StorageError) -> [UInt8] {
        switch codec {
        case .none:
            guard bytes.count <= limit else { throw tooLarge(limit) }
            return [UInt8](bytes)
        case .gzip: return try gunzip(bytes, limit: limit)
        case .snappy: return try unsnappy(bytes, limit: limit)
        case .lz4: return try unpackLZ4(bytes, limit: limit)
        case .zstd: return try unpackZstandard(bytes, limit: limit)
        }
    }

    /// Packs records in the form that every client reads.
    static func compress(_ bytes: [UInt8], _ codec: RecordBatchHeader.Compression) throws(StorageError) -> [UInt8] {
        switch codec {
        case .none: bytes
        case .gzip: try gzip(bytes)
        case .snappy: try snappy(bytes)
        case .lz4: try packLZ4(bytes)
        case .zstd: try packZstandard(bytes)
        }
    }

    private static func tooLarge(_ limit: Int) -> StorageError {
        StorageError(.invalidRecord, "the records of a compressed batch have more than \(limit) bytes when they are unpacked")
    }

    private static func corrupt(_ codec: String) -> StorageError {
        StorageError(.corruptMessage, "the records of a batch that says to be compressed with \(codec) cannot be unpacked")
    }

    private static func failed(_ codec: String) -> StorageError {
        StorageError(.storageError, "records cannot be compressed with \(codec)")
    }

    /// Room for what is unpacked: it grows as bytes come, not as a header says.
    private struct Output {
        let limit: Int
        var bytes: [UInt8]
        var count = 0

        init(_ input: Int, limit: Int) {
            self.limit = limit
            bytes = [UInt8](repeating: 0, count: min(limit + 1, max(1 << 12, input * 4)))
        }

        /// Sees to it that there is room. One byte beyond the limit has room, so that going beyond it is noticed.
        mutating func makeRoom() throws(StorageError) {
            guard count > limit || count == bytes.count else { return }
            guard count <= limit else { throw RecordCompression.tooLarge(limit) }
            bytes.append(contentsOf: repeatElement(0, count: min(bytes.count, limit + 1 - bytes.count)))
        }

        func finished() throws(StorageError) -> [UInt8] {
            guard count <= limit else { throw RecordCompression.tooLarge(limit) }
            return [UInt8](bytes[..<count])
        }
    }

    // MARK: gzip

    private static let gzipWindow: Int32 = 15 + 16

    private static func gunzip(_ input: UnsafeRawBufferPointer, limit: Int) throws(StorageError) -> [UInt8] {
        var stream = z_stream()
        guard inflateInit2_(&stream, gzipWindow, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { throw corrupt("gzip") }
        defer { inflateEnd(&stream) }
        stream.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
        stream.avail_in = UInt32(input.count)
        var output = Output(input.count, limit: limit)
        while true {
            try output.makeRoom()
            let from = output.count
            let (result, left) = output.bytes.withUnsafeMutableBufferPointer { buffer in
                stream.next_out = buffer.baseAddress! + from
                stream.avail_out = UInt32(buffer.count - from)
                return (inflate(&stream, Z_NO_FLUSH), Int(stream.avail_out))
            }
            output.count = output.bytes.count - left
            if result == Z_STREAM_END {
                if stream.avail_in == 0 { return try output.finished() }
                // Another member follows.
                guard inflateReset(&stream) == Z_OK else { throw corrupt("gzip") }
                continue
            }
            guard result == Z_OK, left == 0 || stream.avail_in > 0 else { throw corrupt("gzip") }
        }
    }

    private static func gzip(_ bytes: [UInt8]) throws(StorageError) -> [UInt8] {
        var stream = z_stream()
        guard
            deflateInit2_(
                &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzipWindow, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { throw failed("gzip") }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(bytes.count)))
        var isDone = false
        let packed = bytes.withUnsafeBufferPointer { input in
            [UInt8](unsafeUninitializedCapacity: bound) { output, count in
                stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(bound)
                isDone = deflate(&stream, Z_FINISH) == Z_STREAM_END
                count = bound - Int(stream.avail_out)
            }
        }
        guard isDone else { throw failed("gzip") }
        return packed
    }

    // MARK: snappy

    /// How snappy-java, and so Kafka's own clients, begin: then come blocks with their length before them.
    private static let xerial: [UInt8] = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]
    private static let xerialHeader: [UInt8] = xerial + [0, 0, 0, 1, 0, 0, 0, 1]
    private static let xerialBlock = 32 << 10

    private static func unsnappy(_ input: UnsafeRawBufferPointer, limit: Int) throws(StorageError) -> [UInt8] {
        var output: [UInt8] = []
        guard input.count >= xerialHeader.count, input.starts(with: xerial) else {
            try unsnappyBlock(input, &output, limit: limit)
            return output
        }
        var position = xerialHeader.count
        while position < input.count {
            guard input.count - position >= 4 else { throw corrupt("snappy") }
            let length = Int(input.bigEndian(position, as: UInt32.self))
            position += 4
            guard length <= input.count - position else { throw corrupt("snappy") }
            try unsnappyBlock(UnsafeRawBufferPointer(rebasing: input[position..<position + length]), &output, limit: limit)
            position += length
        }
        return output
    }

    private static func unsnappyBlock(
        _ block: UnsafeRawBufferPointer, _ output: inout [UInt8], limit: Int
    ) throws(StorageError) {
        let bytes = block.bindMemory(to: CChar.self)
        var length = 0
        guard snappy_uncompressed_length(bytes.baseAddress, bytes.count, &length) == SNAPPY_OK else { throw corrupt("snappy") }
        guard length <= limit - output.count else { throw tooLarge(limit) }
        // Snappy packs no better than 64 to 3: a length that lies costs nothing.
        guard length <= block.count * 24 + 64 else { throw corrupt("snappy") }
        var isRight = false
        let part = [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            var written = length
            buffer.withMemoryRebound(to: CChar.self) { buffer in
                isRight = snappy_uncompress(bytes.baseAddress, bytes.count, buffer.baseAddress, &written) == SNAPPY_OK
            }
            count = isRight ? written : 0
        }
        guard isRight else { throw corrupt("snappy") }
        output += part
    }

    private static func snappy(_ bytes: [UInt8]) throws(StorageError) -> [UInt8] {
        var packed = xerialHeader
        var start = 0
        while start < bytes.count {
            let block = bytes[start..<min(start + xerialBlock, bytes.count)]
            start = block.endIndex
            let bound = snappy_max_compressed_length(block.count)
            var isDone = false
            let part = block.withUnsafeBytes { input in
                [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
                    var written = bound
                    buffer.withMemoryRebound(to: CChar.self) { buffer in
                        isDone = snappy_compress(
                            input.bindMemory(to: CChar.self).baseAddress, input.count, buffer.baseAddress, &written) == SNAPPY_OK
                    }
                    count = isDone ? written : 0
                }
            }
            guard isDone else { throw failed("snappy") }
            packed.append(bigEndian: UInt32(part.count))
            packed += part
        }
        return packed
    }

    // MARK: lz4

    private static func unpackLZ4(_ input: UnsafeRawBufferPointer, limit: Int) throws(StorageError) -> [UInt8] {
        var context: OpaquePointer?
        guard LZ4F_isError(LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))) == 0 else { throw corrupt("lz4") }
        defer { LZ4F_freeDecompressionContext(context) }
        var output = Output(input.count, limit: limit)
        var position = 0
        while true {
            try output.makeRoom()
            let from = output.count
            var consumed = input.count - position
            var produced = output.bytes.count - from
            let result = output.bytes.withUnsafeMutableBytes { buffer in
                LZ4F_decompress(context, buffer.baseAddress! + from, &produced, input.baseAddress.map { $0 + position }, &consumed, nil)
            }
            guard LZ4F_isError(result) == 0 else { throw corrupt("lz4") }
            position += consumed
            output.count += produced
            // 0: the frame is whole, and another may follow.
            if result == 0 && position == input.count { return try output.finished() }
            guard consumed > 0 || produced > 0 else { throw corrupt("lz4") }
        }
    }

    private static func packLZ4(_ bytes: [UInt8]) throws(StorageError) -> [UInt8] {
        var preferences = LZ4F_preferences_t()
        // Blocks that stand alone, as Kafka's clients write them: some read nothing else.
        preferences.frameInfo.blockMode = LZ4F_blockIndependent
        let bound = LZ4F_compressFrameBound(bytes.count, &preferences)
        var result = 0
        let packed = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            result = bytes.withUnsafeBytes { LZ4F_compressFrame(buffer.baseAddress, bound, $0.baseAddress, $0.count, &preferences) }
            count = LZ4F_isError(result) == 0 ? result : 0
        }
        guard LZ4F_isError(result) == 0 else { throw failed("lz4") }
        return packed
    }

    // MARK: zstd

    private static func unpackZstandard(_ input: UnsafeRawBufferPointer, limit: Int) throws(StorageError) -> [UInt8] {
        guard let context = ZSTD_createDCtx() else { throw corrupt("zstd") }
        defer { ZSTD_freeDCtx(context) }
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var output = Output(input.count, limit: limit)
        while true {
            try output.makeRoom()
            let (result, written) = output.bytes.withUnsafeMutableBytes { [from = output.count] buffer in
                var target = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: from)
                let result = ZSTD_decompressStream(context, &target, &source)
                return (result, target.pos)
            }
            guard ZSTD_isError(result) == 0 else { throw corrupt("zstd") }
            let isStuck = written == output.count && written < output.bytes.count && source.pos == source.size
            output.count = written
            if result == 0 && source.pos == source.size { return try output.finished() }
            guard !isStuck else { throw corrupt("zstd") }
        }
    }

    private static func packZstandard(_ bytes: [UInt8]) throws(StorageError) -> [UInt8] {
        let bound = ZSTD_compressBound(bytes.count)
        var result = 0
        let packed = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            result = bytes.withUnsafeBytes { ZSTD_compress(buffer.baseAddress, bound, $0.baseAddress, $0.count, 3) }
            count = ZSTD_isError(result) == 0 ? result : 0
        }
        guard ZSTD_isError(result) == 0 else { throw failed("zstd") }
        return packed
    }
}
