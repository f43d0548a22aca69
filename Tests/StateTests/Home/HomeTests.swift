import Foundation
import Seeded
import State
import Testing

/// A plain map by the rules of changes.
struct PlainState: Equatable {
    struct Key: Hashable, Comparable {
        var namespace: UInt16
        var bytes: [UInt8]

        static func < (one: Key, other: Key) -> Bool {
            one.namespace != other.namespace ? one.namespace < other.namespace : one.bytes.lexicographicallyPrecedes(other.bytes)
        }
    }

    var entries: [Key: [UInt8]] = [:]

    mutating func apply(_ changes: [PlainChange]) {
        for change in changes {
            let key = Key(namespace: change.namespace, bytes: change.key)
            switch change.kind {
            case .put: entries[key] = change.value
            case .delete: entries[key] = nil
            case .deletePrefix:
                entries = entries.filter { !($0.key.namespace == change.namespace && $0.key.bytes.starts(with: change.key)) }
            }
        }
    }
}

/// Epochs of one task, as deltas.
struct Chain {
    var deltas: [DeltaFile] = []
    var parent: DeltaReference?
    var job = "job"
    var task = "clicks-0"

    mutating func add(_ changes: [PlainChange], watermark: Int64? = nil) throws {
        let reference = DeltaReference(epoch: (parent?.epoch ?? 0) + 1, id: UInt64.random(in: 0 ... .max))
        var header = DeltaHeader(job: job, task: task, reference: reference, parent: parent)
        if let watermark { header.watermarks["clicks"] = watermark }
        deltas.append(try DeltaFile(decoding: DeltaFile.encode(header, changeSet(changes)), name: "\(reference).delta"))
        parent = reference
    }
}

@Suite struct HomeTests {
    static func contents(_ home: Home, _ namespaces: [UInt16]) throws -> PlainState {
        var state = PlainState()
        for namespace in namespaces {
            var last: [UInt8]?
            try home.scan(namespace) { key, value in
                let bytes = Array(key)
                if let last { #expect(last.lexicographicallyPrecedes(bytes)) }
                last = bytes
                state.entries[.init(namespace: namespace, bytes: bytes)] = Array(value)
                return true
            }
        }
        return state
    }

    static func get(_ home: Home, _ namespace: UInt16, _ keys: [[UInt8]], sorted: Bool = false) throws -> [[UInt8]?] {
        var values: [[UInt8]?] = []
        let all = keys.flatMap { $0 }
        try all.withUnsafeBytes { bytes in
            var start = 0
            let pointers = keys.map { key in
                defer { start += key.count }
                return UnsafeRawBufferPointer(rebasing: bytes[start..<(start + key.count)])
            }
            try home.multiGet(namespace, pointers, areSorted: sorted) { position, value in
                #expect(position == values.count)
                values.append(value.map(Array.init))
            }
        }
        return values
    }

    @Test func `an unused home is empty and leaves nothing on the disk`() throws {
        let root = try TemporaryDirectory()
        let home = Home(directory: root.path + "/h", job: "job", task: "clicks-0", timed: [], cache: HomeCache(bytes: 1 << 20))
        #expect(try home.isEmpty)
        #expect(try home.completeTo() == nil)
        #expect(try Self.get(home, 16, [[1], [2]]) == [nil, nil])
        #expect(try home.firstTimer(16) == nil)
        try home.apply([])
        #expect(error { try home.checkpoint(to: root.path + "/c") }?.kind == .missing)
        #expect(try FileManager.default.contentsOfDirectory(atPath: root.path).isEmpty)
    }

    @Test(arguments: [400, 4_000, 1 << 20])
    func `holds what a plain map holds, however runs are cut, through crashes and reopening`(runByteCount: Int) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SplitMix64(seed: seed)
        let root = try TemporaryDirectory()
        let cache = HomeCache(bytes: 1 << 20)
        let namespaces: [UInt16] = [2, 16, 17, 300]
        func openHome(_ directory: String) -> Home {
            Home(directory: directory, job: "job", task: "clicks-0", timed: [], cache: cache, runByteCount: runByteCount)
        }
        var directory = root.path + "/home-0"
        var home = openHome(directory)
        var model = PlainState()
        var chain = Chain()
        var applied = 0
        func randomKey() -> [UInt8] {
            // Few and nested, with 0 and 255 at places that matter to prefixes.
            (0..<Int.random(in: 0...3, using: &random)).map { _ in [0, 1, 254, 255].randomElement(using: &random) ?? 0 }
        }
        for round in 0..<30 {
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let changes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                    let kind: Change.Kind = [.put, .put, .put, .put, .delete, .deletePrefix].randomElement(using: &random) ?? .put
                    let namespace = namespaces.randomElement(using: &random) ?? 16
                    let value = (0..<Int.random(in: 0...30, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
                    return PlainChange(kind, namespace, randomKey(), kind == .put ? value : [])
                }
                try chain.add(changes)
                model.apply(changes)
            }
            switch Int.random(in: 0..<5, using: &random) {
            case 0:
                // An application that fails half-way: its last delta has a block that does not decode.
                let sick = try Self.withDamagedBlock(chain)
                #expect(throws: StateError.self) { try home.apply(sick) }
                #expect(try home.completeTo() == (applied == 0 ? nil : chain.deltas[applied - 1].header.reference))
                // The machine goes off in that state: what is on the disk, but not what is in memory.
                if FileManager.default.fileExists(atPath: directory), Bool.random(using: &random) {
                    let crashed = directory
                    directory = root.path + "/home-\(round + 1)"
                    try Self.copyAsOfACrash(crashed, to: directory)
                    home = openHome(directory)
                    #expect(try home.completeTo() == (applied == 0 ? nil : chain.deltas[applied - 1].header.reference))
                }
            case 1:
                home.close()
            case 2:
                home = openHome(directory)
            default: break
            }
            let from = Bool.random(using: &random) ? 0 : applied
            try home.apply(Array(chain.deltas[from...]))
            applied = chain.deltas.count
            #expect(try home.completeTo() == chain.parent)
            #expect(try Self.contents(home, namespaces) == model, "round \(round)")
            let keys = Set((0..<20).map { _ in randomKey() }).sorted { $0.lexicographicallyPrecedes($1) }
            let expected = keys.map { model.entries[.init(namespace: 16, bytes: $0)] }
            #expect(try Self.get(home, 16, keys, sorted: true) == expected)
            let shuffled = keys.shuffled(using: &random)
            #expect(try Self.get(home, 16, shuffled) == shuffled.map { model.entries[.init(namespace: 16, bytes: $0)] })
        }
    }

    /// What a crash at this moment would leave. RocksDB's manifest is copied first: any beginning of it is a moment that was. A file that
    /// it names may be compacted away while the copy is made; then it is made again.
    static func copyAsOfACrash(_ from: String, to: String) throws {
        for attempt in 0..<20 {
            try? FileManager.default.removeItem(atPath: to)
            try FileManager.default.createDirectory(atPath: to, withIntermediateDirectories: true)
            let names = try FileManager.default.contentsOfDirectory(atPath: from).filter { $0 != "LOCK" }
            let isFirst = { (name: String) in name == "CURRENT" || name.hasPrefix("MANIFEST") }
            do {
                for name in names.filter(isFirst) { try FileManager.default.copyItem(atPath: "\(from)/\(name)", toPath: "\(to)/\(name)") }
                let rest = try FileManager.default.contentsOfDirectory(atPath: from).filter { $0 != "LOCK" && !isFirst($0) }
                for name in rest { try FileManager.default.copyItem(atPath: "\(from)/\(name)", toPath: "\(to)/\(name)") }
                let home = Home(directory: to, job: "job", task: "clicks-0", timed: [], cache: HomeCache(bytes: 1 << 20))
                _ = try home.completeTo()
                return
            } catch where attempt < 19 {}
        }
    }

    /// The chain with one more delta whose changes cannot be read: the preamble and checksums are right, the block is not zstd.
    static func withDamagedBlock(_ chain: Chain) throws -> [DeltaFile] {
        var deltas = chain.deltas
        let header = DeltaHeader(job: "job", task: "clicks-0", reference: DeltaReference(epoch: 1_000, id: 1), parent: chain.parent)
        var bytes = DeltaFile.encode(header, changeSet([PlainChange(.put, 16, [1], [1])]))
        bytes[bytes.count - 8] ^= 0xFF
        bytes[bytes.count - 12] ^= 0xFF
        let frame = bytes.firstRange(of: [0x28, 0xB5, 0x2F, 0xFD] as [UInt8])
        bytes[try #require(frame).lowerBound] = 0
        bytes.removeLast(4)
        bytes += withUnsafeBytes(of: plainCRC32C(bytes).littleEndian, Array.init)
        deltas.append(try DeltaFile(decoding: bytes, name: "sick.delta"))
        return deltas
    }

    @Test func `many keys below a deleted prefix go with it, and those beside it stay`() throws {
        let root = try TemporaryDirectory()
        let home = Home(directory: root.path + "/h", job: "job", task: "clicks-0", timed: [], cache: HomeCache(bytes: 1 << 20))
        var chain = Chain()
        var model = PlainState()
        let puts = (0..<1_000).map { (index: Int) -> PlainChange in
            let key: [UInt8] = [UInt8(index % 3), 0, UInt8(index / 256), UInt8(index % 256)]
            return PlainChange(.put, 16, key, [1])
        }
        try chain.add(puts)
        try home.apply(chain.deltas)
        let changes = [PlainChange(.deletePrefix, 16, [1]), PlainChange(.put, 16, [1, 9], [2])]
        try chain.add(changes)
        try home.apply(chain.deltas)
        model.apply(puts + changes)
        #expect(try Self.contents(home, [16]) == model)
    }

    @Test func `timers follow the newest end, and go with the watermark`() throws {
        let root = try TemporaryDirectory()
        let home = Home(
            directory: root.path + "/h", job: "job", task: "clicks-0",
            timed: [.init(namespace: 16, lateness: 0), .init(namespace: 17, lateness: 50)], cache: HomeCache(bytes: 1 << 20),
            runByteCount: 300)
        func window(_ namespace: UInt16, _ key: UInt8, end: Int64) -> PlainChange {
            PlainChange(.put, namespace, [key], withUnsafeBytes(of: end.bigEndian, Array.init) + [7])
        }
        func timers(_ namespace: UInt16, after: Int64 = .min, upTo: Int64) throws -> [[Int64]] {
            var found: [[Int64]] = []
            try home.scanTimers(namespace, after: after, upTo: upTo) { end, key in
                found.append([end, Int64(key[0])])
                return true
            }
            return found
        }
        var chain = Chain()
        try chain.add([window(16, 1, end: 100), window(16, 2, end: -5), window(16, 3, end: 300), window(17, 1, end: 100)], watermark: -10)
        try home.apply(chain.deltas)
        #expect(try timers(16, upTo: .max) == [[-5, 2], [100, 1], [300, 3]])
        #expect(try timers(16, upTo: 100) == [[-5, 2], [100, 1]])
        #expect(try timers(16, after: -5, upTo: 299) == [[100, 1]])
        #expect(try home.firstTimer(16) == -5)
        #expect(try home.firstTimer(16, after: 100) == 300)
        #expect(try home.firstTimer(18) == nil)

        // 16/1 moves on to 150; 16/2 has closed; 17 is 50 behind, so its window at 100 is open at watermark 120.
        try chain.add([window(16, 1, end: 150), PlainChange(.delete, 16, [2])], watermark: 120)
        try home.apply(chain.deltas)
        #expect(try timers(16, upTo: .max) == [[150, 1], [300, 3]])
        #expect(try timers(17, upTo: .max) == [[100, 1]])

        // Many epochs in one application: of what closed in between there is nothing left.
        for step in 0..<40 { try chain.add([window(16, UInt8(step), end: Int64(step * 10 + 200))], watermark: Int64(step * 10 + 130)) }
        try home.apply(chain.deltas)
        let left = try timers(16, upTo: .max)
        #expect(left.allSatisfy { $0[0] > 520 })
        #expect(left.count == 7)
        #expect(try timers(17, upTo: .max).isEmpty)
    }

    @Test func `an application off the committed chain makes the home unusable`() throws {
        let root = try TemporaryDirectory()
        let cache = HomeCache(bytes: 1 << 20)
        func openHome() -> Home {
            Home(directory: root.path + "/h", job: "job", task: "clicks-0", timed: [], cache: cache, runByteCount: 64)
        }
        var home = openHome()
        var chain = Chain()
        try chain.add([PlainChange(.put, 16, [1], [1])])
        try home.apply(chain.deltas)
        let complete = chain.parent
        #expect(try home.usable { $0 == complete } == complete)
        #expect(try home.usable { _ in false } == nil)
        #expect(throws: StateError.self) { try home.apply(Self.withDamagedBlock(chain)) }
        home.close()
        home = openHome()
        #expect(try home.completeTo() == complete)
        #expect(try home.usable { $0 == complete } == nil, "some of a delta that is not on the chain may be in it")
        #expect(try home.usable { $0 == complete || $0.epoch == 1_000 } == complete)
        try home.remove()
        #expect(try home.isEmpty)
    }

    @Test func `a gap in the chain is refused`() throws {
        let root = try TemporaryDirectory()
        let home = Home(directory: root.path + "/h", job: "job", task: "clicks-0", timed: [], cache: HomeCache(bytes: 1 << 20))
        var chain = Chain()
        for value in 0..<4 { try chain.add([PlainChange(.put, 16, [1], [UInt8(value)])]) }
        #expect(error { try home.apply(Array(chain.deltas[1...])) }?.kind == .foreign)
        try home.apply(Array(chain.deltas[..<2]))
        #expect(error { try home.apply(Array(chain.deltas[3...])) }?.kind == .foreign)
        #expect(try home.completeTo() == chain.deltas[1].header.reference)
        try home.apply(Array(chain.deltas[2...]))
        try home.apply(Array(chain.deltas[..<2]) + Array(chain.deltas[2...]))
        #expect(try Self.get(home, 16, [[1]]) == [[3]])
        let other = Home(directory: root.path + "/h", job: "other", task: "clicks-0", timed: [], cache: HomeCache(bytes: 1 << 20))
        home.close()
        #expect(error { _ = try other.completeTo() }?.kind == .foreign)
    }

    @Test func `a checkpoint is a home of its own`() throws {
        let root = try TemporaryDirectory()
        let cache = HomeCache(bytes: 1 << 20)
        let home = Home(directory: root.path + "/h", job: "job", task: "clicks-0", timed: [], cache: cache)
        let storage = try DirectoryStorage(root: root.path + "/store")
        var chain = Chain()
        try chain.add((0..<100).map { PlainChange(.put, 16, [UInt8($0)], [1]) })
        try home.apply(chain.deltas)
        try home.checkpoint(to: root.path + "/c")
        try storage.putDirectory(root.path + "/c", as: "job/clicks-0/1.snapshot")
        let before = chain.parent
        try chain.add([PlainChange(.deletePrefix, 16, [])])
        try home.apply(chain.deltas)
        #expect(try Self.contents(home, [16]) == PlainState())
        try storage.getDirectory("job/clicks-0/1.snapshot", to: root.path + "/restored")
        let restored = Home(directory: root.path + "/restored", job: "job", task: "clicks-0", timed: [], cache: cache)
        #expect(try restored.completeTo() == before)
        #expect(try Self.contents(restored, [16]).entries.count == 100)
        try restored.apply(chain.deltas)
        #expect(try Self.contents(restored, [16]) == PlainState())
        #expect(try home.estimatedKeys >= 0 && home.byteCount > 0)
    }

    @Test func `a damaged database says that it may be removed`() throws {
        let root = try TemporaryDirectory()
        let cache = HomeCache(bytes: 1 << 20)
        let path = root.path + "/h"
        var home = Home(directory: path, job: "job", task: "clicks-0", timed: [], cache: cache)
        var chain = Chain()
        try chain.add((0..<200).map { PlainChange(.put, 16, [UInt8($0)], [UInt8](repeating: UInt8($0), count: 100)) })
        try home.apply(chain.deltas)
        home.close()
        let table = try #require(FileManager.default.contentsOfDirectory(atPath: path).sorted().first { $0.hasSuffix(".sst") })
        try FileManager.default.removeItem(atPath: path + "/" + table)
        home = Home(directory: path, job: "job", task: "clicks-0", timed: [], cache: cache)
        let refusal = error { _ = try home.completeTo() }
        #expect(refusal?.kind == .damagedHome)
        #expect(refusal?.remedy.contains("remove the directory") == true)
        try home.remove()
        try home.apply(chain.deltas)
        #expect(try Self.contents(home, [16]).entries.count == 200)
    }

    @Test func `cost of applying and looking up`() throws {
        let root = try TemporaryDirectory()
        let home = Home(
            directory: root.path + "/h", job: "job", task: "clicks-0", timed: [.init(namespace: 16, lateness: 0)],
            cache: HomeCache(bytes: 64 << 20))
        var random = SplitMix64(seed: 5)
        let count = 100_000
        var changes = ChangeSet()
        var keys: [UInt64] = []
        for index in 0..<count {
            keys.append(random.next())
            changes.put(16, keyCount: 16, valueCount: 64) { key, value in
                key.copyBytes(from: "user-id-".utf8)
                key.storeBytes(of: keys[index], toByteOffset: 8, as: UInt64.self)
                value.initializeMemory(as: UInt8.self, repeating: 3)
                value.storeBytes(of: Int64(index).bigEndian, as: Int64.self)
            }
        }
        let header = DeltaHeader(job: "job", task: "clicks-0", reference: DeltaReference(epoch: 1, id: 1), parent: nil)
        let delta = try DeltaFile(decoding: DeltaFile.encode(header, changes), name: "x")
        let applying = try cpuTime { try home.apply([delta]) }
        print("apply with timers: \(applying / count) an entry")
        let asked = keys.prefix(10_000).map { "user-id-".utf8 + withUnsafeBytes(of: $0, Array.init) }
            .sorted { $0.lexicographicallyPrecedes($1) }
        for round in 0..<2 {
            var found = 0
            let all = asked.flatMap { $0 }
            let reading = try all.withUnsafeBytes { bytes in
                let pointers = (0..<asked.count).map { UnsafeRawBufferPointer(rebasing: bytes[($0 * 16)..<($0 * 16 + 16)]) }
                return try cpuTime {
                    try home.multiGet(16, pointers, areSorted: true) { _, value in found += value == nil ? 0 : 1 }
                }
            }
            #expect(found == asked.count)
            print("look-up of 10,000 sorted keys, round \(round): \(reading / asked.count) a key")
        }
    }
}
