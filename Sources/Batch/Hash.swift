import CXXHash

/// 128 bits that stand for a string of bytes. Two different inputs collide with probability 2^-128.
@usableFromInline
package struct Hash128: Hashable, Sendable {
    @usableFromInline package var low: UInt64
    @usableFromInline package var high: UInt64

    @inlinable
    package init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }
}

// XXH3 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md): stable across versions and machines, so hashes may be stored.

/// The 64-bit hash by which tables place a key.
@inlinable
package func hash64(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    XXH_INLINE_XXH3_64bits(bytes.baseAddress, bytes.count)
}

/// The 128-bit hash that may stand for the bytes themselves (remembered ids, distinct values).
@inlinable
package func hash128(_ bytes: UnsafeRawBufferPointer) -> Hash128 {
    let hash = XXH_INLINE_XXH3_128bits(bytes.baseAddress, bytes.count)
    return Hash128(low: hash.low64, high: hash.high64)
}
