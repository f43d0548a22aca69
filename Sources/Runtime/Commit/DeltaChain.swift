import State

/// The committed deltas of a task that its home does not have yet, oldest first, and what they cost.
package struct DeltaChain: Sendable {
    struct Link: Equatable, Sendable {
        var reference: DeltaReference
        var bytes: Int
    }

    let job: String
    let task: TaskID
    private let linksMax: Int
    private let bytesMax: Int
    /// The newest committed delta.
    private(set) var tip: DeltaReference?
    private(set) var unflushed: [Link]
    var isFlushing = false

    init(job: String, task: TaskID, tip: DeltaReference?, unflushed: [Link], linksMax: Int, bytesMax: Int) {
        self.job = job
        self.task = task
        self.linksMax = linksMax
        self.bytesMax = bytesMax
        self.tip = tip
        self.unflushed = unflushed
    }

    /// The directory of the task in the checkpoint storage.
    static func directory(job: String, task: TaskID) -> String { "\(job)/\(task.name)" }

    package static func name(_ reference: DeltaReference, job: String, task: TaskID) -> String {
        "\(directory(job: job, task: task))/\(fileName(reference))"
    }

    static func fileName(_ reference: DeltaReference) -> String { "\(padded(reference.epoch))-\(reference.idText).delta" }

    package static func snapshotName(_ reference: DeltaReference, job: String, task: TaskID) -> String {
        "\(directory(job: job, task: task))/snapshot-\(padded(reference.epoch))-\(reference.idText)"
    }

    /// What a delta's or a snapshot's name says that it is; nil for other names. `name` is without directories.
    static func reference(of name: Substring) -> DeltaReference? {
        let fields = (name.hasSuffix(".delta") ? name.dropLast(6) : name.hasPrefix("snapshot-") ? name.dropFirst(9) : "").split(separator: "-")
        guard fields.count == 2, let epoch = Int(fields[0]), let id = UInt64(fields[1], radix: 16) else { return nil }
        return DeltaReference(epoch: epoch, id: id)
    }

    private static func padded(_ epoch: Int) -> String {
        let digits = String(epoch)
        return String(repeating: "0", count: max(0, 20 - digits.count)) + digits
    }

    mutating func append(_ reference: DeltaReference, bytes: Int) {
        tip = reference
        unflushed.append(Link(reference: reference, bytes: bytes))
    }

    var wantsFlush: Bool {
        !isFlushing && (unflushed.count >= linksMax || unflushed.reduce(0) { $0 + $1.bytes } >= bytesMax)
    }

    /// The home is complete up to `reference`.
    mutating func flushed(upTo reference: DeltaReference) {
        unflushed.removeAll { $0.reference.epoch <= reference.epoch }
        isFlushing = false
    }
}
