import Batch
import Formats
import Testing

private let wanted = [DecodedField("v", .int64, isNullable: true)]

/// In places that no field wants, because the whole record is checked.
@Test(arguments: [
    "{}", " { } ", "\t{\"v\"\r:\n1 , \"w\" : [ ] }\n", "{\"w\":[1,[2,{\"x\":[]}],{}]}", "{\"w\":-0.0e-12}", "{\"w\":1E+400}",
    "{\"w\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"}", "{\"\":1}", "{\"w\":\"\u{7f}\u{2028}\u{1F600}\"}", "{\"w\":\"\\ud83d\"}",
    "{\"\\ud83d\":1}", "{\"w\":true,\"x\":false,\"y\":null}", "{\"w\":\"{}[]:,\\\"\"}", "{\"w\":0,\"x\":-0,\"y\":10}",
    "{\"w\":123456789012345678901234567890123456789012345678901234567890}", "{\"w\":1,\"w\":2}", "{\"w\":\"\\u0000\"}",
    "{\"w\":\"\\uD800\\uD800\\uDC00\"}", "{\"w\":\"\"}", "{\"w\":{\"v\":\"not ours\"}}",
])
func acceptsEveryJSONObject(_ record: String) {
    let (outcome, detail) = decode(record, wanted)
    #expect(outcome != .failed(.malformed), "\(record): \(detail)")
}

@Test(arguments: [
    "", " ", "null", "1", "\"v\"", "[]", "[{}]", "{", "}", "{]", "[}", "{}}", "{}{}", "{} x", "{},", "{\"v\"}", "{\"v\":}", "{\"v\" 1}",
    "{\"v\":1,}", "{,}", "{,\"v\":1}", "{\"v\":1 \"w\":2}", "{v:1}", "{1:1}", "{'v':1}", "{\"v\":'1'}", "{\"w\":[1,]}", "{\"w\":[,1]}",
    "{\"w\":[1 2]}", "{\"w\":[1}", "{\"w\":[}", "{\"w\":[", "{\"w\":{", "{\"w\":[1]", "{\"w\":[1],", "{\"w\":", "{\"w", "{\"w\"",
    "{\"w\":01}", "{\"w\":+1}", "{\"w\":.5}", "{\"w\":1.}", "{\"w\":1e}", "{\"w\":1e+}", "{\"w\":-}", "{\"w\":--1}", "{\"w\":1.2.3}",
    "{\"w\":0x1}", "{\"w\":1_000}", "{\"w\":NaN}", "{\"w\":Infinity}", "{\"w\":-Infinity}", "{\"w\":nan}", "{\"w\":tru}", "{\"w\":truee}",
    "{\"w\":True}", "{\"w\":nul}", "{\"w\":nulll}", "{\"w\":falsy}", "{\"w\":true false}", "{\"w\":truefalse}", "{\"w\":1true}",
    "{\"w\":\"a\"b}", "{\"w\":a\"b\"}", "{\"w\":\"a\"\"b\"}", "{\"w\":\"a\" \"b\"}", "{\"w\"\"x\":1}", "{\"w\"x:1}", "{\"w\"::1}", "{\"w\":\"\\x\"}",
    "{\"w\":\"\\u12\"}", "{\"w\":\"\\u12G4\"}", "{\"w\":\"\\", "{\"w\":\"\\\"}", "{\"w\":\"\\u\"}", "{\"\\q\":1}", "{\\\"w\":1}", "{\"w\":\\n}",
    "{\"w\":\"\u{1}\"}", "{\"w\":\"a\tb\"}", "{\"w\":\"a\nb\"}", "{\"w\":\"a\0b\"}", "{\"w\":1\0}", "\0{}", "{}\0", "{\"w\":1}\u{c}", "\u{c}{}",
    "{\"w\":1/**/}", "{\"w\":1//\n}", "\u{feff}{}", "{}\u{a0}", "{\u{2028}}", "{\"w\":1\u{1a}\"x\":2}", "{\"w\"\u{1a}1}", "{\"w\":[1\u{c}2]}",
    "{\"v\":1}{\"v\":2}", "{\"w\":{\"x\":1}", "{\"w\":[[[[1]]]}", "{\"v\":1}]", "{:1}", "{\"v\":1:2}", "{\"a\":[\"b\":1]}", "{{}:1}", "{[]:1}",
    "{\"w\":[]]", "{\"w\":{}}}", "{\"w\":1,\"x\"}", "{\"w\":1,\"x\":}",
])
func refusesWhatIsNoJSONObject(_ record: String) {
    let (outcome, detail) = decode(record, wanted)
    #expect(outcome == .failed(.malformed), "\(record)")
    #expect(!detail.isEmpty)
}

@Test(arguments: [
    [0x80], [0xC0, 0xAF], [0xC3], [0xE0, 0x80, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF], [0xF0, 0x9F, 0x98], [0xC3, 0x28],
] as [[UInt8]])
func refusesInvalidUTF8InAnyPlace(_ bad: [UInt8]) {
    let decoder = JSONDecoder(fields: wanted)
    for padding in [0, 13, 60, 61, 62, 63, 64, 120] {
        let filler = [UInt8](repeating: 0x61, count: padding)
        let inValue = Array("{\"w\":\"".utf8) + filler + bad + Array("\"}".utf8)
        let inKey = Array("{\"".utf8) + filler + bad + Array("\":1}".utf8)
        let behind = Array("{}".utf8) + [UInt8](repeating: 0x20, count: padding) + bad
        #expect(decode([inValue, inKey, behind], decoder) == Array(repeating: .failed(.malformed), count: 3))
    }
}

@Test func refusesANullPayloadAndSaysSo() {
    let decoder = JSONDecoder(fields: wanted)
    var batch = Batch(schema: decoder.schema)
    var failures: [DecodeFailure] = []
    let outcome = decode([nil, [], Array("{\"v\":1}".utf8)], decoder, failures: &failures, into: &batch)
    #expect(outcome == [.failed(.malformed), .failed(.malformed), .row([.integer(1)])])
    #expect(failures[0].detail == "the record has a null value")
    #expect(failures[1].detail == "the record is empty")
}

@Test(arguments: [
    ("[1]", "expected a JSON object, found an array"),
    ("\u{feff}{}", "expected a JSON object, found a byte order mark"),
    ("{\"v\":1;}", "not a JSON number at byte 5"),
    ("{\"v\" 1}", "expected ':' at byte 5, found a number"),
    ("{\"v\":1 \"w\":1}", "expected ',' or '}' at byte 7, found a string"),
    ("{\"v\":[1 2]}", "expected ',' or ']' at byte 8, found a number"),
    ("{\"v\":1,}", "expected a key in quotes at byte 7, found '}'"),
    ("{\"v\":,}", "expected a value at byte 5, found ','"),
    ("{\"v\":1} ,", "expected the record to end at byte 8, found ','"),
    ("{\"v\":1", "the record ends inside an object or array"),
    ("{\"v\":\"\\x\"}", "a string has an escape that JSON does not know at byte 6"),
])
func saysWhatIsMalformedAndWhere(_ record: String, _ detail: String) {
    #expect(decode(record, wanted).1 == detail)
}

@Test func limitsTheDepth() {
    func nested(_ depth: Int, _ open: String, _ close: String) -> String {
        "{\"w\":" + String(repeating: open, count: depth - 1) + String(repeating: close, count: depth - 1) + "}"
    }
    let limits = DecodeLimits(depthMax: 20)
    for depth in 19...22 {
        let expected: Decoded = depth <= 20 ? .row([.null]) : .failed(.malformed)
        #expect(decode(nested(depth, "[", "]"), wanted, limits: limits).0 == expected)
        let objects = String(repeating: "{\"w\":", count: depth - 1) + "{}" + String(repeating: "}", count: depth - 1)
        #expect(decode(objects, wanted, limits: limits).0 == expected)
    }
    #expect(decode(String(repeating: "{\"w\":[", count: 100_000), wanted).0 == .failed(.malformed))
    #expect(decode(String(repeating: "[", count: 1_000_000), wanted).0 == .failed(.malformed))
}

@Test func limitsRecordsAndStrings() {
    let fields = [DecodedField("s", .string)]
    func record(_ text: String) -> String { "{\"s\":\"\(text)\"}" }
    let limits = DecodeLimits(stringLengthMax: 10, recordLengthMax: 200)
    #expect(decode(record("0123456789"), fields, limits: limits).0 == .row([.text("0123456789")]))
    #expect(decode(record("0123456789a"), fields, limits: limits).0 == .failed(.tooLarge))
    // The limit is for the text, not for the spelling.
    #expect(decode(record(String(repeating: "\\u0061", count: 10)), fields, limits: limits).0 == .row([.text("aaaaaaaaaa")]))
    #expect(decode(record(String(repeating: "\\u0061", count: 11)), fields, limits: limits).0 == .failed(.tooLarge))
    #expect(decode(record("") + String(repeating: " ", count: 192), fields, limits: limits).0 == .row([.text("")]))
    #expect(decode(record("") + String(repeating: " ", count: 193), fields, limits: limits).0 == .failed(.tooLarge))
    // Nobody reads the long one.
    #expect(decode("{\"t\":\"0123456789a\",\"s\":\"\"}", fields, limits: limits).0 == .row([.text("")]))
}
