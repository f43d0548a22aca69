import Batch

package final class JSONDecoder {
    package let fields: [DecodedField]
    package let limits: DecodeLimits
    /// The schema of the batches: the decoded fields, in order.
    package let schema: Schema

    package init(fields: [DecodedField], limits: DecodeLimits = DecodeLimits()) {
        self.fields = fields
        self.limits = limits
        self.schema = Schema(fields.map(\.field))
    }

    /// Decodes `payloads` into `batch`. What was in it is forgotten: row `i` is record `i`, `rowCount` the number of records.
    /// A payload without a base address is Kafka's null value. Bytes are read only within their length.
    package func decode(
        _ payloads: UnsafeBufferPointer<UnsafeRawBufferPointer>, into batch: inout Batch, failures: inout [DecodeFailure]
    ) {
        batch.removeAll()
    }
}
