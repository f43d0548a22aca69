/// A producer id and epoch, fencing earlier holders of the transactional id (KIP-98, KIP-360).
package struct InitProducerIDRequest: RequestMessage {
    package typealias Response = InitProducerIDResponse
    package static let api = ApiKey.initProducerID
    package static let versions: ClosedRange<Int16> = 0...5
    package static let flexibleSince: Int16? = 2

    package var transactionalID: String?
    package var transactionTimeoutMilliseconds: Int32 = 0
    package var producerID: Int64 = -1
    package var producerEpoch: Int16 = -1

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&transactionalID)
        try coder.field(&transactionTimeoutMilliseconds)
        try coder.field(&producerID, since: 3)
        try coder.field(&producerEpoch, since: 3)
    }
}

/// Answers `InitProducerIDRequest`.
package struct InitProducerIDResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var errorCode: ErrorCode = .none
    package var producerID: Int64 = -1
    package var producerEpoch: Int16 = 0

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds)
        try coder.field(&errorCode)
        try coder.field(&producerID)
        try coder.field(&producerEpoch)
    }
}
