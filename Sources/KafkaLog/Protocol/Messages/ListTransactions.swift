/// All transactional ids, by state or producer id when filters are given (KIP-664).
package struct ListTransactionsRequest: RequestMessage {
    package typealias Response = ListTransactionsResponse
    package static let api = ApiKey.listTransactions
    package static let versions: ClosedRange<Int16> = 0...0
    package static let flexibleSince: Int16? = 0

    package var stateFilters: [String] = []
    package var producerIDFilters: [Int64] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&stateFilters)
        try coder.field(&producerIDFilters)
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
