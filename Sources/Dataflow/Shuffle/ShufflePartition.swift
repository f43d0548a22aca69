/// The partition of an internal topic that a key belongs to.
///
/// `hash` is `hash64` of the key bytes (`KeyCodec`), `count` the number of partitions, at least one. State below a shuffle lies
/// where this says, so it does not change. Mixed before it is reduced: tables place keys by the low and the
/// highest bits of the same hash, and the keys of one partition must not have any of them in common.
package func shufflePartition(_ hash: UInt64, of count: Int) -> Int {
    Int((hash &* 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(by: UInt64(count)).high)
}

/// How large a block of rows or windows gets, in bytes: below what a log takes as one record without being told.
let shuffleBlockBytes = 512 * 1024
