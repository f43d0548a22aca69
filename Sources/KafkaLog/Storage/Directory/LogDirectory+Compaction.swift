/// What became of a pass of the cleaner, for the server's log and metrics.
package struct CompactionReport: Sendable {
    package let partition: TopicPartition
    /// Bytes of the segments that were read, and of those that took their place.
    package let bytesRead: Int64
    package let bytesWritten: Int64
    /// Why it ended early, if so.
    package let failure: StorageError?
    /// Another pass would fail in the same place: the partition is not cleaned until a setting of its topic is changed or the next start.
    package let isUncleanable: Bool
}

extension LogDirectory {
    /// Whether a pass of the cleaner is under way.
    package var isCompacting: Bool { compacting != nil }

    /// Starts a pass over the partition of a compacted topic that has most to clean, if there is one that should be cleaned and no pass is
    /// under way. It runs on a thread of its own; `completeSyncs` takes its steps. Returns whether one is under way.
    @discardableResult
    package func startCompaction() throws(StorageError) -> Bool {
        try environment.checkOnline()
        guard compacting == nil else { return true }
        var best: (log: PartitionLog, score: Double)?
        for log in partitions.values {
            do throws(StorageError) {
                guard let dirtiness = try log.dirtiness() else { continue }
                guard dirtiness.isOverdue || dirtiness.ratio > log.configuration.minCleanableDirtyRatio else { continue }
                let score = dirtiness.ratio + (dirtiness.isOverdue ? 1 : 0)
                if score > best?.score ?? -1 { best = (log, score) }
            } catch {
                refuse(log, error)
            }
        }
        guard let best else { return false }
        do throws(StorageError) {
            guard let job = try best.log.beginCompaction(memory: compactionMemory) else { return false }
            compacting = (best.log, job)
            cleaner.start(job)
            return true
        } catch {
            refuse(best.log, error)
            return false
        }
    }

    private func refuse(_ log: PartitionLog, _ error: StorageError) {
        log.uncleanable = error
        compactionReports.append(
            CompactionReport(partition: log.name, bytesRead: 0, bytesWritten: 0, failure: error, isUncleanable: true))
    }

    /// Passes that have ended since the last call.
    package func drainCompactionReports() -> [CompactionReport] {
        defer { compactionReports = [] }
        return compactionReports
    }

    /// Takes the steps that the cleaner waits for.
    func takeCompactionSteps() {
        for (job, step) in cleaner.takeSteps() {
            guard let compacting, compacting.job === job else { continue }
            let log = compacting.log
            switch step {
            case .install(let cleaned, let aborted):
                guard environment.failure == nil else {
                    log.cancelCompaction()
                    continue
                }
                // It was cancelled meanwhile.
                guard log.compaction === job else { continue }
                do throws(StorageError) {
                    try log.install(cleaned, aborted: aborted)
                    job.didInstall()
                } catch {
                    // Some files have their new names and others not: the next start completes that.
                    environment.fail(error)
                    log.cancelCompaction()
                }
            case .finished(let cleaned, let result):
                log.cleaned = cleaned
                log.compaction = nil
                self.compacting = nil
                compactionReports.append(
                    CompactionReport(
                        partition: log.name, bytesRead: result.bytesRead, bytesWritten: result.bytesWritten, failure: nil, isUncleanable: false))
            case .failed(let failure):
                log.compaction = nil
                self.compacting = nil
                switch failure.kind {
                case .cancelled: break
                case .unreadable: refuse(log, failure.error)
                case .undecided: environment.fail(failure.error)
                case .failed:
                    compactionReports.append(
                        CompactionReport(partition: log.name, bytesRead: 0, bytesWritten: 0, failure: failure.error, isUncleanable: false))
                }
            }
        }
    }

    /// Ends the pass under way and the thread. What is decided and has no place yet gets it at the next start.
    func stopCompaction() {
        compacting?.job.cancel()
        cleaner.stop()
        compacting = nil
    }
}
