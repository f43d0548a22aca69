import Batch
import Formats
import Testing

private func field(_ path: String, _ type: ValueType = .int64, isNullable: Bool = false) -> DecodedField {
    DecodedField(Field(path, type, isNullable: isNullable), path: path.split(separator: ".").map(String.init))
}

@Test func readsNestedFieldsInAnyOrder() {
    let fields = [field("a"), field("b.c"), field("b.d.e"), field("b.d.f")]
    let records = [
        "{\"a\":1,\"b\":{\"c\":2,\"d\":{\"e\":3,\"f\":4}}}",
        "{\"b\":{\"d\":{\"f\":4,\"x\":{\"e\":9},\"e\":3},\"c\":2},\"a\":1}",
        "{\"e\":9,\"b\":{\"a\":9,\"d\":{\"e\":3,\"f\":4,\"c\":9},\"c\":2},\"c\":9,\"a\":1}",
    ]
    for record in records {
        #expect(decode(record, fields).0 == .row([.integer(1), .integer(2), .integer(3), .integer(4)]), "\(record)")
    }
}

@Test func looksIntoObjectsOnlyNotIntoArrays() {
    #expect(decode("{\"b\":[{\"c\":1}]}", [field("b.c", isNullable: true)]).0 == .failed(.badType))
    #expect(decode("{\"x\":[{\"c\":1}],\"c\":2}", [field("c")]).0 == .row([.integer(2)]))
}

@Test(arguments: [
    ("{}", true, .row([.null])), ("{}", false, .failed(.missingField)), ("{\"b\":null}", true, .row([.null])),
    ("{\"b\":null}", false, .failed(.missingField)), ("{\"b\":{}}", true, .row([.null])), ("{\"b\":{\"c\":{}}}", false, .failed(.missingField)),
    ("{\"b\":{\"c\":null}}", true, .row([.null])), ("{\"b\":5}", true, .failed(.badType)), ("{\"b\":5}", false, .failed(.badType)),
    ("{\"b\":{\"c\":\"x\"}}", true, .failed(.badType)), ("{\"b\":{\"c\":[]}}", true, .failed(.badType)),
    ("{\"b\":{\"c\":{\"d\":null}}}", true, .row([.null])), ("{\"b\":{\"c\":{\"d\":7}}}", true, .row([.integer(7)])),
] as [(String, Bool, Decoded)])
func tellsAbsentFromBlocked(_ record: String, _ isNullable: Bool, _ expected: Decoded) {
    #expect(decode(record, [field("b.c.d", isNullable: isNullable)]).0 == expected)
}

@Test func saysWhatIsInTheWayToAField() {
    let (_, detail) = decode("{\"device\":{\"os\":12}}", [field("device.os.name", .string)])
    #expect(detail == "field `device.os.name`: expected object, found number 12 at `device.os`")
}

@Test func ofEqualKeysTheLastCountsWithAllBelow() {
    #expect(decode("{\"a\":1,\"a\":2}", [field("a")]).0 == .row([.integer(2)]))
    #expect(decode("{\"a\":\"x\",\"a\":2}", [field("a")]).0 == .row([.integer(2)]))
    #expect(decode("{\"a\":2,\"a\":null}", [field("a", isNullable: true)]).0 == .row([.null]))
    #expect(decode("{\"a\":1,\"\\u0061\":2}", [field("a")]).0 == .row([.integer(2)]))
    let nested = [field("b.c", isNullable: true), field("b.d", isNullable: true)]
    #expect(decode("{\"b\":{\"c\":1},\"b\":{\"d\":2}}", nested).0 == .row([.null, .integer(2)]))
    #expect(decode("{\"b\":{\"c\":1},\"b\":null}", nested).0 == .row([.null, .null]))
    #expect(decode("{\"b\":5,\"b\":{\"c\":1}}", nested).0 == .row([.integer(1), .null]))
    #expect(decode("{\"b\":{\"c\":1},\"b\":5}", nested).0 == .failed(.badType))
}

@Test func readsOnePathAsSeveralColumns() {
    let fields = [
        DecodedField(Field("raw", .int64), path: ["ts"]),
        DecodedField(Field("at", .timestamp), path: ["ts"], timestampForm: .milliseconds),
    ]
    #expect(decode("{\"ts\":5}", fields).0 == .row([.integer(5), .integer(5000)]))
}

@Test func readsAnObjectsOwnPathBesideThePathsInIt() {
    let fields = [field("b", .string, isNullable: true), field("b.c", isNullable: true)]
    #expect(decode("{\"b\":null}", fields).0 == .row([.null, .null]))
    #expect(decode("{\"b\":{\"c\":1}}", fields).0 == .failed(.badType))
    #expect(decode("{\"b\":{}}", fields).0 == .failed(.badType))
}

@Test func reportsTheFirstFieldThatFails() {
    let fields = [field("a"), field("b", .string), field("c")]
    #expect(decode("{\"c\":\"x\",\"a\":1}", fields).0 == .failed(.missingField))
    #expect(decode("{\"c\":\"x\",\"a\":1}", fields).1.hasPrefix("field `b`"))
    #expect(decode("{\"a\":true}", fields).1.hasPrefix("field `a`"))
}

@Test func tellsKeysApartThatAreAlike() {
    let keys = [
        "", "a", "a\0", "b", "abcdefg", "abcdefgh", "abcdefgi", "abcdefghi", "abcdefghj", "abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyZ", "é", "e\u{301}",
        "\"", "\\", "a.b",
    ]
    let fields = keys.enumerated().map { DecodedField(Field("f\($0)", .int64, isNullable: true), path: [$1]) }
    let others = ["c", "aa", "abcdef", "abcdefgH", "abcdefghk", "bbcdefghijklmnopqrstuvwxyz", "\0", "É"]
    for (index, key) in (keys + others).enumerated() {
        var spelled = ""
        for scalar in key.unicodeScalars {
            let hex = String(scalar.value, radix: 16)
            spelled += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        }
        let plain = key.contains { $0 == "\"" || $0 == "\\" || $0 == "\0" } ? spelled : key
        for text in [plain, spelled] {
            let expected = keys.indices.map { $0 == index ? Value.integer(1) : .null }
            #expect(decode("{\"\(text)\":1}", fields).0 == .row(expected), "\(text)")
        }
    }
}

@Test func findsEachOfManyFields() {
    let count = 300
    let fields = (0..<count).map { DecodedField("field_\($0)", .int64) }
    let members = (0..<count).shuffled().map { "\"field_\($0)\":\($0)" }
    #expect(decode("{" + members.joined(separator: ",") + "}", fields).0 == .row((0..<count).map { .integer(Int64($0)) }))
}

@Test func checksRecordsAlsoWhenNoFieldIsWanted() {
    #expect(decode("{\"a\":{\"b\":[1]}}", []).0 == .row([]))
    #expect(decode("{\"a\":{\"b\":[1}}", []).0 == .failed(.malformed))
}
