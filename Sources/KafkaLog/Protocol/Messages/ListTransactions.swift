/// All transactional ids, by state, producer id or age of the transaction when filters are given (KIP-664, KIP-994).
package struct ListTransactionsRequest: RequestMessage {
    package typealias Response = ListTransactionsResponse
    package static let api = ApiKey.listTransactions
    package static let versions: ClosedRange<Int16> = 0...1
    package static let flexibleSince: Int16? = 0

    package var stateFilters: [String] = []
    package var producerIDFilters: [Int64] = []
    /// Only transactions under way for longer than this; negative for all.
    package var durationFilterMilliseconds: Int64 = -1

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&stateFilters)
        try coder.field(&producerIDFilters)
        try coder.field(&durationFilterMilliseconds, since: 1)
    }
}

/// Answers `ListTransactionsRequest`.
package struct ListTransactionsResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var errorCode: ErrorCode = .none
    package var unknownStateFilters: [String] = []
    package var transactions: [Transaction] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds)
        try coder.field(&errorCode)
        try coder.field(&unknownStateFilters)
        try coder.field(&transactions)
    }

    package struct Transaction: WireStructure {
        package var transactionalID: String = ""
        package var producerID: Int64 = 0
        package var transactionState: String = ""

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&transactionalID)
            try coder.field(&producerID)
            try coder.field(&transactionState)
        }
    }
}
