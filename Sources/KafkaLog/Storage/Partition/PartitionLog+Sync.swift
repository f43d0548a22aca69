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

    /// Writes what a start without a scan needs. The first of three steps, so that many partitions are closed together: the files have to
    /// be synced, then that of `writeSnapshot`, which must not be ahead of them, then the directory.
    func prepareClose() throws(StorageError) -> [LogFile] {
        var files = try unsyncedFiles + active.writeIndexes() + [active.file()]
        files.append(try writeTransactionIndex(of: active))
        return files
    }

    /// Everything is durable.
    func didClose() {
        unsyncedFiles.removeAll()
        unsyncedNames = false
        syncedOffset = logEndOffset
        advanceHighWatermark(to: logEndOffset)
    }

    /// Nothing was appended since an orderly end: all files are as that left them.
    var isUntouched: Bool { logEndOffset == cleanEndOffset && unsyncedFiles.isEmpty && !unsyncedNames }
}
