import Foundation
import Runtime
import State

/// `millrace savepoint`: takes, lists and deletes savepoints of a job.
struct SavepointCommand {
    private enum Task {
        case take
        case list
        case delete(String)
    }

    private let target: JobTarget
    private let output: Output
    private let task: Task

    init(_ arguments: inout Arguments) throws(UsageError) {
        output = Output(isJSON: arguments.flag("--json"))
        let isList = arguments.flag("--list")
        let deleted = try arguments.value("--delete")
        if isList, deleted != nil { throw UsageError("--list and --delete are two commands") }
        task = isList ? .list : deleted.map { .delete($0) } ?? .take
        target = try JobTarget(&arguments)
    }

    func run() -> ExitCode {
        LogTarget.run(output) {
            switch task {
            case .take: try take()
            case .list: try list()
            case .delete(let id): try delete(id)
            }
            return .done
        }
    }

    private func take() throws {
        let savepoint = try target.withCommittedOffsets { committed in
            try SavepointWriter(job: target.name, storage: target.storage, topics: target.topics).take(committed: committed)
        }
        if output.isJSON { output.table("savepoint", [row(savepoint)]) } else { output.line(savepoint.id) }
    }

    private func list() throws {
        let shelf = SavepointShelf(target.storage)
        let found = try shelf.ids(ofJob: target.name).compactMap { try shelf.savepoint(SavepointName(job: target.name, id: $0)) }
        output.table("savepoint", found.map(row))
    }

    private func delete(_ id: String) throws {
        let name = SavepointName(job: target.name, id: id)
        let shelf = SavepointShelf(target.storage)
        let known = try shelf.ids(ofJob: name.job)
        guard known.contains(id) else {
            throw UsageError("job \(name.job) has no savepoint `\(id)`; it has \(known.isEmpty ? "none" : known.joined(separator: ", "))")
        }
        try shelf.delete(name)
    }

    private func row(_ savepoint: Savepoint) -> Fields {
        [
            "id": .text(savepoint.id), "taken": .text(Date(timeIntervalSince1970: savepoint.taken).ISO8601Format()),
            "tasks": .number(Int64(savepoint.tasks.count)), "bytes": .number(Int64(savepoint.byteCount)),
            "started_from": savepoint.startedFrom.map { .text($0) } ?? .none,
        ]
    }
}
