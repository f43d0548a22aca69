import State

/// What the checkpoint storage has of a task.
struct StoredState {
    private(set) var deltas: [DeltaReference] = []
    /// Their names, by what they are complete to.
    private(set) var snapshots: [DeltaReference: String] = [:]

    init(of task: TaskID, job: String, in storage: any CheckpointStorage) throws(StateError) {
        let directory = DeltaChain.directory(job: job, task: task)
        for object in try storage.list(directory) {
            let parts = object.name.dropFirst(directory.count + 1).split(separator: "/")
            guard let first = parts.first else { continue }
            guard let reference = DeltaChain.reference(of: first) else { continue }
            if first.hasPrefix("snapshot-") { snapshots[reference] = "\(directory)/\(first)" } else { deltas.append(reference) }
        }
    }

    /// Those of epochs in `(lowest, highest]`, whoever wrote them.
    func deltas(above lowest: Int, upTo highest: Int) -> [DeltaReference] {
        deltas.filter { $0.epoch > lowest && $0.epoch <= highest }
    }

    /// 0 when there is none.
    func newestSnapshot(upTo epoch: Int) -> Int {
        snapshots.keys.map(\.epoch).filter { $0 <= epoch }.max() ?? 0
    }
}

/// The chain of a task's deltas, followed from the committed one to its parents.
struct ChainWalk {
    /// Newest first.
    private(set) var deltas: [DeltaFile]
    /// Theirs, and the oldest one's parent.
    private(set) var references: [DeltaReference]
    private var fetched: [DeltaReference: [UInt8]] = [:]
    private let job: String
    private let task: TaskID
    private let storage: any CheckpointStorage

    init(from newest: DeltaFile, job: String, task: TaskID, storage: any CheckpointStorage) {
        deltas = [newest]
        references = [newest.header.reference] + (newest.header.parent.map { [$0] } ?? [])
        self.job = job
        self.task = task
        self.storage = storage
    }

    /// Fetches deltas that are probably on the chain, several at a time: the walk itself would wait for one after the other. What cannot be
    /// fetched is left to the walk, which knows whether it is needed.
    mutating func fetchAhead(_ candidates: [DeltaReference], width: Int) {
        guard width > 1 else { return }
        let missing = candidates.filter { fetched[$0] == nil && !references.dropLast().contains($0) }
        let found = inParallel(missing, width: width) { [job, task, storage] reference in
            try? storage.get(DeltaChain.name(reference, job: job, task: task))
        }
        for (reference, bytes) in zip(missing, found) { fetched[reference] = bytes }
    }

    /// Goes back until `end` is among the references, or there is no further delta.
    mutating func walk(backTo end: DeltaReference?) throws(StateError) {
        while end.map({ !references.contains($0) }) ?? true, let parent = deltas.last?.header.parent {
            let name = DeltaChain.name(parent, job: job, task: task)
            var bytes = fetched.removeValue(forKey: parent)
            if bytes == nil { bytes = try storage.get(name) }
            guard let bytes else { return }
            let delta = try DeltaFile.decode(bytes, name, parent, job: job, task: task)
            deltas.append(delta)
            if let further = delta.header.parent { references.append(further) }
        }
    }
}
