/// A delta's header as bytes.
///
/// Format, version 1: job, task (strings: u32 length, UTF-8); epoch i64, id u64; u8 1 and the parent's epoch and id, or u8 0;
/// then lists, each u32 count and its elements: positions (topic, partition i32, offset i64), watermarks (topic, i64), [counts: consumed,
/// aggregated, filtered, duplicate, four i64 without a count before them], dead letters (reason, i64), files (staging name, final name,
/// bytes i64, rows i64), extras (key, value). Maps are in order of their keys: the same header gives the same bytes.
enum DeltaHeaderCodec {
    static func encode(_ header: DeltaHeader) -> [UInt8] {
        var out = ByteWriter()
        out.string(header.job)
        out.string(header.task)
        append(header.reference, to: &out)
        if let parent = header.parent {
            out.integer(UInt8(1))
            append(parent, to: &out)
        } else {
            out.integer(UInt8(0))
        }
        out.integer(UInt32(header.positions.count))
        for position in header.positions {
            out.string(position.topic)
            out.integer(position.partition)
            out.integer(position.offset)
        }
        append(header.watermarks, to: &out)
        out.integer(header.counts.consumed)
        out.integer(header.counts.aggregated)
        out.integer(header.counts.filtered)
        out.integer(header.counts.duplicate)
        append(header.counts.deadLettered, to: &out)
        out.integer(UInt32(header.files.count))
        for file in header.files {
            out.string(file.stagingName)
            out.string(file.finalName)
            out.integer(file.bytes)
            out.integer(file.rows)
        }
        out.integer(UInt32(header.extras.count))
        for (key, value) in header.extras.sorted(by: { $0.key < $1.key }) {
            out.string(key)
            out.string(value)
        }
        return out.bytes
    }

    /// - Returns: nil when the bytes are no header.
    static func decode(_ bytes: ArraySlice<UInt8>) -> DeltaHeader? {
        var rest = ByteReader(bytes)
        guard let job = rest.string(), let task = rest.string(), let reference = reference(&rest),
            let hasParent = rest.integer(UInt8.self), hasParent <= 1
        else { return nil }
        var parent: DeltaReference?
        if hasParent == 1 {
            guard let read = Self.reference(&rest) else { return nil }
            parent = read
        }
        var header = DeltaHeader(job: job, task: task, reference: reference, parent: parent)
        guard let positionCount = rest.integer(UInt32.self) else { return nil }
        for _ in 0..<positionCount {
            guard let topic = rest.string(), let partition = rest.integer(Int32.self), let offset = rest.integer(Int64.self)
            else { return nil }
            header.positions.append(.init(topic: topic, partition: partition, offset: offset))
        }
        guard let watermarks = integersByName(&rest), let consumed = rest.integer(Int64.self),
            let aggregated = rest.integer(Int64.self), let filtered = rest.integer(Int64.self),
            let duplicate = rest.integer(Int64.self), let deadLettered = integersByName(&rest)
        else { return nil }
        header.watermarks = watermarks
        header.counts.consumed = consumed
        header.counts.aggregated = aggregated
        header.counts.filtered = filtered
        header.counts.duplicate = duplicate
        header.counts.deadLettered = deadLettered
        guard let fileCount = rest.integer(UInt32.self) else { return nil }
        for _ in 0..<fileCount {
            guard let staging = rest.string(), let final = rest.string(), let bytes = rest.integer(Int64.self),
                let rows = rest.integer(Int64.self)
            else { return nil }
            header.files.append(.init(stagingName: staging, finalName: final, bytes: bytes, rows: rows))
        }
        guard let extraCount = rest.integer(UInt32.self) else { return nil }
        for _ in 0..<extraCount {
            guard let key = rest.string(), let value = rest.string() else { return nil }
            header.extras[key] = value
        }
        return rest.isAtEnd ? header : nil
    }

    private static func append(_ reference: DeltaReference, to out: inout ByteWriter) {
        out.integer(Int64(reference.epoch))
        out.integer(reference.id)
    }

    private static func append(_ integers: [String: Int64], to out: inout ByteWriter) {
        out.integer(UInt32(integers.count))
        for (name, value) in integers.sorted(by: { $0.key < $1.key }) {
            out.string(name)
            out.integer(value)
        }
    }

    private static func reference(_ rest: inout ByteReader) -> DeltaReference? {
        guard let epoch = rest.integer(Int64.self), let id = rest.integer(UInt64.self) else { return nil }
        return DeltaReference(epoch: Int(epoch), id: id)
    }

    private static func integersByName(_ rest: inout ByteReader) -> [String: Int64]? {
        guard let count = rest.integer(UInt32.self) else { return nil }
        var integers: [String: Int64] = [:]
        for _ in 0..<count {
            guard let name = rest.string(), let value = rest.integer(Int64.self) else { return nil }
            integers[name] = value
        }
        return integers
    }
}
