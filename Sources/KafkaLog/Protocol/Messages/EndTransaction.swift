/// Commits or aborts a transaction.
package struct EndTransactionRequest: RequestMessage {
    package typealias Response = EndTransactionResponse
    package static let api = ApiKey.endTransaction
    package static let versions: ClosedRange<Int16> = 0...4
    package static let flexibleSince: Int16? = 3

    package var transactionalID: String = ""
    package var producerID: Int64 = 0
    package var producerEpoch: Int16 = 0
    package var committed: Bool = false

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&transactionalID)
        try coder.field(&producerID)
        try coder.field(&producerEpoch)
        try coder.field(&committed)
    }
}

/// Answers `EndTransactionRequest`.
package struct EndTransactionResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var errorCode: ErrorCode = .none

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds)
        try coder.field(&errorCode)
    }
}
