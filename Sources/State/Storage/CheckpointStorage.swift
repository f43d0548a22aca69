/// Where deltas and snapshots live. Names are relative paths with `/` between their parts: `job/clicks-3/<epoch>-<id>.delta`.
///
/// An object or directory is there whole and durable, or not at all.
package protocol CheckpointStorage: Sendable {
    /// Writes an object, replacing one of that name. Durable when it returns.
    func put(_ bytes: [UInt8], as name: String) throws(StateError)

    /// - Returns: nil when there is no such object.
    func get(_ name: String) throws(StateError) -> [UInt8]?

    /// The objects below directory `name`, also those in directories below it, by name.
    func list(_ name: String) throws(StateError) -> [StoredObject]

    /// Deletes an object or a directory with all below it; it need not be there.
    func delete(_ name: String) throws(StateError)

    /// Stores the files of the local directory `path` (a RocksDB checkpoint: no directories in it, never written again) as `name/<file>`.
    func putDirectory(_ path: String, as name: String) throws(StateError)

    /// Stores a copy of the stored directory `name` as `target`, which must not be there. What happens to one does not touch the other.
    func copyDirectory(_ name: String, to target: String) throws(StateError)

    /// Makes the local directory `path` (which must not exist) out of the objects `name/<file>`.
    func getDirectory(_ name: String, to path: String) throws(StateError)
}

package struct StoredObject: Hashable, Sendable {
    package var name: String
    package var bytes: Int

    package init(name: String, bytes: Int) {
        self.name = name
        self.bytes = bytes
    }
}
