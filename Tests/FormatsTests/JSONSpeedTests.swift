import Batch
import Formats
import Glibc
import Testing

/// CPU time of this thread, in nanoseconds: other work on the machine does not count.
private func threadTime() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

private func clickstreamEvent(_ number: Int) -> String {
    let types = ["page_view", "click", "purchase", "search"]
    return "{\"event_id\":\"9f8b2c1e-\(100_000 + number % 900_000)-4d3a\",\"user_id\":\"user-\(10_000 + number * 7919 % 90_000)\","
        + "\"ts\":\(1_767_225_600_000 + number * 37),\"event_type\":\"\(types[number % 4])\",\"url\":\"/products/cate-\(10 + number % 90)/item\","
        + "\"amount\":\(10 + number % 90).\(10 + number % 90),\"session_hint\":null,\"device\":{\"os\":\"android\",\"ver\":14},\"ok\":true,\"country\":\"DE\"}"
}

/// Prints what an event costs; the figure that counts is that of a release build.
@Test func decodesAndEncodesEventsInOneGo() {
    let count = 4096
    let events = (0..<count).map { Array(clickstreamEvent($0).utf8) }
    let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: events.reduce(0) { $0 + $1.count }, alignment: 8)
    defer { storage.deallocate() }
    storage.copyBytes(from: events.joined())
    var payloads: [UnsafeRawBufferPointer] = []
    var start = 0
    for event in events {
        payloads.append(UnsafeRawBufferPointer(rebasing: storage[start..<start + event.count]))
        start += event.count
    }
    let decoder = JSONDecoder(fields: [
        DecodedField("event_id", .string), DecodedField("user_id", .string), DecodedField("ts", .timestamp, timestampForm: .milliseconds),
        DecodedField("event_type", .string), DecodedField("url", .string), DecodedField("amount", .decimal(precision: 12, scale: 2), isNullable: true),
    ])
    var batch = Batch(schema: decoder.schema)
    var failures: [DecodeFailure] = []
    var encoded = EncodedRows()
    let encoder = JSONEncoder(schema: decoder.schema)
    var decodeTime = UInt64.max
    var encodeTime = UInt64.max
    for _ in 0..<(_isDebugAssertConfiguration() ? 1 : 60) {
        let begin = threadTime()
        payloads.withUnsafeBufferPointer { decoder.decode($0, into: &batch, failures: &failures) }
        let middle = threadTime()
        encoded.removeAll()
        encoder.encode(batch, into: &encoded)
        decodeTime = min(decodeTime, middle - begin)
        encodeTime = min(encodeTime, threadTime() - middle)
    }
    #expect(failures.isEmpty && batch.selection.count == count && encoded.count == count)
    print(
        "JSON, events of \(start / count) bytes, 6 fields: decode \(decodeTime / UInt64(count)) ns an event, encode \(encodeTime / UInt64(count)) ns a row of \(encoded.bytes.count / count) bytes"
    )
}
