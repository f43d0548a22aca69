extension Home {
    /// Applies deltas of committed epochs, oldest first, each the child of the one before and the first the child of the one that the home
    /// is complete to. Deltas up to that one are passed over. Everything is durable when it returns, and `completeTo` is the last.
    ///
    /// Memory is bounded by the run size, whatever the number of deltas. When it throws, the home is complete to where it was, and
    /// the same call may be made again; also after a crash at any point.
    package func apply(_ deltas: [DeltaFile]) throws(StateError) {
        try applying.withLock { (_) throws(StateError) in
            let before = try examine().mark
            let deltas = try newer(deltas, than: before?.completeTo)
            guard let last = deltas.last else { return }
            let database = try open()
            if let before {
                var begun = before
                begun.applying = last.header.reference
                try mark(begun, in: database)
            }
            try Files.remove(runDirectory)
            try Files.createDirectories(runDirectory)
            let application = HomeApplication(home: self, database: database, watermark: last.header.watermarks.values.min())
            try application.deleteDueTimers()
            for delta in deltas {
                try delta.forEach { (change) throws(StateError) in try application.add(change, of: delta.header) }
            }
            try application.writeRun()
            try Files.remove(runDirectory)
            try mark(HomeMark(job: job, task: task, completeTo: last.header.reference, applying: nil), in: database)
        }
    }

    /// Those after `complete`, which have to follow it without a gap.
    private func newer(_ deltas: [DeltaFile], than complete: DeltaReference?) throws(StateError) -> ArraySlice<DeltaFile> {
        var rest = deltas[...]
        if let complete, let position = deltas.lastIndex(where: { $0.header.reference == complete }) {
            rest = deltas[(position + 1)...]
        }
        var parent = complete
        for delta in rest {
            try delta.check(job: job, task: task, reference: nil)
            guard delta.header.parent == parent else {
                let expected = parent.map { "of \($0)" } ?? "without a parent"
                throw StateError(
                    .foreign, directory,
                    "the delta \(delta.header.reference), a child of \(delta.header.parent.map(String.init(describing:)) ?? "none"), where one \(expected) was expected",
                    remedy: "the chain of deltas has a gap: restore from a snapshot that lies after it")
            }
            parent = delta.header.reference
        }
        return rest
    }
}
