import Batch
import Formats
import Glibc
import Seeded
import Testing

private let fields = [
    DecodedField("id", .string, isNullable: true),
    DecodedField("count", .int64, isNullable: true),
    DecodedField("price", .decimal(precision: 9, scale: 3), isNullable: true),
    DecodedField("ratio", .float64, isNullable: true),
    DecodedField("flag", .bool, isNullable: true),
    DecodedField(Field("os", .string, isNullable: true), path: ["device", "os"]),
    DecodedField(Field("major", .int64, isNullable: true), path: ["device", "version", "major"]),
    DecodedField("ts", .timestamp, isNullable: true, timestampForm: .milliseconds),
    DecodedField(Field("device_name_long", .string, isNullable: true), path: ["device", "device_name_long"]),
]

/// Makes records that look like ours and breaks some of them.
private struct RecordMaker {
    var random: SplitMix64
    /// Instead of values that are no objects, while a layout is made.
    var placeholder: String?

    mutating func pick<Element>(_ choices: [Element]) -> Element { choices[Int.random(in: 0..<choices.count, using: &random)] }

    mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &random) == 0 }

    mutating func space() -> String { chance(6) ? pick([" ", "\n", "\t", "\r\n", "   "]) : "" }

    mutating func text() -> String {
        let parts = [
            "a", "bc", "user-12345", "\\n", "\\\\", "\\\"", "\\u0041", "\\u00e9", "\\ud83d\\ude00", "é", "😀", "{", "}", ",", ":", "[", "\\/", "", " ",
            "a longer piece of text that spans a block", "\\ud83d", "12", "\u{7f}",
        ]
        return (0..<Int.random(in: 0...4, using: &random)).map { _ in pick(parts) }.joined()
    }

    mutating func number() -> String {
        pick([
            "0", "-0", "1", "12", "-345", "12345678", "1767225600000", "9223372036854775807", "9223372036854775808", "1.5", "19.990", "0.0001", "1e3", "1E-2",
            "-1.25e+2", "1e400", "123456.789", "1234567.891", "0.1", "99999999999999999999999999999999999999999", "-9223372036854775808", "5e-324", "0e5",
        ])
    }

    mutating func value(_ depth: Int) -> String {
        if let placeholder { return chance(12) ? "{}" : placeholder }
        switch Int.random(in: 0..<(depth > 3 ? 6 : 8), using: &random) {
        case 0, 1: return "\"" + text() + "\""
        case 2, 3: return number()
        case 4: return pick(["true", "false", "null"])
        case 5: return "\"" + number() + "\""
        case 6: return "[" + (0..<Int.random(in: 0...3, using: &random)).map { _ in space() + value(depth + 1) + space() }.joined(separator: ",") + "]"
        default: return object(depth + 1)
        }
    }

    mutating func object(_ depth: Int) -> String {
        let keys = [
            "id", "count", "price", "ratio", "flag", "device", "os", "version", "major", "ts", "device_name_long", "device_name_lonG", "other", "i\\u0064", "",
            "\\ud83d",
        ]
        let members = (0..<Int.random(in: 0...8, using: &random)).map { _ in
            let key = pick(keys)
            return space() + "\"" + key + "\"" + space() + ":" + space() + (key == "device" || key == "version" ? deviceLike(depth) : value(depth)) + space()
        }
        return "{" + members.joined(separator: ",") + space() + "}"
    }

    mutating func deviceLike(_ depth: Int) -> String { depth > 4 || chance(5) ? value(depth) : object(depth + 1) }

    mutating func record() -> [UInt8]? {
        if chance(200) { return nil }
        var bytes = Array((space() + object(1) + space()).utf8)
        if chance(2) { return bytes }
        for _ in 0...Int.random(in: 0..<3, using: &random) { mutate(&bytes) }
        return bytes
    }

    /// What stands around the values of a record.
    mutating func layout() -> [String] {
        placeholder = "\u{1}"
        defer { placeholder = nil }
        return (space() + object(1) + space()).split(separator: "\u{1}", omittingEmptySubsequences: false).map(String.init)
    }

    /// A record with scalars in a layout; every so often broken, or with an array or object where a scalar was before.
    mutating func record(in layout: [String]) -> [UInt8] {
        var text = layout[0]
        for piece in layout.dropFirst() { text += value(chance(15) ? 3 : 4) + piece }
        var bytes = Array(text.utf8)
        if chance(6) { mutate(&bytes) }
        return bytes
    }

    mutating func mutate(_ bytes: inout [UInt8]) {
        let alphabet = Array("{}[]:,\"\\ \n0123456789.-+eEtrufalsn/bxyz\0\u{1}\u{c}\u{1a}é".utf8) + [0x80, 0xFF, 0xED, 0xF0]
        let at = Int.random(in: 0...bytes.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes.insert(pick(alphabet), at: at)
        case 1 where at < bytes.count: bytes.remove(at: at)
        case 2 where at < bytes.count: bytes[at] = pick(alphabet)
        case 3: bytes.removeSubrange(at...)
        default:
            let end = min(bytes.count, at + Int.random(in: 0..<12, using: &random))
            bytes.insert(contentsOf: Array(bytes[at..<end]), at: Int.random(in: 0...bytes.count, using: &random))
        }
    }
}

@Test func agreesWithAPlainParserOnWhatIsMalformedAndOnEveryValue() {
    let seed = UInt64.random(in: 0 ... .max)
    var maker = RecordMaker(random: SplitMix64(seed: seed))
    let decoder = JSONDecoder(fields: fields, limits: DecodeLimits(stringLengthMax: 60, depthMax: 6))
    var batch = Batch(schema: decoder.schema)
    var failures: [DecodeFailure] = []
    var accepted = 0
    for _ in 0..<40 {
        // Of every length around that of a chunk.
        let records = (0..<Int.random(in: 0...200, using: &maker.random)).map { _ in maker.record() }
        let outcomes = decode(records, decoder, failures: &failures, into: &batch)
        for (record, outcome) in zip(records, outcomes) {
            let expected = referenceDecode(record, decoder)
            if case .row = outcome { accepted += 1 }
            guard outcome == expected else {
                let text = String(decoding: record ?? [], as: UTF8.self)
                Issue.record("seed \(seed): \(text.debugDescription) gives \(outcome), not \(expected)")
                return
            }
        }
    }
    #expect(accepted > 500)
}

/// Whether a record is located by the shape that was learnt from others must not be seen.
@Test func recordsOfOneLayoutGiveWhatAPlainParserGives() {
    let seed = UInt64.random(in: 0 ... .max)
    var maker = RecordMaker(random: SplitMix64(seed: seed))
    var batch: Batch
    var failures: [DecodeFailure] = []
    var accepted = 0
    for _ in 0..<60 {
        let decoder = JSONDecoder(fields: fields, limits: DecodeLimits(stringLengthMax: 60, depthMax: 6))
        batch = Batch(schema: decoder.schema)
        let layouts = (0..<Int.random(in: 1...6, using: &maker.random)).map { _ in maker.layout() }
        let records = (0..<300).map { _ -> [UInt8]? in maker.record(in: maker.pick(layouts)) }
        let outcomes = decode(records, decoder, failures: &failures, into: &batch)
        for (record, outcome) in zip(records, outcomes) {
            let expected = referenceDecode(record, decoder)
            if case .row = outcome { accepted += 1 }
            guard outcome == expected else {
                let text = String(decoding: record ?? [], as: UTF8.self)
                Issue.record("seed \(seed): \(text.debugDescription) gives \(outcome), not \(expected)")
                return
            }
        }
    }
    #expect(accepted > 3_000, "seed \(seed)")
}

@Test func givesTheSameWhateverTheRunIsCutInto() {
    let seed = UInt64.random(in: 0 ... .max)
    var maker = RecordMaker(random: SplitMix64(seed: seed))
    let decoder = JSONDecoder(fields: fields)
    let records = (0..<300).map { _ in maker.record() }
    let whole = decode(records, decoder)
    var pieces: [Decoded] = []
    while pieces.count < records.count {
        let count = min(records.count - pieces.count, Int.random(in: 1...130, using: &maker.random))
        pieces += decode(Array(records[pieces.count..<pieces.count + count]), decoder)
    }
    #expect(whole == pieces, "seed \(seed)")
}

@Test func refusesEveryPrefixOfARecord() {
    let record = Array("{\"id\":\"é\\n\",\"count\":-12,\"price\":1.5e1,\"flag\":true,\"device\":{\"os\":null,\"x\":[1,{}]},\"ts\":1767225600000}".utf8)
    let decoder = JSONDecoder(fields: fields)
    let prefixes: [[UInt8]?] = (0..<record.count).map { Array(record[..<$0]) }
    #expect(decode(prefixes, decoder).allSatisfy { $0 == .failed(.malformed) })
    #expect(decode([record], decoder) == [referenceDecode(record, decoder)])
}

/// Payloads that end where readable memory ends.
@Test func readsNothingBeyondTheEndOfAPayload() throws {
    let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
    let pages = try #require(mmap(nil, 2 * pageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
    defer { munmap(pages, 2 * pageSize) }
    try #require(mprotect(pages + pageSize, pageSize, PROT_NONE) == 0)
    let decoder = JSONDecoder(fields: fields)
    var batch = Batch(schema: decoder.schema)
    var failures: [DecodeFailure] = []
    let seed = UInt64.random(in: 0 ... .max)
    var maker = RecordMaker(random: SplitMix64(seed: seed))
    let layout = maker.layout()
    for round in 0..<4000 {
        guard let record = round % 2 == 0 ? maker.record() : maker.record(in: layout), record.count <= pageSize else { continue }
        let start = pages + (pageSize - record.count)
        start.copyMemory(from: record, byteCount: record.count)
        failures.removeAll()
        withUnsafePointer(to: UnsafeRawBufferPointer(start: start, count: record.count)) {
            decoder.decode(UnsafeBufferPointer(start: $0, count: 1), into: &batch, failures: &failures)
        }
        let outcome: Decoded = failures.first.map { .failed($0.reason) } ?? .row(batch.columns.map { $0.value(at: 0) })
        #expect(outcome == referenceDecode(record, decoder), "seed \(seed), round \(round)")
    }
}
