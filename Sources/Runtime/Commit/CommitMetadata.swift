/// What the committed offset of a partition carries: which delta it belongs to, as `m1:<epoch>:<delta id>`.
package struct CommitMetadata: Equatable, Sendable {
    var epoch: Int
    var delta: UInt64

    package init(epoch: Int, delta: UInt64) {
        self.epoch = epoch
        self.delta = delta
    }

    /// Nil when `text` was not written by a Millrace of this format.
    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "m1", let epoch = Int(parts[1]), epoch > 0, let delta = UInt64(parts[2], radix: 16)
        else { return nil }
        self.epoch = epoch
        self.delta = delta
    }

    package var text: String { "m1:\(epoch):\(String(delta, radix: 16))" }
}
