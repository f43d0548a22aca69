/// State of transactional ids (KIP-664).
package struct DescribeTransactionsRequest: RequestMessage {
    package typealias Response = DescribeTransactionsResponse
    package static let api = ApiKey.describeTransactions
    package static let versions: ClosedRange<Int16> = 0...0
    package static let flexibleSince: Int16? = 0

    package var transactionalIDs: [String] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&transactionalIDs)
    }
}

/// Answers `DescribeTransactionsRequest`.
package struct DescribeTransactionsResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var transactions: [Transaction] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds)
        try coder.field(&transactions)
    }

    package struct Transaction: WireStructure {
        package var errorCode: ErrorCode = .none
        package var transactionalID: String = ""
        package var transactionState: String = ""
        package var transactionTimeoutMilliseconds: Int32 = 0
        package var transactionStartTimeMilliseconds: Int64 = 0
        package var producerID: Int64 = 0
        package var producerEpoch: Int16 = 0
        package var topics: [Topic] = []

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&errorCode)
            try coder.field(&transactionalID)
            try coder.field(&transactionState)
            try coder.field(&transactionTimeoutMilliseconds)
            try coder.field(&transactionStartTimeMilliseconds)
            try coder.field(&producerID)
            try coder.field(&producerEpoch)
            try coder.field(&topics)
        }

        package struct Topic: WireStructure {
            package var name: String = ""
            package var partitions: [Int32] = []

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&name)
                try coder.field(&partitions)
            }
        }
    }
}
