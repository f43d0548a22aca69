/// How deltas and snapshots are named. Names sort by epoch.
package enum CheckpointNames {
    /// The directory of a task's deltas and snapshots.
    package static func directory(job: String, task: String) -> String { "\(job)/\(task)" }

    /// `job/clicks-3/00000000000000000042-<id>.delta`
    package static func delta(job: String, task: String, _ reference: DeltaReference) -> String {
        "\(directory(job: job, task: task))/\(stem(reference)).delta"
    }

    /// A directory: `job/clicks-3/00000000000000000042-<id>.snapshot`
    package static func snapshot(job: String, task: String, _ reference: DeltaReference) -> String {
        "\(directory(job: job, task: task))/\(stem(reference)).snapshot"
    }

    /// The delta that an object's name stands for; nil when it is no delta's name.
    package static func delta(named name: String) -> DeltaReference? {
        guard let file = name.split(separator: "/").last else { return nil }
        return reference(in: file, ending: ".delta")
    }

    /// The snapshot that the name of a snapshot's directory, or of an object in it, belongs to; nil when there is none.
    package static func snapshot(named name: String) -> DeltaReference? {
        for part in name.split(separator: "/") {
            if let reference = reference(in: part, ending: ".snapshot") { return reference }
        }
        return nil
    }

    private static func stem(_ reference: DeltaReference) -> String {
        let epoch = String(reference.epoch)
        return String(repeating: "0", count: max(0, 20 - epoch.count)) + epoch + "-" + reference.idText
    }

    private static func reference(in file: Substring, ending: String) -> DeltaReference? {
        guard file.hasSuffix(ending) else { return nil }
        let parts = file.dropLast(ending.count).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].count == 20, parts[1].count == 16, let epoch = Int(parts[0]), epoch >= 0,
            let id = UInt64(parts[1], radix: 16)
        else { return nil }
        let reference = DeltaReference(epoch: epoch, id: id)
        return stem(reference) + ending == file ? reference : nil
    }
}
