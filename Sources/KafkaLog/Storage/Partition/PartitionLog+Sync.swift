extension PartitionLog {
    func markDirty() {
        guard !isDirty else { return }
        isDirty = true
        environment.markDirty(self)
    }

    func takeTicket() -> SyncTicket? {
        isDirty = false
        guard !isDeleted else { return nil }
        // Without fsync on the way only closed segments are synced, so that recovery does not have to go over them.
        let coversActive = environment.durability != .never
        if !coversActive && unsyncedFiles.isEmpty { return nil }
        var files = unsyncedFiles
        if coversActive, let file = try? active.file() { files.append(file) }
        let directories = unsyncedNames ? [directory] : []
        unsyncedFiles.removeAll()
        unsyncedNames = false
        return SyncTicket(
            participant: participantID, files: files, directories: directories,
            position: coversActive ? logEndOffset : active.baseOffset)
    }

    func didSync(to position: Int64) -> Bool {
        syncedOffset = max(syncedOffset, position)
        guard !environment.acknowledgesAtOnce, position > highWatermark else { return false }
        advanceHighWatermark(to: position)
        return true
    }

    /// Makes everything durable here and now, with all that a start without a scan needs.
    func close() throws(StorageError) {
        guard damage == nil, !isDeleted else { return }
        var files = try unsyncedFiles + active.writeIndexes() + [active.file()]
        files.append(try writeTransactionIndex(of: active))
        try synchronize(files)
        // After the index of transactions, which it must not be ahead of.
        try synchronize([writeSnapshot()])
        try Directories.synchronize(directory)
        unsyncedFiles.removeAll()
        unsyncedNames = false
        syncedOffset = logEndOffset
        advanceHighWatermark(to: logEndOffset)
    }

    private func synchronize(_ files: [LogFile]) throws(StorageError) {
        for file in files {
            do throws(SystemError) {
                try environment.operations.synchronize(file.descriptor)
            } catch {
                let failure = StorageError.system("sync", file.path, error)
                environment.fail(failure)
                throw failure
            }
        }
    }
}
