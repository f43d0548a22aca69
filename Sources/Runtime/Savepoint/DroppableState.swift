import Expression
import JobFile
import KafkaClient
import State

extension JobPlan {
    /// Transforms and sinks that keep state, in the order of the file.
    package var statefulNames: [String] {
        let parquet = sinks.filter { if case .parquet = $0.target { true } else { false } }
        return transforms.filter(\.keepsState).map(\.name) + parquet.map(\.name)
    }

    /// What is wrong with `name` as one whose state may be dropped, so far as the job file can tell; nil when nothing is, or when
    /// the job file does not know it, as after it was removed.
    package func problem(ofDropping name: String) -> String? {
        guard !statefulNames.contains(name), (transforms.map(\.name) + sinks.map(\.name) + sources.map(\.name)).contains(name) else { return nil }
        return "`\(name)` keeps no state\(suggestion(for: name, among: statefulNames)); what keeps state: "
            + (statefulNames.isEmpty ? "nothing" : statefulNames.joined(separator: ", "))
    }
}

extension JobContext {
    /// Refuses names that neither the job file nor the stored state knows: a slip would otherwise look like a permission that was not needed.
    func checkDroppableState() throws(RuntimeFailure) {
        let unknown = settings.droppableState.subtracting(plan.statefulNames)
        if unknown.isEmpty { return }
        do {
            let known = try storedNames()
            for name in unknown.sorted() where !known.contains(name) {
                let all = known.union(plan.statefulNames).sorted()
                throw RuntimeFailure(
                    remedy: .fail,
                    description: "--drop-state \(name): neither the job nor its state has a transform or sink of this name"
                        + "\(suggestion(for: name, among: all)); what has state: \(all.joined(separator: ", "))")
            }
        } catch let failure as RuntimeFailure {
            throw failure
        } catch {
            throw RuntimeFailure(remedy: .recover, description: "the state of the job cannot be looked at: \(error)")
        }
    }

    /// Of all that has state now, or had and was dropped.
    private func storedNames() throws -> Set<String> {
        var names = try committedNames()
        guard let start = settings.savepoint else { return names }
        let job = start.job ?? plan.name
        let shelf = SavepointShelf(settings.storage)
        if let id = try start.id ?? shelf.ids(ofJob: job).last, let savepoint = try shelf.savepoint(SavepointName(job: job, id: id)) {
            names.formUnion(savepoint.tasks.flatMap(\.states).map(\.name))
        }
        return names
    }

    private func committedNames() throws -> Set<String> {
        let cluster = try surroundings.makeGroupObserver(self)
        let index = try CheckpointIndex(ofJob: plan.name, in: settings.storage)
        var names: Set<String> = []
        for offset in try cluster.committedOffsets(of: plan.name, stable: false, timeout: .seconds(30)) {
            guard let (_, delta) = try? index.tip(of: offset) else { continue }
            let registry = StateRegistry(extras: delta.header.extras)
            names.formUnion(registry.stored.keys)
            names.formUnion(registry.dropped.keys)
        }
        return names
    }
}
