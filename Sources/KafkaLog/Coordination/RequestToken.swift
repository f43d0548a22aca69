/// The caller's name for a request that it wants answered. A coordinator only gives it back, in exactly one reply action.
///
/// A reply to a request whose connection has gone is the caller's to drop.
package struct RequestToken: Hashable, Sendable {
    package var rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }
}
