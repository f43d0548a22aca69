import Foundation
import Seeded
import State
import Testing

/// One server for the whole suite: it takes seconds to start. Faults are global to it, hence one test at a time.
@Suite(.serialized) struct S3StorageTests {
    private static let shared = Result { try S3Server() }
    private let server: S3Server

    init() throws {
        server = try Self.shared.get()
        try server.misbehave("[]")
    }

    @Test func `objects are put, read, listed and deleted by name`() throws {
        let storage = server.storage(prefix: "objects")
        let odd = "job/t-0/a +=&%~ü'\"<>.delta"
        try storage.put([1, 2, 3], as: "job/t-0/2.delta")
        try storage.put([4], as: odd)
        try storage.put([], as: "job/t-1/1.delta")
        try storage.put([5, 6], as: "job/t-0/2.delta")
        #expect(try storage.get("job/t-0/2.delta") == [5, 6])
        #expect(try storage.get(odd) == [4])
        #expect(try storage.get("job/t-1/1.delta") == [])
        #expect(try storage.get("job/t-0/3.delta") == nil)
        #expect(try storage.list("job/t-0") == [StoredObject(name: "job/t-0/2.delta", bytes: 2), StoredObject(name: odd, bytes: 1)])
        #expect(try storage.list("job").count == 3)
        #expect(try storage.list("job/t").isEmpty, "a directory is no prefix of a name")
        #expect(try storage.list("nothing").isEmpty)
        try storage.delete(odd)
        try storage.delete(odd)
        #expect(try storage.get(odd) == nil)
        try storage.delete("job/t-0")
        #expect(try storage.list("job").map(\.name) == ["job/t-1/1.delta"])
    }

    @Test func `a listing goes over its pages`() throws {
        let storage = server.storage(prefix: "pages")
        for number in 0..<1_005 { try storage.put([UInt8(number % 256)], as: "many/\(10_000 + number)") }
        let names = try storage.list("many").map(\.name)
        #expect(names == (0..<1_005).map { "many/\(10_000 + $0)" })
    }

    @Test(arguments: ["../x", "a//b", "", "a/", ".hidden", "a\u{0}b"])
    func `no name leaves the prefix`(name: String) throws {
        let storage = server.storage()
        #expect(error { try storage.put([1], as: name) }?.kind == .badName)
        #expect(error { _ = try storage.list(name) }?.kind == .badName)
    }

    /// Writes files into a new local directory.
    private func directory(_ root: TemporaryDirectory, _ name: String, _ files: [String: Data]) throws -> String {
        let path = "\(root.path)/\(name)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (file, bytes) in files { try bytes.write(to: URL(fileURLWithPath: "\(path)/\(file)")) }
        return path
    }

    private func contents(_ path: String) throws -> [String: Data] {
        var files: [String: Data] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: path) {
            files[name] = try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)"))
        }
        return files
    }

    private static func bytes(_ count: Int, seed: UInt64) -> Data {
        var random = SplitMix64(seed: seed)
        var data = Data(capacity: count)
        while data.count < count { withUnsafeBytes(of: random.next()) { data.append(contentsOf: $0) } }
        return data.prefix(count)
    }

    @Test func `a file that snapshots share is uploaded once, and goes with the last of them`() throws {
        let root = try TemporaryDirectory()
        let storage = server.storage(prefix: "shared", graceSeconds: -5)
        let kept = Self.bytes(10_000, seed: 1), dropped = Self.bytes(9_000, seed: 2), new = Self.bytes(8_000, seed: 3)
        let first = ["1.sst": kept, "2.sst": dropped, "CURRENT": Data("a".utf8)]
        let second = ["1.sst": kept, "3.sst": new, "CURRENT": Data("b".utf8)]
        try storage.putDirectory(try directory(root, "first", first), as: "job/t-0/snapshot-1")
        let before = try server.requests().count
        try storage.putDirectory(try directory(root, "second", second), as: "job/t-0/snapshot-2")
        let puts = try server.requests()[before...].filter { $0.hasPrefix("PUT") }
        #expect(puts.count == 3, "3.sst, CURRENT and the list: \(puts)")
        try storage.getDirectory("job/t-0/snapshot-1", to: root.path + "/one")
        #expect(try contents(root.path + "/one") == first)
        try storage.delete("job/t-0/snapshot-1")
        #expect(error { try storage.getDirectory("job/t-0/snapshot-1", to: root.path + "/gone") }?.kind == .missing)
        try storage.getDirectory("job/t-0/snapshot-2", to: root.path + "/two")
        #expect(try contents(root.path + "/two") == second)
        // Seen by a prefix of the storage that shows everything: three files of the second snapshot and its list are left.
        #expect(try storage.list("job/t-0").map(\.name) == ["job/t-0/snapshot-2/files"])
        let deleted = try server.requests().filter { $0.hasPrefix("DELETE") && $0.contains("/tables/") }
        #expect(deleted.count == 2, "2.sst and the first CURRENT: \(deleted)")
    }

    @Test func `a copy of a directory is made in the store and stays when the original goes`() throws {
        let storage = server.storage(prefix: "copies", graceSeconds: -1)
        let root = try TemporaryDirectory()
        let local = root.path + "/local"
        try FileManager.default.createDirectory(atPath: local, withIntermediateDirectories: true)
        for (name, text) in [("1.sst", "one"), ("2.sst", "one"), ("CURRENT", "three")] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(local)/\(name)"))
        }
        try storage.putDirectory(local, as: "job/t-0/snapshot-1")
        try storage.copyDirectory("job/t-0/snapshot-1", to: "job.savepoints/a +ü/t-0/snapshot-1")
        try storage.delete("job/t-0/snapshot-1")
        try storage.delete("job")
        try storage.getDirectory("job.savepoints/a +ü/t-0/snapshot-1", to: root.path + "/back")
        for (name, text) in [("1.sst", "one"), ("2.sst", "one"), ("CURRENT", "three")] {
            #expect(try String(contentsOfFile: "\(root.path)/back/\(name)", encoding: .utf8) == text)
        }
        #expect(error { try storage.copyDirectory("job/t-0/snapshot-1", to: "x/y") }?.kind == .missing)
    }

    @Test func `files that no list names are kept within the grace`() throws {
        let root = try TemporaryDirectory()
        let storage = server.storage(prefix: "grace", graceSeconds: 3_600)
        try storage.putDirectory(try directory(root, "first", ["1.sst": Self.bytes(100, seed: 4)]), as: "job/t-0/snapshot-1")
        let before = try server.requests().count
        try storage.delete("job/t-0/snapshot-1")
        #expect(try server.requests()[before...].allSatisfy { !($0.hasPrefix("DELETE") && $0.contains("/tables/")) })
    }

    @Test func `a large file goes in parts, and comes back whole through failing requests`() throws {
        let root = try TemporaryDirectory()
        let storage = server.storage(prefix: "large")
        let files = ["1.sst": Self.bytes(70 << 20, seed: 5), "2.sst": Self.bytes(3, seed: 6)]
        let local = try directory(root, "large", files)
        try server.misbehave(#"[null, {"status": 500}, {"status": 503, "code": "SlowDown"}, null, {"status": 500}, null, {"status": 500}]"#)
        try storage.putDirectory(local, as: "job/t-0/snapshot-1")
        #expect(try server.requests().contains { $0.contains("partNumber=3") })
        try server.misbehave(#"[null, {"cut": 100000}, {"status": 500}, {"cut": 1}]"#)
        try storage.getDirectory("job/t-0/snapshot-1", to: root.path + "/back")
        #expect(try contents(root.path + "/back") == files)
    }

    @Test func `a store that stays broken is an error that says so, after a bounded number of attempts`() throws {
        let storage = server.storage(prefix: "broken")
        try server.misbehave(#"{"all": {"status": 503, "code": "ServiceUnavailable"}}"#)
        let before = try server.requests().count
        let failure = error { try storage.put([1], as: "job/x") }
        #expect(failure?.kind == .inputOutput && failure?.problem.contains("503 ServiceUnavailable") == true, "\(failure as Any)")
        #expect(try server.requests().count - before == S3Retries().attempts)
        try server.misbehave("[]")
        try storage.put([1], as: "job/x")
        #expect(try storage.get("job/x") == [1])
    }

    @Test func `a refusal is not tried again, and shows no secret`() throws {
        let wrong = S3Environment(["AWS_ACCESS_KEY_ID": "AKIAMILLRACETESTS", "AWS_SECRET_ACCESS_KEY": "another/secret"])
        let before = try server.requests().count
        let failure = error { _ = try server.storage(environment: wrong).get("job/x") }
        #expect(try server.requests().count - before == 1)
        #expect(failure?.problem.contains("SignatureDoesNotMatch") == true)
        #expect(failure.map { !"\($0)".contains("another") } == true)
        let bucket = error { _ = try server.storage(bucket: "nobody-made-it").get("job/x") }
        #expect(bucket?.kind == .inputOutput && bucket?.description.contains("nobody-made-it") == true, "not an empty answer: \(bucket as Any)")
    }

    @Test func `temporary credentials are read anew when they have expired`() throws {
        let root = try TemporaryDirectory()
        let file = root.path + "/credentials"
        func write(_ token: String) throws {
            try """
                [other]
                aws_access_key_id = wrong
                [default]
                aws_access_key_id = AKIAMILLRACETESTS
                aws_secret_access_key = of/the+tests
                aws_session_token = \(token)
                """.write(toFile: file, atomically: true, encoding: .utf8)
        }
        try write("one")
        let storage = server.storage(prefix: "token", environment: S3Environment(["AWS_SHARED_CREDENTIALS_FILE": file]))
        try storage.put([1], as: "job/x")
        try write("two")
        try server.misbehave(#"[{"status": 400, "code": "ExpiredToken"}]"#)
        #expect(try storage.get("job/x") == [1])
        #expect(error { _ = try server.storage(environment: S3Environment(["HOME": root.path])).get("x") }?.problem.contains("AWS_ACCESS_KEY_ID") == true)
    }

    @Test func `a snapshot whose files were changed or lost is refused`() throws {
        let root = try TemporaryDirectory()
        let storage = server.storage(prefix: "damage")
        let local = try directory(root, "local", ["1.sst": Self.bytes(1_000, seed: 7)])
        try storage.putDirectory(local, as: "job/t-0/snapshot-1")
        let table = try #require(try server.requests().last { $0.hasPrefix("PUT") && $0.contains("damage/job/t-0/tables/") })
        let name = try #require(table.split(separator: "/").last.map(String.init))
        try storage.put([1, 2], as: "job/t-0/tables/\(name)")
        #expect(error { try storage.getDirectory("job/t-0/snapshot-1", to: root.path + "/x") }?.kind == .damaged)
        try storage.delete("job/t-0/tables/\(name)")
        #expect(error { try storage.getDirectory("job/t-0/snapshot-1", to: root.path + "/x") }?.kind == .missing)
        #expect(!FileManager.default.fileExists(atPath: root.path + "/x"))
    }
}
