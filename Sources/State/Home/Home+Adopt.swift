extension Home {
    /// Makes this home's own what has been put into its directory from another job's snapshot of the same task: from now on its mark
    /// names this job. The directory has to be there; no other call may be under way.
    /// - Returns: the delta up to which it is complete.
    package func adopt() throws(StateError) -> DeltaReference {
        close()
        guard try Files.status("\(directory)/CURRENT") != nil else {
            throw StateError(.missing, directory, "there is no database of a snapshot", remedy: "take it from the snapshot again")
        }
        let database = try RocksDatabase(opening: directory, create: false, cache: cache)
        guard let bytes = try database.get(HomeMark.key) else {
            throw StateError(.damagedHome, directory, "the snapshot does not say what it is complete to", remedy: "take it from another copy")
        }
        let old = try HomeMark(decoding: bytes, place: directory)
        guard old.task == task, old.applying == nil else {
            throw StateError(
                .foreign, directory, "a snapshot of task \(old.task)\(old.applying == nil ? "" : ", taken in the middle of an application"), where one of task \(task) was expected",
                remedy: "look whether files were moved; take it from another copy")
        }
        if old.job != job {
            try mark(HomeMark(job: job, task: task, completeTo: old.completeTo, applying: nil), in: database)
        }
        return old.completeTo
    }
}
