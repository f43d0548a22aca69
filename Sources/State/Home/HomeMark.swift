/// What a home records of itself, under the empty key of namespace 0.
///
/// Format, version 1 (little-endian): version u32, job and task (strings: u32 length, UTF-8), epoch i64 and id u64 of the delta it is
/// complete to, u8 1 and epoch and id of the last delta of an application that has begun, or u8 0.
struct HomeMark: Hashable, Sendable {
    static let version: UInt32 = 1
    static let key: [UInt8] = [0, 0]

    var job: String
    var task: String
    var completeTo: DeltaReference
    /// Set while deltas up to this one are being applied: some of their changes may be here already.
    var applying: DeltaReference?

    func encoded() -> [UInt8] {
        var out = ByteWriter()
        out.integer(Self.version)
        out.string(job)
        out.string(task)
        out.integer(Int64(completeTo.epoch))
        out.integer(completeTo.id)
        out.integer(UInt8(applying == nil ? 0 : 1))
        if let applying {
            out.integer(Int64(applying.epoch))
            out.integer(applying.id)
        }
        return out.bytes
    }

    init(job: String, task: String, completeTo: DeltaReference, applying: DeltaReference?) {
        self.job = job
        self.task = task
        self.completeTo = completeTo
        self.applying = applying
    }

    init(decoding bytes: [UInt8], place: String) throws(StateError) {
        var rest = ByteReader(bytes[...])
        guard let version = rest.integer(UInt32.self), version <= Self.version else {
            throw StateError(
                .newerFormat, place, "the local state is of a newer format than \(Self.version)",
                remedy: "it is only a cache: remove the directory, and it is restored from the newest snapshot and the deltas")
        }
        guard let job = rest.string(), let task = rest.string(), let epoch = rest.integer(Int64.self), let id = rest.integer(UInt64.self),
            let isApplying = rest.integer(UInt8.self)
        else { throw Self.damaged(place) }
        self.init(job: job, task: task, completeTo: DeltaReference(epoch: Int(epoch), id: id), applying: nil)
        if isApplying == 1 {
            guard let epoch = rest.integer(Int64.self), let id = rest.integer(UInt64.self) else { throw Self.damaged(place) }
            applying = DeltaReference(epoch: Int(epoch), id: id)
        }
        guard rest.isAtEnd, isApplying <= 1 else { throw Self.damaged(place) }
    }

    private static func damaged(_ place: String) -> StateError {
        StateError(
            .damagedHome, place, "the local state's mark of completeness does not decode",
            remedy: "it is only a cache: remove the directory, and it is restored from the newest snapshot and the deltas")
    }
}
