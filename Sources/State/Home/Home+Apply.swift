extension Home {
    /// Applies deltas of committed epochs, oldest first, each the child of the one before and the first the child of the one that the home
    /// is complete to. Deltas up to that one are passed over. Everything is durable when it returns, and `completeTo` is the last.
    ///
    /// Memory is bounded by the run size and the largest delta, whatever their number: `load` is called for one after the other, and for the last one
    /// twice. When it throws, the home is complete to where it was, and the same call may be made again; also after a crash at any point.
    package func apply(
        _ references: [DeltaReference], load: (DeltaReference) throws(StateError) -> DeltaFile
    ) throws(StateError) {
        try applying.withLock { (_) throws(StateError) in
            let before = try examine().mark
            var rest = references[...]
            if let complete = before?.completeTo, let position = references.lastIndex(of: complete) { rest = references[(position + 1)...] }
            guard let last = rest.last, let first = rest.first else { return }
            let end = try checked(try load(last), last)
            if rest.count > 1 { try checkParent(try checked(try load(first), first), before?.completeTo) }
            let database = try open()
            if let before {
                var begun = before
                begun.applying = last
                try mark(begun, in: database)
            }
            try Files.remove(runDirectory)
            try Files.createDirectories(runDirectory)
            let application = HomeApplication(home: self, database: database, watermark: end.watermarks.values.min())
            try application.deleteDueTimers()
            var parent = before?.completeTo
            for reference in rest {
                let delta = try load(reference)
                try checkParent(try checked(delta, reference), parent)
                try delta.forEach { (change) throws(StateError) in try application.add(change, of: delta.header) }
                parent = reference
            }
            try application.writeRun()
            try Files.remove(runDirectory)
            try mark(HomeMark(job: job, task: task, completeTo: last, applying: nil), in: database)
        }
    }

    /// As above, of deltas that are in memory.
    package func apply(_ deltas: [DeltaFile]) throws(StateError) {
        try apply(deltas.map(\.header.reference)) { reference throws(StateError) in
            guard let delta = deltas.last(where: { $0.header.reference == reference }) else { preconditionFailure("it is one of them") }
            return delta
        }
    }

    private func checked(_ delta: DeltaFile, _ reference: DeltaReference) throws(StateError) -> DeltaHeader {
        try delta.check(job: job, task: task, reference: reference)
        return delta.header
    }

    private func checkParent(_ header: DeltaHeader, _ parent: DeltaReference?) throws(StateError) {
        guard header.parent != parent else { return }
        let expected = parent.map { "of \($0)" } ?? "without a parent"
        throw StateError(
            .foreign, directory,
            "the delta \(header.reference), a child of \(header.parent.map(String.init(describing:)) ?? "none"), where one \(expected) was expected",
            remedy: "the chain of deltas has a gap: restore from a snapshot that lies after it")
    }
}
