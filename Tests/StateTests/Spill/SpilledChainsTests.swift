import Batch
import Foundation
import State
import Testing

extension SplitMix64 {
    fileprivate mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}

private struct Entry: Equatable {
    var end: Int64
    var value: [UInt8]
}

@Test(arguments: [(1, 400, 300), (2, 3_000, 100), (3, 40, 400_000), (4, 20_000, 60)])
func spilledChainsAreWhatADictionarySays(seed: UInt64, keys: Int, bytesMax: Int) throws {
    print("seed \(seed)")
    var random = SplitMix64(seed: seed)
    var spilled = SpilledChains(timerWidth: 50, directory: NSTemporaryDirectory() + "millrace-spill-tests")
    var model: [String: Entry] = [:]
    var now: Int64 = -1_000
    var dueCount = 0
    var largest = 0
    for _ in 0..<60_000 {
        var name = "key-\(random.below(keys))"
        let isKnown = model[name] != nil
        // Where most bits of the hashes are alike, keys are told apart by more than their place in the index.
        let hash = name.withUTF8 { hash64(UnsafeRawBufferPointer($0)) } & (keys == 400 ? 0x0300_0000_0000_001F : .max)
        if random.below(100) < 2 {
            now += Int64(random.below(120))
            var due = RawList<SpilledChains.Timer>()
            try spilled.takeDue(upTo: now, into: &due)
            for position in 0..<due.count {
                guard let found = try spilled.due(due[position]) else { continue }
                let key = String(decoding: found.key, as: UTF8.self)
                let entry = try #require(model[key])
                #expect(entry.end <= now && entry.value == [UInt8](found.value))
                model[key] = nil
                spilled.remove(found)
                dueCount += 1
            }
            #expect(!model.values.contains { $0.end <= now }, "seed \(seed): all that is due comes")
        } else if !isKnown {
            // Most are small.
            let bytes = random.below(8) == 0 ? random.below(bytesMax + 1) : random.below(bytesMax / 4 + 1)
            let value = (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ keys) }
            let end = now + 1 + Int64(random.below(random.below(4) == 0 ? 100_000 : 2_000))
            let half = name.utf8.count / 2
            let key = Array(name.utf8)
            try key.withUnsafeBytes { key in
                try value.withUnsafeBytes { value in
                    try spilled.append(
                        hash, UnsafeRawBufferPointer(rebasing: key[..<half]), suffix: UnsafeRawBufferPointer(rebasing: key[half...]), end: end,
                        value)
                }
            }
            model[name] = Entry(end: end, value: value)
        } else {
            let key = UnsafeMutableRawBufferPointer.allocate(byteCount: name.utf8.count, alignment: 1)
            defer { key.deallocate() }
            key.copyBytes(from: name.utf8)
            let found = try spilled.find(hash, UnsafeRawBufferPointer(key))
            #expect(found.map { [UInt8]($0.value) } == model[name]?.value)
            if let found, random.below(2) == 0 {
                spilled.remove(found)
                model[name] = nil
                let again = try spilled.find(hash, UnsafeRawBufferPointer(key))
                #expect(again?.number == nil)
            }
        }
        #expect(spilled.count == model.count)
        largest = max(largest, spilled.spilledBytes)
        if bytesMax > 10_000, dueCount > 500 { break }
    }
    #expect(dueCount > 0)
    // Room of what is gone is used again: the file does not grow with what went through it.
    print("seed \(seed): \(dueCount) came due, up to \(largest) bytes in use, \(spilled.fileBytes) in the file")
    #expect(spilled.fileBytes <= 4 * largest + (8 << 20))
}
