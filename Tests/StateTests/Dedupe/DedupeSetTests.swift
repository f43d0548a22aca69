import Batch
import Foundation
import Seeded
import State
import Testing

/// The rule in plain words: a row is a duplicate if its id came before, with a row that was none, whose bucket is still remembered.
struct PlainDedupe {
    var within: Int64
    var width: Int64
    var buckets: [Hash128: Int64] = [:]

    init(within: Int64) {
        self.within = within
        self.width = max(1_000, within / 16)
    }

    func isRemembered(_ bucket: Int64, at watermark: Int64) -> Bool { (bucket + 1) * width + within > watermark }

    mutating func isDuplicate(_ id: Hash128, _ eventTime: Int64, _ watermark: Int64) -> Bool {
        if let bucket = buckets[id], isRemembered(bucket, at: watermark) { return true }
        let bucket = Int64((Double(eventTime) / Double(width)).rounded(.down))
        if isRemembered(bucket, at: watermark) { buckets[id] = bucket }
        return false
    }
}

struct Rows {
    var hashes: [Hash128] = []
    var eventTimes: [Int64] = []
    var watermarks: [Int64] = []
    var selection: [Int32] = []

    func insert(into set: DedupeSet) throws -> [UInt8] {
        var flags = [UInt8](repeating: 9, count: hashes.count)
        try hashes.withUnsafeBufferPointer { hashes in
            try eventTimes.withUnsafeBufferPointer { eventTimes in
                try watermarks.withUnsafeBufferPointer { watermarks in
                    try selection.withUnsafeBufferPointer { selection in
                        try flags.withUnsafeMutableBufferPointer { flags in
                            try set.insert(
                                hashes: hashes, eventTimes: eventTimes, watermarks: watermarks, selection: selection, isDuplicate: flags)
                        }
                    }
                }
            }
        }
        return flags
    }
}

@Suite struct DedupeSetTests {
    struct Scenario: CustomTestStringConvertible {
        var name: String
        var within: Int64
        var budget: Int
        /// How far event times move on from row to row, microseconds, at most.
        var step: Int64
        /// Rarely they move on by this much.
        var jump: Int64
        var disorder: Int64
        var ids: Int
        /// The ids lie in so many of the tables.
        var tables: UInt64 = 256
        /// How many ids the set is told of beforehand, in each of its lives; nil: it is not.
        var expected: Int?
        var rounds = 60
        var rows = 300

        var testDescription: String { name }
    }

    static let second: Int64 = 1_000_000
    static let day = 86_400 * second

    static let scenarios = [
        Scenario(name: "all in memory", within: 60 * second, budget: 1 << 30, step: second / 50, jump: 30 * second, disorder: 20 * second, ids: 4_000),
        Scenario(name: "everything spilled", within: 60 * second, budget: 0, step: second / 50, jump: 30 * second, disorder: 20 * second, ids: 4_000, tables: 3),
        Scenario(name: "some spilled", within: 3_600 * second, budget: 20_000, step: second, jump: 1_000 * second, disorder: 600 * second, ids: 20_000, tables: 10, rounds: 120),
        Scenario(name: "the shortest buckets, and years between rows", within: 16_000, budget: 1 << 30, step: 1_000, jump: 400 * day, disorder: 20 * day, ids: 300),
        Scenario(name: "the same, spilled", within: 16_000, budget: 0, step: 1_000, jump: day, disorder: 20 * day, ids: 4_000, tables: 1),
        Scenario(name: "as many as were expected", within: 60 * second, budget: 1 << 30, step: second / 50, jump: 30 * second, disorder: 20 * second, ids: 4_000, expected: 700_000),
        Scenario(name: "more than were expected", within: 3_600 * second, budget: 1 << 30, step: second, jump: 100 * second, disorder: 600 * second, ids: 20_000, expected: 10),
        Scenario(name: "expected, and spilled", within: 3_600 * second, budget: 20_000, step: second, jump: 1_000 * second, disorder: 600 * second, ids: 20_000, tables: 10, expected: 20_000, rounds: 120),
        Scenario(name: "expected, of more buckets than numbers", within: 16_000, budget: 1 << 30, step: 1_000, jump: 400 * day, disorder: 20 * day, ids: 300, expected: 700_000),
        Scenario(name: "shorter than a bucket", within: 1, budget: 1 << 30, step: 300, jump: second, disorder: 3_000, ids: 50),
    ]

    @Test(arguments: scenarios)
    func `flags what a plain dictionary flags, through batches, epochs and recoveries`(scenario: Scenario) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed) \(scenario.name)")
        var random = SplitMix64(seed: seed)
        let root = try TemporaryDirectory()
        let cache = HomeCache(bytes: 1 << 20)
        func makeSet() -> DedupeSet {
            DedupeSet(within: scenario.within, namespace: 20, memoryBudget: scenario.budget, spillDirectory: root.path + "/spill")
        }
        let home = Home(directory: root.path + "/home", job: "job", task: "clicks-0", timed: [], cache: cache)
        var set = makeSet()
        if let expected = scenario.expected { set.expect(expected) }
        var committed = PlainDedupe(within: scenario.within)
        var model = committed
        var chain = Chain()
        var now = Int64.random(in: -5 * Self.day...1_800_000_000_000_000, using: &random)
        var watermark = now - scenario.disorder
        var committedTime = now
        var committedWatermark = watermark
        var duplicates = 0
        var spilled = 0
        /// An epoch that has ended and is being taken out, with what it ended with.
        var open: (changes: EpochChanges, model: PlainDedupe, now: Int64, watermark: Int64)?
        for round in 0..<scenario.rounds {
            var rows = Rows()
            let count = Int.random(in: 1...scenario.rows, using: &random)
            for row in 0..<count {
                now += Int64.random(in: 0...scenario.step, using: &random)
                if Int.random(in: 0..<200, using: &random) == 0 { now += Int64.random(in: 0...scenario.jump, using: &random) }
                let number = UInt64(Int.random(in: 0..<scenario.ids, using: &random))
                // Few of the tables, a few hashes at the ends of the range, and pairs that differ in one half only.
                let spread = (number / 2) &* 0x9E37_79B9_7F4A_7C15
                let high = number < 4 ? UInt64.max - number / 2 : ((spread >> 56) % scenario.tables) << 56 | (spread << 8) >> 8
                let low = (number &* 0xD134_2543_DE82_EF95) | 1
                rows.hashes.append(Hash128(low: low, high: high))
                let eventTime = now - Int64.random(in: 0...(scenario.disorder * 5 / 4 + 1), using: &random)
                rows.eventTimes.append(eventTime)
                watermark = max(watermark, eventTime - scenario.disorder / 2)
                rows.watermarks.append(watermark)
                if Int.random(in: 0..<10, using: &random) > 0 { rows.selection.append(Int32(row)) }
            }
            let flags = try rows.insert(into: set)
            for row in rows.selection.map(Int.init) {
                let expected = model.isDuplicate(rows.hashes[row], rows.eventTimes[row], rows.watermarks[row])
                #expect(flags[row] == (expected ? 1 : 0), "round \(round) row \(row)")
                duplicates += expected ? 1 : 0
            }
            for row in Set(0..<count).subtracting(rows.selection.map(Int.init)) { #expect(flags[row] == 9) }
            spilled = max(spilled, set.spilledCount)

            switch Int.random(in: 0..<6, using: &random) {
            case 0, 1, 2:
                // An epoch ends, and is committed once all of it is taken out.
                if Int.random(in: 0..<5, using: &random) == 0 { watermark += Int64.random(in: 0...scenario.within, using: &random) }
                if open == nil {
                    let changes = EpochChanges()
                    set.beginFreeze(epoch: chain.deltas.count + 1, watermark: watermark, into: changes)
                    open = (changes, model, now, watermark)
                }
                var budget = Int.random(in: 1...20, using: &random)
                if let epoch = open, set.continueFreeze(budget: &budget) {
                    try chain.add(plain(epoch.changes.changes), watermark: epoch.watermark)
                    (committed, committedTime, committedWatermark) = (epoch.model, epoch.now, epoch.watermark)
                    open = nil
                }
            case 3:
                if Bool.random(using: &random) { try home.apply(chain.deltas) }
                // A crash: what has not been committed comes again, here as other rows.
                open = nil
                set = makeSet()
                try set.load(from: home)
                let complete = try home.completeTo()?.epoch ?? 0
                // Also some that the home holds already.
                for delta in chain.deltas.dropFirst(max(0, complete - Int.random(in: 0...1, using: &random))) {
                    try delta.forEach { (change) throws(StateError) in try set.load(change) }
                }
                if let expected = scenario.expected { set.expect(expected) }
                (model, now, watermark) = (committed, committedTime, committedWatermark)
            default: break
            }
        }
        #expect(duplicates > 0)
        print("\(duplicates) duplicates, \(spilled) spilled, \(set.count) held in \(set.memory) bytes")
        if scenario.budget < 1 << 20 { #expect(spilled > 0) }
    }

    @Test func `forgotten buckets are deleted, and those alone`() throws {
        let root = try TemporaryDirectory()
        let set = DedupeSet(within: 16 * Self.second, namespace: 20, memoryBudget: 1 << 20, spillDirectory: root.path)
        #expect(set.bucketWidth == Self.second)
        var rows = Rows()
        rows.hashes = [Hash128(low: 1, high: 2), Hash128(low: 3, high: 4), Hash128(low: 5, high: 6)]
        rows.eventTimes = [0, 1_500_000, 1_600_000]
        rows.watermarks = [0, 0, 0]
        rows.selection = [0, 1, 2]
        #expect(try rows.insert(into: set) == [0, 0, 0])
        var changes = ChangeSet()
        set.freeze(epoch: 7, watermark: 0, into: &changes)
        let order: [UInt8] = [0x80, 0, 0, 0, 0, 0, 0]
        #expect(
            plain(changes) == [
                PlainChange(
                    .put, 20, order + [0] + [0, 0, 0, 0, 0, 0, 0, 7] + [0, 0, 0, 0],
                    [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]),
                PlainChange(
                    .put, 20, order + [1] + [0, 0, 0, 0, 0, 0, 0, 7] + [0, 0, 0, 0],
                    [3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]),
            ])
        // Bucket 0 ends at 1 s and is remembered for 16 s more.
        changes.removeAll()
        set.freeze(epoch: 8, watermark: 17 * Self.second - 1, into: &changes)
        #expect(changes.isEmpty)
        set.freeze(epoch: 9, watermark: 17 * Self.second, into: &changes)
        #expect(plain(changes) == [PlainChange(.deletePrefix, 20, order + [0])])
        rows.watermarks = [17 * Self.second, 17 * Self.second, 17 * Self.second]
        #expect(try rows.insert(into: set) == [0, 1, 1])
    }

    @Test func `entries that are none of remembered ids are refused`() throws {
        let root = try TemporaryDirectory()
        let set = DedupeSet(within: Self.second, namespace: 20, memoryBudget: 1 << 20, spillDirectory: root.path)
        for change in [
            PlainChange(.put, 20, [1, 2], []), PlainChange(.put, 20, [UInt8](repeating: 0, count: 20), [1]),
            PlainChange(.deletePrefix, 20, [1]), PlainChange(.delete, 20, [UInt8](repeating: 0, count: 20)),
        ] {
            let refusal = error { try changeSet([change]).forEach { (change) throws(StateError) in try set.load(change) } }
            #expect(refusal?.kind == .damaged)
        }
    }

    @Test func `times at the ends of their range do no harm`() throws {
        let root = try TemporaryDirectory()
        let set = DedupeSet(within: .max, namespace: 20, memoryBudget: 1 << 20, spillDirectory: root.path)
        let other = DedupeSet(within: 1, namespace: 20, memoryBudget: 0, spillDirectory: root.path)
        for set in [set, other] {
            for watermark in [Int64.min, .min + 1, 0, .max - 1, .max] {
                var rows = Rows()
                for (row, time) in [Int64.min, .min + 1, -1, 0, .max - 1, .max].enumerated() {
                    rows.hashes.append(Hash128(low: UInt64(row) << 32, high: UInt64(row)))
                    rows.eventTimes.append(time)
                    rows.watermarks.append(watermark)
                    rows.selection.append(Int32(row))
                }
                _ = try rows.insert(into: set)
                var changes = ChangeSet()
                set.freeze(epoch: 1, watermark: watermark, into: &changes)
            }
        }
    }

    @Test func `ids of more buckets than an entry can tell apart are remembered as long as others`() throws {
        let root = try TemporaryDirectory()
        // Buckets of a millisecond, far more of them at one time than event time is usually out of order.
        let set = DedupeSet(within: 16_000, namespace: 20, memoryBudget: 1 << 30, spillDirectory: root.path)
        var model = PlainDedupe(within: 16_000)
        let count = 90_000
        // Moving on frees numbers for others: 30,000 at a time.
        for (round, watermark) in [Int64(0), 30_000_000, 60_000_000, 60_000_000, 300_000_000].enumerated() {
            for again in 0..<2 {
                var rows = Rows()
                for number in 0..<count {
                    let id = UInt64(round / 2 * 45_000 + number) &* 0x9E37_79B9_7F4A_7C15
                    rows.hashes.append(Hash128(low: id &* 0xD134_2543_DE82_EF95, high: id))
                    rows.eventTimes.append(watermark + Int64(number) * 1_000)
                    rows.watermarks.append(watermark)
                    rows.selection.append(Int32(number))
                }
                let flags = try rows.insert(into: set)
                for row in 0..<count {
                    let expected = model.isDuplicate(rows.hashes[row], rows.eventTimes[row], watermark)
                    #expect(flags[row] == (expected ? 1 : 0) && (again == 0 || expected), "round \(round) row \(row)")
                }
            }
            #expect(set.count >= count)
        }
    }

    @Test func `a table that grows, is freed and shrinks where it lies keeps what is remembered`() throws {
        let root = try TemporaryDirectory()
        // 17 buckets of an hour; all ids in one of the tables, so that it is large enough for pages of its own.
        let hour = 3_600 * Self.second
        let set = DedupeSet(within: 16 * hour, namespace: 20, memoryBudget: 1 << 30, spillDirectory: root.path)
        var model = PlainDedupe(within: 16 * hour)
        var random = SplitMix64(seed: 3)
        var ids: [Hash128] = []
        var largest = 0
        // By hour: many, then few, for longer than an id lives, and many again.
        for (time, count) in ([90_000, 60_000] + [Int](repeating: 500, count: 40) + [30_000]).enumerated() {
            var rows = Rows()
            for row in 0..<count {
                // Some again, whether or not they are still remembered, and many hashes that differ in one half only.
                let isOld = row % 3 == 0 && !ids.isEmpty
                let high = row % 5 == 0 ? 7 << 58 | random.next() % 4_096 << 40 : 7 << 58 | random.next() >> 6
                let id = isOld ? ids[Int(random.next() % UInt64(ids.count))] : Hash128(low: random.next(), high: high)
                if !isOld { ids.append(id) }
                rows.hashes.append(id)
                rows.eventTimes.append(Int64(time) * hour)
                rows.watermarks.append(Int64(time) * hour)
                rows.selection.append(Int32(row))
            }
            let flags = try rows.insert(into: set)
            let expected = rows.hashes.map { model.isDuplicate($0, Int64(time) * hour, Int64(time) * hour) ? UInt8(1) : 0 }
            #expect(flags == expected, "hour \(time)")
            var changes = ChangeSet()
            set.freeze(epoch: time + 1, watermark: Int64(time) * hour, into: &changes)
            largest = max(largest, set.memory)
        }
        #expect(largest > 1 << 20 && set.memory < largest / 2, "\(largest) bytes, then \(set.memory)")
    }

    @Test func `more ids than there was room for push it aside, and all of them are remembered and persisted`() throws {
        let root = try TemporaryDirectory()
        func makeSet() -> DedupeSet { DedupeSet(within: Self.day, namespace: 20, memoryBudget: 1 << 30, spillDirectory: root.path) }
        let set = makeSet()
        set.expect(600_000)
        var batches: [Rows] = []
        var random = SplitMix64(seed: 5)
        for _ in 0..<250 {
            var rows = Rows()
            for row in 0..<4_000 as Range<Int32> {
                rows.hashes.append(Hash128(low: random.next(), high: random.next()))
                rows.selection.append(row)
            }
            rows.eventTimes = Array(repeating: Int64(random.next() % 100) * Self.second, count: 4_000)
            rows.watermarks = Array(repeating: 0, count: 4_000)
            batches.append(rows)
        }
        for rows in batches { #expect(try !rows.insert(into: set).contains(1)) }
        #expect(set.count == 1_000_000)
        #expect(set.changeBytes == 0, "what is new was noted although all of it is")
        var changes = ChangeSet()
        set.freeze(epoch: 1, watermark: 0, into: &changes)
        let again = makeSet()
        try changes.forEach { (change) throws(StateError) in try again.load(change) }
        #expect(again.count == 1_000_000)
        for rows in batches.shuffled(using: &random).prefix(50) {
            #expect(try !rows.insert(into: set).contains(0))
            #expect(try !rows.insert(into: again).contains(0))
        }
        // From the first freeze on only what is new is part of the next.
        changes.removeAll()
        set.freeze(epoch: 2, watermark: 0, into: &changes)
        #expect(changes.isEmpty)
    }

    @Test func `one part of an epoch's ids is bounded, however many there are`() throws {
        let root = try TemporaryDirectory()
        let set = DedupeSet(within: Self.day, namespace: 20, memoryBudget: 1 << 30, spillDirectory: root.path)
        let count = 50_000
        var random = SplitMix64(seed: 4)
        var rows = Rows()
        rows.hashes = (0..<count).map { _ in Hash128(low: random.next(), high: random.next()) }
        rows.eventTimes = (0..<count).map { Int64($0 % 3) * 2 * set.bucketWidth }
        rows.watermarks = Array(repeating: 0, count: count)
        rows.selection = Array(0..<Int32(count))
        _ = try rows.insert(into: set)
        let changes = EpochChanges()
        set.beginFreeze(epoch: 1, watermark: 0, into: changes)
        #expect(changes.changes.isEmpty)
        var isDone = false
        while !isDone {
            let before = changes.changes.byteCount
            var budget = 1
            isDone = set.continueFreeze(budget: &budget)
            #expect(changes.changes.byteCount - before < 4_096 * 16 + 64)
        }
        #expect(changes.changes.byteCount > count * 16)
    }

    @Test func `cost and memory of an id`() throws {
        #if DEBUG
            let total = 300_000
        #else
            let total = 10_000_000
        #endif
        let root = try TemporaryDirectory()
        for budget in [1 << 40, total * 6] {
            let set = DedupeSet(within: Self.day, namespace: 20, memoryBudget: budget, spillDirectory: root.path)
            let batch = 4_096
            var rows = Rows()
            rows.hashes = Array(repeating: Hash128(low: 0, high: 0), count: batch)
            rows.selection = Array(0..<Int32(batch))
            var random = SplitMix64(seed: 11)
            var worst = Duration.zero
            var sum = Duration.zero
            var worstBytes = 0.0
            var done = 0
            var changes = ChangeSet()
            var seeds: [UInt64] = []
            while done < total {
                let time = Int64(done) * Self.day / Int64(total)
                rows.eventTimes = Array(repeating: time, count: batch)
                rows.watermarks = Array(repeating: time - Self.second, count: batch)
                for row in 0..<batch { rows.hashes[row] = Hash128(low: random.next(), high: random.next()) }
                seeds.append(rows.hashes[7].high)
                var flags: [UInt8] = []
                let spent = try cpuTime { flags = try rows.insert(into: set) }
                sum += spent
                worst = max(worst, spent)
                #expect(flags[0] == 0)
                done += batch
                if (done / batch) % 64 == 0 {
                    changes.removeAll()
                    set.freeze(epoch: done / batch, watermark: time - Self.second, into: &changes)
                    if done > total / 4 { worstBytes = max(worstBytes, Double(set.memory) / Double(done)) }
                }
            }
            let perID = sum / done
            print("\(total) new ids, budget \(budget): \(perID) an id, longest batch of \(batch) \(worst), at most \(worstBytes) bytes an id, \(set.spilledCount) spilled")
            // The stream once more, for its duplicates: every one is found.
            random = SplitMix64(seed: 11)
            sum = .zero
            var found = 0
            for _ in 0..<100 {
                for row in 0..<batch { rows.hashes[row] = Hash128(low: random.next(), high: random.next()) }
                let spent = try cpuTime { found += try rows.insert(into: set).reduce(0) { $0 + Int($1) } }
                sum += spent
                if found < batch { break }
            }
            print("duplicates: \(sum / max(found, 1)) an id, \(found) found")
            #expect(found == min(100, done / batch) * batch)
            #expect(worstBytes < 20)
            #if !DEBUG
                // Far above what it takes: catches a search that walks.
                #expect(perID < .microseconds(1))
            #endif
        }
    }
}

extension DedupeSet {
    /// A whole epoch at once.
    fileprivate func freeze(epoch: Int, watermark: Int64, into changes: inout ChangeSet) {
        let all = EpochChanges(changes)
        beginFreeze(epoch: epoch, watermark: watermark, into: all)
        var budget = Int.max
        #expect(continueFreeze(budget: &budget))
        changes = all.changes
    }
}
