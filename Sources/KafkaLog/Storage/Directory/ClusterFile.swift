/// The file `cluster.meta`: whose directory this is.
///
///     millrace-log 1
///     cluster.id=<22 characters>
///     node.id=<number>
struct ClusterFile {
    let clusterID: String
    let nodeID: Int32

    private static let title = "millrace-log 1"

    /// Reads it, or makes it with a new cluster id when the directory is new.
    static func open(_ path: String, nodeID: Int32, isNew: Bool, operations: FileOperations) throws(StorageError) -> ClusterFile {
        guard let lines = try CheckedFile.readText(path) else {
            guard isNew else {
                throw StorageError(.storageError, "\(path) is missing although the directory has topics; restore it from a backup")
            }
            let new = ClusterFile(clusterID: randomID(), nodeID: nodeID)
            try CheckedFile.replaceText(
                path, lines: [title, "cluster.id=\(new.clusterID)", "node.id=\(nodeID)"], operations: operations)
            return new
        }
        guard lines.count == 3, lines[0] == title, lines[1].hasPrefix("cluster.id="), lines[2].hasPrefix("node.id="),
            let found = Int32(lines[2].dropFirst("node.id=".count))
        else {
            throw StorageError(.storageError, "\(path) begins with '\(lines.first ?? "")', expected '\(title)' and two lines: was it written by a newer version?")
        }
        guard found == nodeID else {
            throw StorageError(.storageError, "\(path) belongs to node \(found), this one is node \(nodeID)")
        }
        return ClusterFile(clusterID: String(lines[1].dropFirst("cluster.id=".count)), nodeID: nodeID)
    }

    /// 16 random bytes in base64 for URLs without padding, as Kafka makes them.
    private static func randomID() -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        let value = UInt128.random(in: 1...UInt128.max)
        // 22 digits of six bits; the last has the two bits that are left, on top.
        return String((0..<22).map { digit in
            let shift = 128 - 6 * (digit + 1)
            let bits = shift >= 0 ? value >> UInt128(shift) : value << UInt128(-shift)
            return alphabet[Int(truncatingIfNeeded: bits & 63)]
        })
    }
}
