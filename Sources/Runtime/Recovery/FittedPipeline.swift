import JobFile
import State

/// A task's part of the job, made for the state that there is of it.
struct FittedPipeline {
    var pipeline: Pipeline
    var home: Home
    var registry: StateRegistry
}

extension JobContext {
    /// Builds what task `id` has below its source on what is stored of it, without touching the storage or the disk. State that does not
    /// fit the job file is dropped where that is allowed, otherwise refused, all of it in one error.
    /// - Parameters:
    ///   - tasks: that may share the job's memory.
    ///   - partitions: of every topic that the job reads.
    ///   - fileRule: what decides on the files of Parquet sinks.
    func fit(
        _ stored: StateRegistry, of id: TaskID, _ source: SourcePlan, tasks: Int, partitions: [String: Int32] = [:],
        fileRule: ParquetOutput.FileRule = .byAge
    ) throws(StateError) -> FittedPipeline {
        func build(_ stored: StateRegistry) throws(StateError) -> FittedPipeline {
            guard let index = plan.sources.firstIndex(where: { $0.name == source.name }) else {
                preconditionFailure("a task's source is one of the plan's")
            }
            var registry = stored
            let (pipeline, home) = try Pipeline.build(
                plan, source: index, registry: &registry, directory: localDirectory(id), task: id, memory: settings.memory, tasks: tasks, cache: homeCache,
                partitions: partitions, fileRule: fileRule, spare: spareRecords)
            return FittedPipeline(pipeline: pipeline, home: home, registry: registry)
        }
        let fitted = try build(stored)
        let conflicts = fitted.registry.conflicts
        if conflicts.isEmpty { return fitted }
        let refused = conflicts.filter { !settings.droppableState.contains($0.name) }
        guard refused.isEmpty else {
            let options = refused.map { "--drop-state \($0.name)" }.joined(separator: " ")
            throw StateError(
                .foreign, "job \(plan.name)", "its state does not fit the job file: \(refused.map(\.description).joined(separator: "; "))",
                remedy: "put back what was changed; or give up that state, and start it empty, with `\(options)`; "
                    + "or give the job another name to start with empty state")
        }
        return try build(stored.dropping(Set(conflicts.map(\.name))))
    }
}
