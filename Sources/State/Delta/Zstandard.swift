import CZstd

/// A zstd compression context, used again from block to block.
final class Compressor {
    private let context: OpaquePointer
    private let level: Int32
    private var buffer: [UInt8] = []

    init(level: Int32) {
        guard let context = ZSTD_createCCtx() else { preconditionFailure("out of memory: a compression context") }
        self.context = context
        self.level = level
    }

    deinit { ZSTD_freeCCtx(context) }

    /// One frame, which says how long `bytes` were. Good until the next call.
    func compress(_ bytes: UnsafeRawBufferPointer) -> ArraySlice<UInt8> {
        let bound = ZSTD_compressBound(bytes.count)
        if buffer.count < bound { buffer = [UInt8](repeating: 0, count: bound) }
        let count = buffer.withUnsafeMutableBytes {
            ZSTD_compressCCtx(context, $0.baseAddress, $0.count, bytes.baseAddress, bytes.count, level)
        }
        precondition(ZSTD_isError(count) == 0, "zstd with room for its bound only fails without memory")
        return buffer[..<count]
    }
}

/// A zstd decompression context with its buffer.
final class Decompressor {
    private let context: OpaquePointer
    private var buffer: UnsafeMutableRawBufferPointer

    init() {
        guard let context = ZSTD_createDCtx() else { preconditionFailure("out of memory: a decompression context") }
        self.context = context
        self.buffer = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    }

    deinit {
        ZSTD_freeDCtx(context)
        buffer.deallocate()
    }

    /// - Returns: the bytes, good until the next call; nil when `compressed` is not one frame of exactly `count` bytes.
    func decompress(_ compressed: UnsafeRawBufferPointer, count: Int) -> UnsafeRawBufferPointer? {
        // Asked before anything is allocated for it.
        guard ZSTD_getFrameContentSize(compressed.baseAddress, compressed.count) == UInt64(count) else { return nil }
        if buffer.count < count {
            buffer.deallocate()
            buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
        }
        let written = ZSTD_decompressDCtx(context, buffer.baseAddress, count, compressed.baseAddress, compressed.count)
        guard ZSTD_isError(written) == 0, written == count else { return nil }
        return UnsafeRawBufferPointer(start: buffer.baseAddress, count: count)
    }
}
