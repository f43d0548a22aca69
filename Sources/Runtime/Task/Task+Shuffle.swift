import Batch
import Dataflow
import KafkaClient
import State

// A task below a shuffle: its records are blocks that the tasks above have sent.
extension Task {
    /// Takes the blocks of `run`: all their rows or windows first, then how far the tasks above are with them. Which blocks come in one
    /// run makes no difference: nothing in them can be late here.
    func take(_ run: MessageRun, _ messages: borrowing MessageBatch, _ clock: inout StageClock) throws(RuntimeFailure) {
        batch.removeAll()
        for index in run.indexes {
            let message = messages[index]
            let bytes = message.payload ?? UnsafeRawBufferPointer(start: nil, count: 0)
            guard let block = ShuffleBlock(bytes) else {
                ledger.consumed += 1
                putAside(index - run.indexes.lowerBound, .malformed, "no block of a shuffle: somebody else has written it", run, messages)
                continue
            }
            guard block.fingerprint == pipeline.blockFingerprint else {
                throw unreadable(message.offset, "it was written by a job file whose rows or aggregates are others")
            }
            try take(block, UnsafeRawBufferPointer(rebasing: bytes[ShuffleBlock.headerBytes...]), message.offset, &clock)
            upstream.note(block)
        }
        clock.lap(.decode)
        watermark = max(watermark, upstream.smallest)
    }

    private func take(
        _ block: ShuffleBlock, _ content: UnsafeRawBufferPointer, _ offset: Int64, _ clock: inout StageClock
    ) throws(RuntimeFailure) {
        switch block.content {
        case .none: break
        case .rows:
            let before = batch.rowCount
            guard RowBlocks.decode(content, schema: source.schema, watermark: watermark, into: &batch) else {
                throw unreadable(offset, "its rows do not decode")
            }
            ledger.consumed += batch.rowCount - before
        case .partialWindows:
            do throws(StateError) {
                try pipeline.merge(content, clock: &clock)
            } catch {
                guard error.kind == .damaged else { throw RuntimeFailure(task: id, error) }
                throw unreadable(offset, error.problem)
            }
            ledger.consumed += block.rows
            ledger.aggregated += block.rows
        }
    }

    /// What the job itself has written inside a transaction is not put aside: everything in it would be missing from the results.
    private func unreadable(_ offset: Int64, _ problem: String) -> RuntimeFailure {
        RuntimeFailure(
            remedy: .fail,
            description: "task \(id.name): block \(partition)@\(offset) of the shuffle cannot be read: \(problem). Run the job file that wrote it until "
                + "its lag is 0, or give the job another name to start over")
    }
}
