import KafkaLogCoordination
import Testing

struct RecordBytesTests {
    @Test func fieldsComeBackAndTheBytesAreWhatTheFormatSays() throws {
        var writer = RecordWriter()
        writer.integer(UInt8(1))
        writer.integer(Int32(-2))
        writer.string("hé")
        writer.optionalString(nil)
        writer.blob([9])
        #expect(writer.bytes == [1, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 3, 0x68, 0xc3, 0xa9, 0, 0, 0, 0, 1, 9])

        var reader = RecordReader(writer.bytes, of: .group)
        try reader.version(1)
        #expect(try reader.integer("number", as: Int32.self) == -2)
        #expect(try reader.string("string") == "hé")
        #expect(try reader.optionalString("none") == nil)
        #expect(try reader.blob("blob") == [9])
        try reader.end()
    }

    @Test func lengthsThatLieAreRefusedBeforeAnythingIsReserved() {
        var reader = RecordReader([0xff, 0xff, 0xff, 0xff, 1, 2], of: .group)
        #expect(throws: CoordinatorRecordError.self) { try reader.blob("blob") }
        var counted = RecordReader([0x7f, 0xff, 0xff, 0xff, 1, 2], of: .group)
        #expect(throws: CoordinatorRecordError.self) { try counted.count("members", bytesEach: 29) }
        var invalid = RecordReader([0, 0, 0, 1, 0xff], of: .group)
        #expect(throws: CoordinatorRecordError.self) { try invalid.string("text") }
    }

    @Test func anErrorSaysWhichEntryAndWhatToDo() {
        #expect("\(CoordinatorRecordError.unknownVersion(.transaction, 9))".contains("transaction entry has version 9"))
        #expect("\(CoordinatorRecordError.unknownKind(0x77))".contains("found 119"))
    }
}
