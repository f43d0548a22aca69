import Batch
import Dataflow
import Foundation
import State

/// The processor time of the main job's operators by themselves, on one thread: records into columns, ids, sessions that open and close. With few users or
/// pages the same instructions find their memory in the caches: the difference is what misses cost.
struct MainJobTiming {
    private static let batchSize = 4_096
    /// A session closes 31 minutes after its last click: from then on as many close as open.
    private static let warmUpBatches = 600
    private static let measuredBatches = 300

    func report() throws {
        try report(users: 200_000, items: 5_000)
        try report(users: 200_000, items: 1)
        try report(users: 2_000, items: 1)
    }

    private func report(users: Int, items: Int) throws {
        var clicks = Clicks(seed: 7, users: users, pace: 1, items: items)
        let dedupe = makeDedupe(clicks.decoder.schema)
        let window = makeWindow(.session(gap: 1_800_000_000, max: nil), clicks.decoder.schema)
        var fates = RowFates()
        var output = Batch(schema: window.output)
        var decoding: [Double] = []
        var remembering: [Double] = []
        var folding: [Double] = []
        var closed = 0
        for number in 0..<Self.warmUpBatches + Self.measuredBatches {
            let texts = clicks.texts(Self.batchSize)
            let began = Self.processorTime()
            var batch = clicks.decoded(texts)
            let decoded = Self.processorTime()
            let watermark = batch.watermarks[batch.rowCount - 1]
            fates.reset(rowCount: batch.rowCount)
            output.removeAll()
            try dedupe.process(&batch, fates: &fates)
            let remembered = Self.processorTime()
            try window.process(batch, fates: &fates)
            try window.advance(to: watermark, into: &output)
            let worked = Self.processorTime()
            // What an epoch of a second does to them between batches.
            if number % 100 == 99 {
                let changes = EpochChanges()
                dedupe.remembered.beginFreeze(epoch: number, watermark: watermark, into: changes)
                window.beginFreeze(epoch: number, into: changes)
                var budget = Int.max
                precondition(dedupe.remembered.continueFreeze(budget: &budget) && window.continueFreeze(budget: &budget), "all of it is taken out")
            }
            guard number >= Self.warmUpBatches else { continue }
            decoding.append(decoded - began)
            remembering.append(remembered - decoded)
            folding.append(worked - remembered)
            closed += output.rowCount
        }
        print("\(users) users, \(40 * items) pages; \(closed) sessions closed in \(Self.batchSize * Self.measuredBatches) events")
        print("  decode: \(Self.line(decoding))")
        print("  dedupe: \(Self.line(remembering))")
        print("  sessions: \(Self.line(folding))")
    }

    private static func line(_ seconds: [Double]) -> String {
        let events = seconds.sorted().map { Int($0 * 1e9 / Double(batchSize)) }
        return "\(events[events.count / 2]) ns an event at the median of batches (\(events[events.count / 10]) to \(events[events.count * 9 / 10]), tenth to ninetieth of a hundred)"
    }

    private static func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
