/// What went wrong with persisted state, and the way out.
package struct StateError: Error, Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// The file ends before its end.
        case cut
        /// The bytes are not what was written.
        case damaged
        /// Written by a newer Millrace.
        case newerFormat
        /// Of another job, task or epoch than the one asked for.
        case foreign
        /// It should be there and is not.
        case missing
        /// No room left on the device, or over the quota. Goes away when there is room.
        case noSpace
        /// Any other refusal of the operating system.
        case inputOutput
        /// A name that could leave the storage's root, or that it cannot hold.
        case badName
        /// The local RocksDB is not readable. It is a cache: it may be removed and is then restored from snapshot and deltas.
        case damagedHome
    }

    package var kind: Kind
    /// The file, directory or object it is about.
    package var place: String
    /// What was expected and what came.
    package var problem: String
    /// What to do.
    package var remedy: String

    package init(_ kind: Kind, _ place: String, _ problem: String, remedy: String) {
        self.kind = kind
        self.place = place
        self.problem = problem
        self.remedy = remedy
    }
}

extension StateError: CustomStringConvertible {
    package var description: String { "\(place): \(problem); \(remedy)" }
}
