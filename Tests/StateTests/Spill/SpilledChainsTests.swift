import Batch
import Foundation
import Seeded
import State
import Testing

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

/// The file has no name any more, but this process has it open.
private func descriptor(below directory: String) throws -> Int32 {
    for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
        guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)") else { continue }
        if target.hasPrefix(directory + "/windows.spill"), let number = Int32(name) { return number }
    }
    throw CocoaError(.fileNoSuchFile)
}

@Test(arguments: [UInt64(1), 2, 3]) func aScratchFileThatGivesOtherBytesGivesNoOtherChains(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let directory = NSTemporaryDirectory() + "millrace-spill-damage-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var spilled = SpilledChains(timerWidth: 50, directory: directory)
    let keys = (0..<8_000).map { Array("key-\($0)".utf8) }
    func value(_ number: Int) -> [UInt8] { (0..<150).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ number) } }
    for (number, key) in keys.enumerated() {
        try key.withUnsafeBytes { key in
            try value(number).withUnsafeBytes { value in
                try spilled.append(hash64(key), key, suffix: UnsafeRawBufferPointer(rebasing: key[key.count...]), end: 1, value)
            }
        }
    }
    let file = try descriptor(below: directory)
    // The lengths of the first entry are more than there is; and any bytes elsewhere.
    withUnsafeBytes(of: UInt64.max) { #expect(pwrite(file, $0.baseAddress, 8, 8) == 8) }
    for _ in 0..<300 {
        let offset = off_t(random.below(1 << 20))
        var byte: UInt8 = 0
        #expect(pread(file, &byte, 1, offset) == 1)
        byte ^= UInt8(1 + random.below(255))
        #expect(pwrite(file, &byte, 1, offset) == 1)
    }
    var damaged = 0
    for (number, key) in keys.enumerated() {
        key.withUnsafeBytes { key in
            do throws(StateError) {
                let found = try spilled.find(hash64(key), key)
                #expect(found.map { [UInt8]($0.value) } == value(number), "seed \(seed), key \(number)")
            } catch {
                #expect(error.kind == .inputOutput && "\(error)".contains("windows.spill"))
                damaged += 1
            }
        }
    }
    // Every one that was hit, so far as it was not hit twice or between two entries.
    #expect(damaged > 150 && damaged <= 301, "seed \(seed): \(damaged)")
}
