import Batch
import Foundation
import Glibc
import Parquet
import Runtime
import State

/// The checkpoint storage that all instances share, as one of them reaches it.
final class SimulatedStorage: CheckpointStorage, @unchecked Sendable {
    private unowned let instance: Instance
    var world: World { instance.world }

    init(_ instance: Instance) { self.instance = instance }

    private func trouble(_ name: String) -> StateError {
        StateError(.inputOutput, name, "no answer", remedy: "will be tried again")
    }

    func put(_ bytes: [UInt8], as name: String) throws(StateError) {
        let fate = world.before(instance, "stores \(name)")
        if case .refuse = fate { throw trouble(name) }
        instance.lastObject = name
        world.objects[name] = world.mutation == .forgetWatermark ? try Self.withoutWatermark(bytes, name) : bytes
        if !world.after(instance, fate) { throw trouble(name) }
    }

    func get(_ name: String) throws(StateError) -> [UInt8]? {
        let fate = world.before(instance, "fetches \(name)")
        if case .refuse = fate { throw trouble(name) }
        var bytes = world.objects[name]
        switch world.mutation {
        case .ignoreParents: bytes = try withWrongParent(bytes, name)
        case .applyOutOfOrder: bytes = try withChangesOfParent(bytes, name)
        default: break
        }
        if !world.after(instance, fate) { throw trouble(name) }
        return bytes
    }

    func list(_ name: String) throws(StateError) -> [StoredObject] {
        let fate = world.before(instance, "lists \(name)")
        if case .refuse = fate { throw trouble(name) }
        let found = world.objects.filter { $0.key.hasPrefix(name + "/") }.map { StoredObject(name: $0.key, bytes: $0.value.count) }
            .sorted { $0.name < $1.name }
        if !world.after(instance, fate) { throw trouble(name) }
        return found
    }

    func delete(_ name: String) throws(StateError) {
        let fate = world.before(instance, "deletes \(name)")
        if case .refuse = fate { throw trouble(name) }
        for key in world.objects.keys where key == name || key.hasPrefix(name + "/") { world.objects[key] = nil }
        if !world.after(instance, fate) { throw trouble(name) }
    }

    func putDirectory(_ path: String, as name: String) throws(StateError) {
        let wasDead = instance.isDead
        let directory = String(name.prefix(through: name.lastIndex(of: "/") ?? name.startIndex))
        if world.mutation == .deleteDeltasBeforeSnapshot, !instance.isDead {
            for key in world.objects.keys where key.hasSuffix(".delta") && key.hasPrefix(directory) { world.objects[key] = nil }
        }
        let fate = world.before(instance, "stores snapshot \(name)")
        var files = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
        if case .refuse = fate {
            guard world.mutation == .leaveHalfSnapshots, !wasDead else { throw trouble(name) }
            files.removeLast(files.count / 2)
        }
        if world.mutation == .deleteYoungerSnapshots {
            for key in world.objects.keys where key.hasPrefix(directory + "snapshot-") { world.objects[key] = nil }
        }
        for file in files {
            world.objects["\(name)/\(file)"] = FileManager.default.contents(atPath: "\(path)/\(file)").map { [UInt8]($0) }
        }
        if case .refuse = fate { throw trouble(name) }
        if !world.after(instance, fate) { throw trouble(name) }
    }

    func copyDirectory(_ name: String, to target: String) throws(StateError) {
        let fate = world.before(instance, "copies \(name) to \(target)")
        if case .refuse = fate { throw trouble(name) }
        let files = world.objects.filter { $0.key.hasPrefix(name + "/") }
        if files.isEmpty { throw StateError(.missing, name, "there is no such directory", remedy: "") }
        for (key, bytes) in files { world.objects[target + key.dropFirst(name.count)] = bytes }
        if !world.after(instance, fate) { throw trouble(name) }
    }

    func getDirectory(_ name: String, to path: String) throws(StateError) {
        let fate = world.before(instance, "fetches snapshot \(name)")
        if case .refuse = fate { throw trouble(name) }
        let files = world.objects.filter { $0.key.hasPrefix(name + "/") }
        if files.isEmpty { throw StateError(.missing, name, "there is no such snapshot", remedy: "") }
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (key, bytes) in files {
            _ = FileManager.default.createFile(atPath: "\(path)/\(key.dropFirst(name.count + 1))", contents: Data(bytes))
        }
        if !world.after(instance, fate) { throw trouble(name) }
    }
}

/// A file of the sink: its rows.
struct FileContent {
    var rows: [String]
    /// The life of the instance that wrote it.
    var author: String
}

/// The directory of the Parquet sink that all instances share, as one of them reaches it.
final class SimulatedFiles: FileStore, @unchecked Sendable {
    private unowned let instance: Instance
    private var world: World { instance.world }

    init(_ instance: Instance) { self.instance = instance }

    private func trouble(_ name: String) -> ParquetError { ParquetError("write", name, EIO) }

    private var author: String { "\(instance.name)/\(instance.life)" }

    func stage(_ rows: RolledRows, as file: StagedFile) throws(ParquetError) -> StagedFile {
        let fate = world.before(instance, "stages \(rows.rows) rows as \(Self.name(file.staging))", at: .finale)
        if case .refuse = fate {
            // A crash in the middle leaves half a file.
            if instance.isDead, world.staged[file.staging] == nil { world.staged[file.staging] = FileContent(rows: ["half"], author: author) }
            throw trouble(file.staging)
        }
        let text = (0..<rows.rows).map { row in rows.columns.map { Self.text($0, row) }.joined(separator: " ") }
        let content = FileContent(rows: text, author: author)
        if world.mutation == .publishBeforeCommit { world.published[file.final] = content } else { world.staged[file.staging] = content }
        if !world.after(instance, fate) { throw trouble(file.staging) }
        return file
    }

    func publish(_ file: StagedFile) throws(ParquetError) -> Bool {
        if world.cutsBeforePublishing { instance.die(wipesState: false) }
        let fate = world.before(instance, "publishes \(Self.name(file.final))", at: .finale)
        if case .refuse = fate { throw trouble(file.final) }
        if world.mutation == .publishNothingAfterACrash, let staged = world.staged[file.staging], staged.author != author { return true }
        if let content = world.staged.removeValue(forKey: file.staging) { world.published[file.final] = content }
        if !world.after(instance, fate) { throw trouble(file.final) }
        return world.published[file.final] != nil
    }

    func staged(at path: String) -> [String] {
        if instance.isDead { return [] }
        if world.mutation == .sweepFilesOfOthers { world.staged = [:] }
        return world.staged.keys.filter { $0.hasPrefix(path + "/.staging/") }.map(Self.name)
    }

    func removeStaged(_ name: String, at path: String) {
        if case .refuse = world.before(instance, "sweeps \(name)") { return }
        let staging = "\(path)/.staging/\(name)"
        if world.mutation == .keepZombieFiles, let content = world.staged[staging] { world.published[staging] = content }
        world.staged[staging] = nil
    }

    private static func name(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

    private static func text(_ column: Column, _ row: Int) -> String {
        if column.isNull(row) { return "null" }
        switch column.type {
        case .string:
            let view = column.views[row]
            return String(decoding: column.bytes[Int(view.start)..<Int(view.start + view.length)], as: UTF8.self)
        default: return "\(column.integers[row])"
        }
    }
}
