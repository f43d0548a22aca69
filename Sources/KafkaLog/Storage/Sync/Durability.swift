/// When an append counts as acknowledged.
package enum Durability: Sendable, Hashable {
    /// On disk before the acknowledgement: the high watermark follows fsync (group commit).
    case commit
    /// At once; fsync follows within so many milliseconds (1 and up). A power cut may lose that much.
    case interval(milliseconds: Int)
    /// At once; the operating system writes back when it likes. Only a clean shutdown is safe.
    case never
}
