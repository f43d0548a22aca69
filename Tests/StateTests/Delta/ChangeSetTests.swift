import Seeded
import State
import Testing

@Suite struct ChangeSetTests {
    @Test func `gives back what was appended, in order`() {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SplitMix64(seed: seed)
        let changes = (0..<2_000).map { _ in
            let kind: Change.Kind = [.put, .put, .put, .delete, .deletePrefix].randomElement(using: &random) ?? .put
            let key = (0..<Int.random(in: 0...200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            let value = kind == .put ? [UInt8](repeating: 7, count: Int.random(in: 0...20_000, using: &random)) : []
            return PlainChange(kind, UInt16.random(in: 2...65_535, using: &random), key, value)
        }
        let set = changeSet(changes)
        #expect(set.count == changes.count)
        #expect(plain(set) == changes)
    }

    @Test func `copies do not see what is appended to one of them`() {
        var one = changeSet([PlainChange(.put, 16, [1], [2])])
        var other = one
        one.append(changeSet([PlainChange(.delete, 16, [3])]))
        other.append(changeSet([PlainChange(.delete, 17, [4]), PlainChange(.delete, 17, [5])]))
        #expect(plain(one) == [PlainChange(.put, 16, [1], [2]), PlainChange(.delete, 16, [3])])
        #expect(plain(other) == [PlainChange(.put, 16, [1], [2]), PlainChange(.delete, 17, [4]), PlainChange(.delete, 17, [5])])
        let copy = one
        one.removeAll()
        #expect(one.isEmpty && copy.count == 2)
        #expect(plain(copy).count == 2)
    }

    @Test func `a reader refuses bytes that reach past their end`() {
        let set = changeSet([PlainChange(.put, 300, [1, 2, 3], [4, 5]), PlainChange(.delete, 16, [6])])
        set.withBytes { bytes in
            for count in 0..<bytes.count {
                var reader = ChangeReader(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
                var read = 0
                while reader.next() != nil { read += 1 }
                // Complete only where an entry ends.
                #expect(reader.isDamaged == (count != 0 && reader.position != count), "\(count)")
                #expect(read <= 1)
            }
        }
    }

    @Test func `appending two hundred thousand entries takes milliseconds`() {
        let key = [UInt8]("user-000000000042".utf8)
        let value = [UInt8](repeating: 3, count: 64)
        var best = Duration.seconds(60)
        var total = 0
        for _ in 0..<5 {
            let time = cpuTime {
                var set = ChangeSet()
                key.withUnsafeBytes { key in
                    value.withUnsafeBytes { value in
                        for _ in 0..<200_000 { set.put(16, key: key, value: value) }
                    }
                }
                total += set.byteCount
            }
            best = min(best, time)
        }
        print("appending 200,000 entries of 85 bytes: \(best), \(total)")
    }
}
