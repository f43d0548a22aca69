import Batch
import Dataflow
import Expression
import Formats

final class JSONDecoding: HotPath {
    let events = 4_096
    private let texts: Texts
    private let decoder: JSONDecoder
    private var batch: Batch
    private var failures: [DecodeFailure] = []

    init() throws {
        var clicks = Clicks(seed: 1)
        texts = Texts((0..<events).map { _ in clicks.next() })
        decoder = clicks.decoder
        batch = Batch(schema: decoder.schema)
    }

    func run() {
        texts.payloads.withUnsafeBufferPointer { decoder.decode($0, into: &batch, failures: &failures) }
    }
}

final class JSONEncoding: HotPath {
    let events = 4_096
    private let batch: Batch
    private let encoder: JSONEncoder
    private var encoded = EncodedRows()

    init() throws {
        var clicks = Clicks(seed: 2)
        batch = clicks.batch(events)
        encoder = JSONEncoder(schema: batch.schema)
    }

    func run() {
        encoded.removeAll()
        encoder.encode(batch, into: &encoded)
    }
}

final class Filtering: HotPath {
    let events = 4_096
    private let batch: Batch
    private var filter: Filter
    private var fates = RowFates()

    init() throws {
        var clicks = Clicks(seed: 3)
        batch = clicks.batch(events)
        filter = Filter(try Expression.parse("event_type <> 'purchase' and ts >= timestamp '2026-01-01T00:00:00Z'").condition(in: batch.schema))
    }

    func run() {
        var kept = batch
        fates.reset(rowCount: batch.rowCount)
        filter.process(&kept, fates: &fates)
    }
}
