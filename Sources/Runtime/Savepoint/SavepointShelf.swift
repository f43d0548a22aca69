import State

/// The savepoints in a checkpoint storage.
package struct SavepointShelf: Sendable {
    let storage: any CheckpointStorage

    package init(_ storage: any CheckpointStorage) { self.storage = storage }

    static func manifest(_ name: SavepointName) -> String { "\(name.directory)/manifest" }

    /// The ids of a job's savepoints, oldest first.
    package func ids(ofJob job: String) throws(StateError) -> [String] {
        try contents(ofJob: job).filter(\.isComplete).map(\.id)
    }

    /// What there is of a job's savepoints, oldest first, also of those that were not finished.
    package func contents(ofJob job: String) throws(StateError) -> [(id: String, isComplete: Bool)] {
        let directory = SavepointName.directory(ofJob: job)
        var found: [String: Bool] = [:]
        for object in try storage.list(directory) {
            let parts = object.name.dropFirst(directory.count + 1).split(separator: "/")
            guard let id = parts.first.map(String.init) else { continue }
            found[id] = found[id, default: false] || (parts.count == 2 && parts[1] == "manifest")
        }
        return found.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// - Returns: nil when there is no such savepoint.
    package func savepoint(_ name: SavepointName) throws(StateError) -> Savepoint? {
        let place = Self.manifest(name)
        guard let bytes = try storage.get(place) else { return nil }
        let savepoint = try Savepoint(decoding: bytes, place: place)
        guard savepoint.name == name else {
            throw StateError(.foreign, place, "the manifest is that of \(savepoint.name)", remedy: "put the savepoint back where it was")
        }
        return savepoint
    }

    /// Deletes a savepoint: the manifest first, so that there is never half of one.
    package func delete(_ name: SavepointName) throws(StateError) {
        try storage.delete(Self.manifest(name))
        try storage.delete(name.directory)
    }
}
