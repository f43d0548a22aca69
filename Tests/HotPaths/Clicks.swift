import Batch
import Formats
import Seeded

/// Events like those of `millrace generate`, as text and as columns.
struct Clicks {
    let decoder = JSONDecoder(fields: [
        DecodedField("event_id", .string), DecodedField("user_id", .string), DecodedField("ts", .timestamp, timestampForm: .milliseconds),
        DecodedField("event_type", .string), DecodedField("url", .string),
        DecodedField("amount", .decimal(precision: 12, scale: 2), isNullable: true),
    ])
    private var random: SplitMix64
    private var time: Int64 = 1_767_225_600_000
    private let users: Int
    private let pace: Int64
    private let items: Int

    /// - Parameters:
    ///   - pace: event time from one event to the next, milliseconds.
    ///   - items: in each of 40 categories, a page each.
    init(seed: UInt64, users: Int = 20_000, pace: Int64 = 50, items: Int = 5_000) {
        random = SplitMix64(seed: seed)
        self.users = users
        self.pace = pace
        self.items = items
    }

    mutating func next() -> String {
        time += pace
        let kind = random.below(100)
        let id = String(random.next(), radix: 16)
        let padded = String(repeating: "0", count: 16 - id.count) + id
        return """
            {"event_id":"\(padded)\(padded)","user_id":"user-\(1_000_000 + random.below(users))","ts":\(time - Int64(random.below(20_000))),\
            "event_type":"\(kind < 70 ? "view" : kind < 97 ? "click" : "purchase")","url":"/shop/category-\(random.below(40))/item-\(random.below(items))",\
            "amount":\(kind >= 97 ? "\(random.below(400)).\(10 + random.below(90))" : "null"),"device":{"os":"android","browser":"firefox"},\
            "referrer":"/campaign/\(random.below(1_000))"}
            """
    }

    /// A batch of the next `count` events, with watermarks 60 s behind the latest.
    mutating func batch(_ count: Int) -> Batch {
        let texts = texts(count)
        return decoded(texts)
    }

    mutating func texts(_ count: Int) -> Texts { Texts((0..<count).map { _ in next() }) }

    func decoded(_ texts: Texts) -> Batch {
        var batch = Batch(schema: decoder.schema)
        var failures: [DecodeFailure] = []
        texts.payloads.withUnsafeBufferPointer { decoder.decode($0, into: &batch, failures: &failures) }
        precondition(failures.isEmpty, "these events decode")
        batch.eventTimes = batch.columns[2].integers
        var watermark = Int64.min
        batch.watermarks = batch.eventTimes.map { time in
            watermark = max(watermark, time - 60_000_000)
            return watermark
        }
        withExtendedLifetime(texts) {}
        return batch
    }
}

/// Texts one after the other in memory, as a client hands them over.
final class Texts {
    let payloads: [UnsafeRawBufferPointer]
    private let bytes: UnsafeMutableRawBufferPointer

    init(_ texts: [String]) {
        bytes = .allocate(byteCount: texts.reduce(64) { $0 + $1.utf8.count }, alignment: 64)
        var payloads: [UnsafeRawBufferPointer] = []
        var start = 0
        for text in texts {
            let place = UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + text.utf8.count])
            place.copyBytes(from: text.utf8)
            payloads.append(UnsafeRawBufferPointer(place))
            start += place.count
        }
        self.payloads = payloads
    }

    deinit { bytes.deallocate() }
}
