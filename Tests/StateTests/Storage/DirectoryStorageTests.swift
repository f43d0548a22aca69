import Foundation
import State
import Testing

@Suite struct DirectoryStorageTests {
    @Test func `objects are put, read, listed and deleted by name`() throws {
        let root = try TemporaryDirectory()
        let storage = try DirectoryStorage(root: root.path + "/a/b")
        try storage.put([1, 2, 3], as: "job/t-0/2.delta")
        try storage.put([4], as: "job/t-0/1.delta")
        try storage.put([], as: "job/t-1/1.delta")
        try storage.put([5, 6], as: "job/t-0/1.delta")
        #expect(try storage.get("job/t-0/1.delta") == [5, 6])
        #expect(try storage.get("job/t-0/3.delta") == nil)
        #expect(try storage.get("other/x") == nil)
        #expect(
            try storage.list("job/t-0") == [
                StoredObject(name: "job/t-0/1.delta", bytes: 2), StoredObject(name: "job/t-0/2.delta", bytes: 3),
            ])
        #expect(try storage.list("job").count == 3)
        #expect(try storage.list("nothing").isEmpty)
        try storage.delete("job/t-0/1.delta")
        try storage.delete("job/t-0/1.delta")
        #expect(try storage.get("job/t-0/1.delta") == nil)
        try storage.delete("job/t-0")
        #expect(try storage.list("job").map(\.name) == ["job/t-1/1.delta"])
    }

    @Test(arguments: ["../x", "a/../../x", "/etc/x", "a//b", "", "a/", ".hidden", "a/./b", "a\u{0}b", "a/b\n", "..", "."])
    func `no name leaves the root`(name: String) throws {
        let root = try TemporaryDirectory()
        let storage = try DirectoryStorage(root: root.path)
        #expect(error { try storage.put([1], as: name) }?.kind == .badName)
        #expect(error { _ = try storage.get(name) }?.kind == .badName)
        #expect(error { try storage.delete(name) }?.kind == .badName)
        #expect(error { _ = try storage.list(name) }?.kind == .badName)
        #expect(error { try storage.getDirectory(name, to: root.path + "/out") }?.kind == .badName)
    }

    @Test func `a copy of a directory stays when the original goes`() throws {
        let root = try TemporaryDirectory()
        let storage = try DirectoryStorage(root: root.path + "/store")
        try storage.put([1], as: "job/t-0/snapshot-1/1.sst")
        try storage.put([2], as: "job/t-0/snapshot-1/CURRENT")
        try storage.copyDirectory("job/t-0/snapshot-1", to: "job.savepoints/a/t-0/snapshot-1")
        try storage.delete("job/t-0")
        #expect(try storage.get("job.savepoints/a/t-0/snapshot-1/1.sst") == [1])
        #expect(try storage.list("job.savepoints").map(\.name) == ["job.savepoints/a/t-0/snapshot-1/1.sst", "job.savepoints/a/t-0/snapshot-1/CURRENT"])
        #expect(error { try storage.copyDirectory("job/t-0/snapshot-1", to: "x/y") }?.kind == .missing)
    }

    @Test func `directories go in and out whole`() throws {
        let root = try TemporaryDirectory()
        let storage = try DirectoryStorage(root: root.path + "/store")
        let local = root.path + "/local"
        try FileManager.default.createDirectory(atPath: local, withIntermediateDirectories: true)
        try Data([1]).write(to: URL(fileURLWithPath: local + "/1.sst"))
        try Data([2]).write(to: URL(fileURLWithPath: local + "/CURRENT"))
        try storage.putDirectory(local, as: "job/t-0/5.snapshot")
        try storage.putDirectory(local, as: "job/t-0/5.snapshot")
        #expect(try storage.list("job/t-0").map(\.name) == ["job/t-0/5.snapshot/1.sst", "job/t-0/5.snapshot/CURRENT"])
        try storage.getDirectory("job/t-0/5.snapshot", to: root.path + "/restored")
        // What is not a table file may be written to again: it has to be a copy.
        try Data([9, 9]).write(to: URL(fileURLWithPath: root.path + "/restored/CURRENT"), options: [])
        #expect(try storage.get("job/t-0/5.snapshot/CURRENT") == [2])
        #expect(try FileManager.default.contentsOfDirectory(atPath: root.path + "/restored").sorted() == ["1.sst", "CURRENT"])
        let links = try FileManager.default.attributesOfItem(atPath: root.path + "/restored/1.sst")[.referenceCount] as? Int
        #expect(links == 3, "table files are linked, not copied")
        #expect(error { try storage.getDirectory("job/t-0/6.snapshot", to: root.path + "/x") }?.kind == .missing)
        #expect(error { try storage.putDirectory(root.path + "/nothing", as: "job/x") }?.kind == .missing)
    }

    @Test func `what a crash left half-written is not seen, and goes away when it is old`() throws {
        let root = try TemporaryDirectory()
        let storage = try DirectoryStorage(root: root.path)
        try storage.put([1], as: "job/1.delta")
        let leftover = root.path + "/job/.writing-1-1"
        try Data([1]).write(to: URL(fileURLWithPath: leftover))
        #expect(try storage.list("job").map(\.name) == ["job/1.delta"])
        let now = Int(Date().timeIntervalSince1970)
        try storage.removeLeftovers(olderThan: 3_600, now: now)
        #expect(FileManager.default.fileExists(atPath: leftover))
        try storage.removeLeftovers(olderThan: 3_600, now: now + 4_000)
        #expect(!FileManager.default.fileExists(atPath: leftover))
        #expect(try storage.get("job/1.delta") == [1])
    }

    @Test func `a full device is told from other failures`() throws {
        // The kernel's own device that is always full stands for it.
        let root = try TemporaryDirectory()
        try FileManager.default.createSymbolicLink(atPath: root.path + "/full", withDestinationPath: "/dev/full")
        let storage = try DirectoryStorage(root: root.path)
        try FileManager.default.createDirectory(atPath: root.path + "/job", withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: root.path + "/job/file"))
        let refusal = error { try storage.put([1], as: "job/file/x") }
        #expect(refusal?.kind == .inputOutput)
        #expect(refusal?.description.contains("job/file") == true)
        try storage.put([1], as: "job/after")
        #expect(try storage.get("job/after") == [1])
    }
}
