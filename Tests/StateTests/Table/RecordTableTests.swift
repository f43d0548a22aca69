import Batch
import State
import Testing

private func withKey<Result>(_ text: String, _ body: (UInt64, UnsafeRawBufferPointer) -> Result) -> Result {
    var text = text
    return text.withUTF8 { body(hash64(UnsafeRawBufferPointer($0)), UnsafeRawBufferPointer($0)) }
}

@Test func aTableFindsWhatADictionaryFindsThroughGrowthAndRemoval() {
    var table = RecordTable(payloadBytes: 24, isKeyedByStart: false)
    var model: [String: Int64] = [:]
    var state: UInt64 = 12345
    func random(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
    }
    for round in 0..<60_000 {
        // Short ones lie in the record, long ones do not, and the longest are a piece of their own.
        let number = random(5000)
        let padding = number % 1000 == 0 ? 5000 : number % 3 * 10
        let name = "\(number)" + String(repeating: "x", count: padding)
        withKey(name) { hash, key in
            let found = table.find(hash, key, start: 0)
            #expect(found?.pointee.start == model[name])
            if let found, random(3) > 0 {
                table.unlink(found)
                table.free(found)
                model[name] = nil
            } else if found == nil {
                let record = table.insert(hash, key, start: Int64(round), end: Int64(round) + 1)
                #expect(record.payload.load(fromByteOffset: 16, as: UInt64.self) == 0)
                record.payload.storeBytes(of: UInt64.max, toByteOffset: 16, as: UInt64.self)
                model[name] = Int64(round)
            }
        }
    }
    #expect(table.keyCount == model.count)
    for (name, start) in model {
        withKey(name) { hash, key in
            #expect(table.find(hash, key, start: 0)?.pointee.start == start)
            #expect(table.find(hash, key, start: 0).map { [UInt8]($0.key) } == [UInt8](key))
        }
    }
    let before = table.bytes
    table.forEachKey { table, record in
        table.unlink(record)
        table.free(record)
    }
    #expect(table.keyCount == 0 && table.recordCount == 0 && table.bytes < before)
}

@Test func windowsOfAKeyKeepTheOrderOfTheirStartsAndLeaveInAnyOrder() {
    for leaving in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        var table = RecordTable(payloadBytes: 8, isKeyedByStart: false)
        withKey("key") { hash, key in
            let middle = table.insert(hash, key, start: 10, end: 12)
            let last = table.insert(besides: middle, start: 20, end: 22)
            let first = table.insert(besides: middle, start: 0, end: 2)
            let records = [first, middle, last]
            var left = [0, 1, 2]
            for index in leaving {
                table.unlink(records[index])
                table.free(records[index])
                left.removeAll { $0 == index }
                var starts: [Int64] = []
                var next = table.find(hash, key, start: 0)
                while let record = next {
                    starts.append(record.pointee.start)
                    next = record.pointee.next == RecordHeader.none ? nil : table.record(record.pointee.next)
                }
                #expect(starts == left.map { Int64($0 * 10) })
            }
        }
        #expect(table.keyCount == 0)
    }
}

@Test func aFreezeTakesEveryChangedKeyOnceAndWhatWentAfterItWasTaken() {
    var table = RecordTable(payloadBytes: 8, isKeyedByStart: false)
    func freeze(_ epoch: Int) -> (puts: [String], deletes: [String]) {
        var puts: [String] = []
        var deletes: [String] = []
        table.beginFreeze(epoch: epoch) { _ in Issue.record("nothing changes meanwhile") }
        var budget = Int.max
        table.continueFreeze(
            budget: &budget,
            put: {
                puts.append(String(decoding: $0.key, as: UTF8.self))
                return 0
            },
            delete: { key, _ in deletes.append(String(decoding: key, as: UTF8.self)) })
        let isLeft = table.isFreezing
        #expect(!isLeft)
        return (puts.sorted(), deletes.sorted())
    }
    func insert(_ name: String) {
        withKey(name) { hash, key in table.markChanged(table.insert(hash, key, start: 0, end: 1)) }
    }
    func remove(_ name: String) {
        withKey(name) { hash, key in
            guard let record = table.find(hash, key, start: 0) else { return }
            table.unlink(record)
            table.free(record)
        }
    }
    insert("a")
    insert("b")
    insert("never taken")
    remove("never taken")
    #expect(freeze(1) == (["a", "b"], []))
    #expect(freeze(2) == ([], []))
    remove("a")
    insert("a")
    remove("b")
    #expect(freeze(3) == (["a"], ["b"]))
    remove("a")
    insert("c")
    #expect(freeze(4) == (["c"], ["a"]))
}
