import State

/// The part of a task's state that is not in memory: what operators read of a `Home`. Injected, so that they can be tried
/// without RocksDB.
package protocol ColdState: AnyObject {
    /// `body` is called once a key, in the order of `keys`, with its position and value; nil when there is none.
    func multiGet(
        _ namespace: UInt16, _ keys: [UnsafeRawBufferPointer], areSorted: Bool,
        _ body: (Int, UnsafeRawBufferPointer?) -> Void
    ) throws(StateError)

    /// The keys with a timer entry in (`after`, `upTo`], by (end, key); entries may be stale.
    func scanTimers(
        _ namespace: UInt16, after: Int64, upTo last: Int64,
        _ body: (_ end: Int64, _ key: UnsafeRawBufferPointer) throws(StateError) -> Bool
    ) throws(StateError)

    /// The smallest end above `after` among the timers.
    func firstTimer(_ namespace: UInt16, after: Int64) throws(StateError) -> Int64?

    /// Every entry whose key begins with `prefix`, by key.
    func scan(
        _ namespace: UInt16, prefix: UnsafeRawBufferPointer,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(StateError) -> Bool
    ) throws(StateError)
}

extension Home: ColdState {}
