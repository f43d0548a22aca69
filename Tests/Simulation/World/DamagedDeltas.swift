import Runtime
import State

/// What an engine with a defect in its handling of deltas would have written or read.
extension SimulatedStorage {
    static func withoutWatermark(_ bytes: [UInt8], _ name: String) throws(StateError) -> [UInt8] {
        let file = try DeltaFile(decoding: bytes, name: name)
        var header = file.header
        header.watermarks = [:]
        return DeltaFile.encode(header, try changes(of: file))
    }

    static func changes(of file: DeltaFile) throws(StateError) -> ChangeSet {
        var changes = ChangeSet()
        try file.forEach { (change) throws(StateError) in
            switch change.kind {
            case .put: changes.put(change.namespace, key: change.key, value: change.value)
            case .delete: changes.delete(change.namespace, key: change.key)
            case .deletePrefix: changes.deletePrefix(change.namespace, prefix: change.key)
            }
        }
        return changes
    }

    /// The delta of the epoch before, whoever wrote it, for the parent.
    func withWrongParent(_ bytes: [UInt8]?, _ name: String) throws(StateError) -> [UInt8]? {
        guard let bytes, name.hasSuffix(".delta") else { return bytes }
        let directory = name.prefix(through: name.lastIndex(of: "/") ?? name.startIndex)
        let before = world.objects.keys.filter { $0.hasPrefix(directory) && $0.hasSuffix(".delta") && $0 < name }.max()
        let file = try DeltaFile(decoding: bytes, name: name)
        var header = file.header
        header.parent = nil
        if let before, let other = world.objects[before] { header.parent = try DeltaFile(decoding: other, name: before).header.reference }
        return DeltaFile.encode(header, try Self.changes(of: file))
    }

    /// The changes of the newest committed delta and of its parent, each under the other's header.
    func withChangesOfParent(_ bytes: [UInt8]?, _ name: String) throws(StateError) -> [UInt8]? {
        guard let bytes, name.hasSuffix(".delta") else { return bytes }
        let file = try DeltaFile(decoding: bytes, name: name)
        let directory = name.prefix(through: name.lastIndex(of: "/") ?? name.startIndex)
        guard let position = file.header.positions.first,
            let committed = world.broker.committed[.init(position.topic, position.partition)],
            let tipName = world.objects.keys.first(where: {
                $0.hasPrefix(directory) && $0.hasSuffix("\(Oracle.idText(committed.metadata)).delta")
            }), let tipBytes = world.objects[tipName]
        else { return bytes }
        let tip = try DeltaFile(decoding: tipBytes, name: tipName)
        guard let parent = tip.header.parent else { return bytes }
        let parentName = "\(directory)\(Oracle.padded(parent.epoch))-\(parent.idText).delta"
        guard let parentBytes = world.objects[parentName] else { return bytes }
        let other = name == tipName ? try DeltaFile(decoding: parentBytes, name: parentName) : name == parentName ? tip : file
        return DeltaFile.encode(file.header, try Self.changes(of: other))
    }
}
