import Foundation
import JobFile
import KafkaClient
import Runtime
import State
import Testing

@Suite struct SavepointTests {
    @Test func idsSortByTheTimeAtWhichTheyWereTaken() {
        let times = [0.0, 1_700_000_000, 1_700_000_000.001, 1_700_000_001, 1_795_268_494.754]
        let ids = times.map { SavepointName(job: "shop", at: Date(timeIntervalSince1970: $0), random: UInt64.random(in: 0 ... .max)).id }
        #expect(ids == ids.sorted())
        #expect(SavepointName(job: "shop", at: Date(timeIntervalSince1970: 1_700_000_000.0625), random: 0xF_000A).id == "20231114-221320-062-000a")
    }

    @Test func aStartIsLatestOrAnIDOfThisOrAnotherJob() {
        #expect(SavepointStart("latest").map { [$0.job, $0.id] } == [nil, nil])
        #expect(SavepointStart("20231114-1").map { [$0.job, $0.id] } == [nil, "20231114-1"])
        #expect(SavepointStart("shop/latest").map { [$0.job, $0.id] } == ["shop", nil])
        #expect(SavepointStart("shop/1").map { [$0.job, $0.id] } == ["shop", "1"])
        for wrong in ["", "/", "a/", "/a", "a/b/c", "../a", "a/..", ".."] { #expect(SavepointStart(wrong) == nil, "\(wrong)") }
    }

    @Test func taskNamesAreReadBack() {
        #expect(TaskID(name: "clicks-3") == TaskID(source: "clicks", partition: 3))
        #expect(TaskID(name: "web-clicks-12") == TaskID(source: "web-clicks", partition: 12))
        for wrong in ["clicks", "-3", "clicks-", "clicks-x", "tables"] { #expect(TaskID(name: wrong) == nil, "\(wrong)") }
    }

    @Test func aManifestComesBackAndADamagedOneIsRefused() throws {
        let job = try Job()
        try job.commit()
        let savepoint = try SavepointWriter(job: "shop", storage: job.storage).take { job.committed }
        let bytes = try #require(try job.storage.get("\(savepoint.name.directory)/manifest"))
        #expect(bytes == savepoint.encoded())
        #expect(try Savepoint(decoding: bytes, place: "x") == savepoint)
        for position in stride(from: 0, to: bytes.count, by: 7) {
            var damaged = bytes
            damaged[position] ^= 0x10
            #expect(throws: StateError.self) { try Savepoint(decoding: damaged, place: "x") }
        }
        for length in [0, 1, 19, 30, bytes.count - 1] {
            #expect(throws: StateError.self) { try Savepoint(decoding: Array(bytes.prefix(length)), place: "x") }
        }
        let newer = Array(String(decoding: bytes, as: UTF8.self).replacing("savepoint 1 ", with: "savepoint 2 ", maxReplacements: 1).utf8)
        #expect(throws: StateError.self) { try Savepoint(decoding: newer, place: "x") }
    }

    // MARK: Taking one

    /// A task's chain in a directory, as a running job leaves it.
    private final class Job {
        let storage: DirectoryStorage
        let root: String
        var tip: DeltaReference?

        init() throws {
            root = NSTemporaryDirectory() + "/millrace-savepoint-" + UUID().uuidString
            storage = try DirectoryStorage(root: root)
        }

        deinit { try? FileManager.default.removeItem(atPath: root) }

        func commit() throws {
            let reference = DeltaReference(epoch: (tip?.epoch ?? 0) + 1, id: UInt64.random(in: 1 ... .max))
            let header = DeltaHeader(job: "shop", task: "clicks-0", reference: reference, parent: tip)
            try storage.put(DeltaFile.encode(header, ChangeSet()), as: DeltaChain.name(reference, job: "shop", task: task))
            tip = reference
        }

        let task = TaskID(source: "clicks", partition: 0)

        /// As maintenance does: a snapshot of now, and away with what came before it.
        func snapshot() throws {
            guard let tip else { return }
            let name = DeltaChain.snapshotName(tip, job: "shop", task: task)
            try storage.put([1], as: "\(name)/CURRENT")
            for object in try storage.list("shop") where !object.name.hasPrefix(name) && object.name != DeltaChain.name(tip, job: "shop", task: task) {
                try storage.delete(object.name)
            }
        }

        var committed: [CommittedOffset] {
            guard let tip else { return [] }
            return [
                CommittedOffset(
                    partition: TopicPartition("clicks", 0), offset: Int64(tip.epoch), metadata: CommitMetadata(epoch: tip.epoch, delta: tip.id).text)
            ]
        }
    }

    @Test func aSavepointHasTheSnapshotAndTheDeltasAboveIt() throws {
        let job = try Job()
        for _ in 0..<3 { try job.commit() }
        let writer = SavepointWriter(job: "shop", storage: job.storage)
        let first = try writer.take { job.committed }
        #expect(first.tasks[0].deltaNames.count == 3 && first.tasks[0].snapshotName == nil)
        try job.snapshot()
        let second = try writer.take { job.committed }
        #expect(second.tasks[0].deltaNames.count == 1 && second.tasks[0].snapshotEpoch == 3)
        for _ in 0..<2 { try job.commit() }
        let third = try writer.take { job.committed }
        #expect(third.tasks[0].deltaNames.count == 2 && third.tasks[0].snapshotEpoch == 3 && third.tasks[0].offset == 5)
        let shelf = SavepointShelf(job.storage)
        #expect(try Set(shelf.ids(ofJob: "shop")) == [first.id, second.id, third.id])
        try shelf.delete(first.name)
        #expect(try shelf.savepoint(first.name) == nil)
        #expect(try job.storage.list(first.name.directory).isEmpty)
    }

    @Test func aJobThatTidiesUpWhileItIsCopiedIsLookedAtAgain() throws {
        let job = try Job()
        for _ in 0..<3 { try job.commit() }
        var looks = 0
        let savepoint = try SavepointWriter(job: "shop", storage: job.storage).take { () throws(KafkaClientError) in
            looks += 1
            defer {
                // Between this answer and the reading of what it names.
                if looks < 3 {
                    try? job.commit()
                    try? job.snapshot()
                }
            }
            return job.committed
        }
        #expect(looks == 3)
        #expect(savepoint.tasks[0].epoch == 5)
        #expect(try SavepointShelf(job.storage).contents(ofJob: "shop").map(\.isComplete) == [true], "attempts leave nothing behind")
    }

    @Test func whatIsReallyGoneIsAnErrorAfterABoundedNumberOfLooks() throws {
        let job = try Job()
        try job.commit()
        let committed = job.committed
        try job.storage.delete("shop")
        var looks = 0
        #expect(throws: StateError.self) {
            try SavepointWriter(job: "shop", storage: job.storage).take { () throws(KafkaClientError) in
                looks += 1
                return committed
            }
        }
        #expect((2...10).contains(looks))
        #expect(throws: StateError.self) { try SavepointWriter(job: "shop", storage: job.storage).take { [] } }
    }

    @Test func namesThatKeepNoStateAreTold() throws {
        let plan = try JobPlan.parse(
            """
            job: shop
            kafka: {brokers: "nowhere:1"}
            sources:
              clicks: {topic: t, format: json, key: user, fields: {id: string, user: string, ts: timestamp_ms}, event_time: {field: ts, out_of_orderness: 1s}}
            transforms:
              unique: {from: clicks, dedupe: {by: id, within: 1h}}
              some: {from: unique, where: "id = 'a'"}
            sinks:
              files: {from: some, parquet: {path: ./lake}}
              topic: {from: some, kafka: {topic: out, key: user, format: json}}
            dead_letter: {topic: dead}
            """, file: "shop.yaml", environment: [:])
        #expect(plan.statefulNames == ["unique", "files"])
        for name in ["unique", "files", "removed"] { #expect(plan.problem(ofDropping: name) == nil) }
        for name in ["some", "topic", "clicks"] { #expect(plan.problem(ofDropping: name)?.contains("`\(name)` keeps no state") == true) }
    }
}
