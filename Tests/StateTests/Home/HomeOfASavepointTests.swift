import Foundation
import State
import Testing

/// What homes do for jobs that start from a savepoint.
@Suite struct HomeOfASavepointTests {
    private let cache = HomeCache(bytes: 1 << 20)

    @Test func `another job's snapshot is adopted and goes on with its deltas as one's own`() throws {
        let root = try TemporaryDirectory()
        var chain = Chain()
        try chain.add([PlainChange(.put, 16, [1], [10])])
        try chain.add([PlainChange(.put, 16, [2], [20])])
        let old = Home(directory: root.path + "/old", job: "job", task: "clicks-0", timed: [], cache: cache)
        try old.apply([chain.deltas[0]])
        try old.checkpoint(to: root.path + "/new")

        let new = Home(directory: root.path + "/new", job: "fork", task: "clicks-0", timed: [], cache: cache)
        #expect(error { _ = try new.completeTo() }?.kind == .foreign, "a foreign database is not taken by chance")
        #expect(try new.adopt() == chain.deltas[0].header.reference)
        #expect(error { try new.apply([chain.deltas[1]]) }?.kind == .foreign)
        try new.apply([chain.deltas[1].belonging(toJob: "fork")])
        #expect(try HomeTests.contents(new, [16]).entries.count == 2)
        #expect(try new.completeTo() == chain.deltas[1].header.reference)
        #expect(try HomeTests.contents(old, [16]).entries.count == 1)
    }

    @Test func `another task's snapshot is refused`() throws {
        let root = try TemporaryDirectory()
        var chain = Chain()
        try chain.add([PlainChange(.put, 16, [1], [10])])
        let old = Home(directory: root.path + "/old", job: "job", task: "clicks-0", timed: [], cache: cache)
        try old.apply(chain.deltas)
        try old.checkpoint(to: root.path + "/new")
        let new = Home(directory: root.path + "/new", job: "job", task: "clicks-1", timed: [], cache: cache)
        #expect(error { _ = try new.adopt() }?.kind == .foreign)
        let nothing = Home(directory: root.path + "/nothing", job: "job", task: "clicks-1", timed: [], cache: cache)
        #expect(error { _ = try nothing.adopt() }?.kind == .missing)
    }

    @Test func `the deletion of a whole namespace takes its timers along, also when nobody knows any more that it had some`() throws {
        let root = try TemporaryDirectory()
        func window(_ key: UInt8, end: UInt8) -> PlainChange { PlainChange(.put, 16, [key], [0, 0, 0, 0, 0, 0, 0, end]) }
        var chain = Chain()
        try chain.add([window(1, end: 50), window(2, end: 60)], watermark: 1)
        try chain.add([PlainChange(.put, 24, [1], [0, 0, 0, 0, 0, 0, 0, 70])], watermark: 2)
        let timed: [Home.TimedNamespace] = [.init(namespace: 16, lateness: 0), .init(namespace: 24, lateness: 0)]
        let before = Home(directory: root.path + "/h", job: "job", task: "clicks-0", timed: timed, cache: cache)
        try before.apply(chain.deltas)
        #expect(try before.firstTimer(16) == 50)
        before.close()
        try chain.add([PlainChange(.deletePrefix, 16, [])], watermark: 3)
        let after = Home(directory: root.path + "/h", job: "job", task: "clicks-0", timed: [timed[1]], cache: cache)
        try after.apply(chain.deltas)
        #expect(try after.firstTimer(16) == nil)
        #expect(try after.firstTimer(24) == 70)
        #expect(try HomeTests.contents(after, [16]).entries.isEmpty)
    }
}
