/// Declares the group whose offsets a transaction commits.
package struct AddOffsetsToTransactionRequest: RequestMessage {
    package typealias Response = AddOffsetsToTransactionResponse
    package static let api = ApiKey.addOffsetsToTransaction
    package static let versions: ClosedRange<Int16> = 0...4
    package static let flexibleSince: Int16? = 3

    package var transactionalID: String = ""
    package var producerID: Int64 = 0
    package var producerEpoch: Int16 = 0
    package var groupID: String = ""

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&transactionalID)
        try coder.field(&producerID)
        try coder.field(&producerEpoch)
        try coder.field(&groupID)
    }
}

/// Answers `AddOffsetsToTransactionRequest`.
package struct AddOffsetsToTransactionResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var errorCode: ErrorCode = .none

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds)
        try coder.field(&errorCode)
    }
}
