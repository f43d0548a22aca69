import Seeded
import State
import Testing

@Suite struct DeltaFileTests {
    static func header() -> DeltaHeader {
        var header = DeltaHeader(
            job: "clickstream", task: "clicks-3", reference: DeltaReference(epoch: 42, id: 0xABCD),
            parent: DeltaReference(epoch: 41, id: 0x1234_5678_9ABC_DEF0))
        header.positions = [.init(topic: "clicks", partition: 3, offset: 1_000_000)]
        header.watermarks = ["clicks": 1_700_000_000_000_000]
        header.counts.consumed = 10
        header.counts.aggregated = 6
        header.counts.filtered = 1
        header.counts.duplicate = 2
        header.counts.deadLettered = ["late": 1]
        header.files = [.init(stagingName: "a/.staging/x", finalName: "a/x.parquet", bytes: 4_096, rows: 100)]
        header.extras = ["fingerprint": "session user_id 30m", "b": "ü"]
        return header
    }

    static let changes = [
        PlainChange(.put, 16, Array("u1".utf8), Array("value".utf8)), PlainChange(.delete, 17, Array("u2".utf8)),
        PlainChange(.deletePrefix, 18, [0, 0, 0, 9]), PlainChange(.put, 16, [], []),
    ]

    @Test func `reads back what was written`() throws {
        let bytes = DeltaFile.encode(Self.header(), changeSet(Self.changes))
        let file = try DeltaFile(decoding: bytes, name: "x.delta")
        #expect(file.header == Self.header())
        #expect(try plain(file) == Self.changes)
        #expect(file.changeCount == 4)
        #expect(bytes == DeltaFile.encode(Self.header(), changeSet(Self.changes)), "the same delta gives the same bytes")
    }

    @Test func `an empty delta keeps its header`() throws {
        let header = DeltaHeader(job: "j", task: "t-0", reference: DeltaReference(epoch: 1, id: 2), parent: nil)
        let file = try DeltaFile(decoding: DeltaFile.encode(header, ChangeSet()), name: "x")
        #expect(file.header == header && file.changeCount == 0)
        #expect(try plain(file).isEmpty)
    }

    /// The format is fixed: a change of these bytes needs a new format version. Zstd's frame is left out: it may differ between versions of it.
    @Test func `has the bytes that version 1 has`() {
        let header = DeltaHeader(
            job: "j", task: "t-0", reference: DeltaReference(epoch: 5, id: 0x0102_0304_0506_0708), parent: DeltaReference(epoch: 4, id: 9))
        var full = header
        full.positions = [.init(topic: "a", partition: 1, offset: 2)]
        full.watermarks = ["a": -1]
        full.counts.consumed = 3
        full.counts.aggregated = 3
        full.counts.deadLettered = ["late": 0]
        full.files = [.init(stagingName: "s", finalName: "f", bytes: 7, rows: 8)]
        full.extras = ["k": "v"]
        let golden: [UInt8] = [
            0x6D, 0x72, 0x2D, 0x64, 0x65, 0x6C, 0x74, 0x61,  // mr-delta
            1, 0, 0, 0,  // format version
            0xB3, 0, 0, 0,  // header length
            0xD7, 0, 0, 0, 0, 0, 0, 0,  // file length
            0, 0, 0, 0,  // blocks
        ]
        let body: [UInt8] = [
            1, 0, 0, 0, 0x6A, 3, 0, 0, 0, 0x74, 0x2D, 0x30,  // job, task
            5, 0, 0, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1,  // epoch, id
            1, 4, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0,  // parent
            1, 0, 0, 0, 1, 0, 0, 0, 0x61, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,  // positions
            1, 0, 0, 0, 1, 0, 0, 0, 0x61, 255, 255, 255, 255, 255, 255, 255, 255,  // watermarks
            3, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  // counts
            1, 0, 0, 0, 4, 0, 0, 0, 0x6C, 0x61, 0x74, 0x65, 0, 0, 0, 0, 0, 0, 0, 0,  // dead letters
            1, 0, 0, 0, 1, 0, 0, 0, 0x73, 1, 0, 0, 0, 0x66, 7, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0,  // files
            1, 0, 0, 0, 1, 0, 0, 0, 0x6B, 1, 0, 0, 0, 0x76,  // extras
        ]
        let bytes = DeltaFile.encode(full, ChangeSet())
        #expect(Array(bytes[..<28]) == golden)
        #expect(Array(bytes[32..<(bytes.count - 4)]) == body)
        changeSet([PlainChange(.put, 300, [0xAA], [0xBB, 0xCC]), PlainChange(.deletePrefix, 16, [0xDD])]).withBytes {
            #expect(Array($0) == [0xB0, 0x09, 1, 2, 0xAA, 0xBB, 0xCC, 0x42, 1, 0xDD])
        }
    }

    @Test func `every cut is refused`() throws {
        let bytes = DeltaFile.encode(Self.header(), changeSet(Self.changes))
        for count in 0..<bytes.count {
            let refusal = error { _ = try DeltaFile(decoding: Array(bytes[..<count]), name: "x.delta") }
            #expect(refusal?.kind == .cut, "cut to \(count)")
        }
        #expect(error { _ = try DeltaFile(decoding: bytes + [0], name: "x.delta") }?.kind == .damaged)
    }

    @Test func `every flipped bit is refused`() throws {
        let bytes = DeltaFile.encode(Self.header(), changeSet(Self.changes))
        for position in bytes.indices {
            for bit in 0..<8 {
                var flipped = bytes
                flipped[position] ^= 1 << UInt8(bit)
                let refusal = error { _ = try DeltaFile(decoding: flipped, name: "x.delta") }
                #expect(refusal?.kind == .damaged, "byte \(position) bit \(bit)")
            }
        }
    }

    @Test func `a newer format says so, also when its body is another one`() throws {
        // Made with an independent CRC-32C: version 2, no header, no blocks.
        var bytes: [UInt8] = Array("mr-delta".utf8) + [2, 0, 0, 0] + [0, 0, 0, 0] + [36, 0, 0, 0, 0, 0, 0, 0] + [0, 0, 0, 0]
        bytes += withUnsafeBytes(of: plainCRC32C(bytes).littleEndian, Array.init)
        bytes += [0, 0, 0, 0]
        let refusal = error { _ = try DeltaFile(decoding: bytes, name: "job/t-0/x.delta") }
        #expect(refusal?.kind == .newerFormat)
        #expect(refusal?.description.contains("job/t-0/x.delta") == true)
    }

    @Test func `a delta of another job, task or epoch is refused`() throws {
        let file = try DeltaFile(decoding: DeltaFile.encode(Self.header(), ChangeSet()), name: "x.delta")
        try file.check(job: "clickstream", task: "clicks-3", reference: DeltaReference(epoch: 42, id: 0xABCD))
        #expect(error { try file.check(job: "other", task: "clicks-3", reference: nil) }?.kind == .foreign)
        #expect(error { try file.check(job: "clickstream", task: "clicks-4", reference: nil) }?.kind == .foreign)
        let other = error { try file.check(job: "clickstream", task: "clicks-3", reference: DeltaReference(epoch: 42, id: 1)) }
        #expect(other?.kind == .foreign)
        #expect(other?.description.contains("42:0000000000000001") == true)
    }

    @Test func `large changes are cut into blocks and come back`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SplitMix64(seed: seed)
        var changes: [PlainChange] = []
        for index in 0..<3_000 {
            let size = index == 100 ? 3_000_000 : Int.random(in: 0...2_000, using: &random)
            let value = (0..<size).map { UInt8(truncatingIfNeeded: $0 / 64 &* index) }
            changes.append(PlainChange(.put, 16, withUnsafeBytes(of: random.next(), Array.init), value))
        }
        for level: Int32 in [-5, 1] {
            let bytes = DeltaFile.encode(Self.header(), changeSet(changes), level: level)
            let file = try DeltaFile(decoding: bytes, name: "x")
            #expect(bytes.count < file.changeByteCount / 2)
            #expect(try plain(file) == changes)
        }
    }

    @Test func `encoding cost`() throws {
        var changes = ChangeSet()
        var random = SplitMix64(seed: 1)
        for index in 0..<100_000 {
            changes.put(16, keyCount: 16, valueCount: 48) { key, value in
                key.storeBytes(of: UInt64(index) &* 0x9E37_79B9_7F4A_7C15, as: UInt64.self)
                key.storeBytes(of: 0, toByteOffset: 8, as: UInt64.self)
                for place in 0..<6 { value.storeBytes(of: random.next() & 0xFFFFF, toByteOffset: place * 8, as: UInt64.self) }
            }
        }
        for level: Int32 in [-5, 1] {
            var size = 0
            let time = cpuTime { size = DeltaFile.encode(Self.header(), changes, level: level).count }
            print("delta of 100,000 entries of 64 bytes, level \(level): \(time / 100_000) an entry, \(size) bytes")
        }
    }
}

/// Bit by bit from the polynomial, to check files that the code under test did not write.
func plainCRC32C(_ bytes: [UInt8]) -> UInt32 {
    var crc = ~UInt32(0)
    for byte in bytes {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
    }
    return ~crc
}
