/// The producers that partitions remember (KIP-664).
package struct DescribeProducersRequest: RequestMessage {
    package typealias Response = DescribeProducersResponse
    package static let api = ApiKey.describeProducers
    package static let versions: ClosedRange<Int16> = 0...0
    package static let flexibleSince: Int16? = 0

    package var topics: [Topic] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
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

/// Answers `DescribeProducersRequest`.
package struct DescribeProducersResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var topics: [Topic] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds)
        try coder.field(&topics)
    }

    package struct Topic: WireStructure {
        package var name: String = ""
        package var partitions: [Partition] = []

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&name)
            try coder.field(&partitions)
        }

        package struct Partition: WireStructure {
            package var index: Int32 = 0
            package var errorCode: ErrorCode = .none
            package var errorMessage: String?
            package var producers: [Producer] = []

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&index)
                try coder.field(&errorCode)
                try coder.field(&errorMessage)
                try coder.field(&producers)
            }

            package struct Producer: WireStructure {
                package var producerID: Int64 = 0
                package var producerEpoch: Int32 = 0
                package var lastSequence: Int32 = -1
                package var lastTimestamp: Int64 = -1
                package var coordinatorEpoch: Int32 = 0
                /// -1 without a transaction under way.
                package var transactionStartOffset: Int64 = -1

                package init() {}

                package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                    try coder.field(&producerID)
                    try coder.field(&producerEpoch)
                    try coder.field(&lastSequence)
                    try coder.field(&lastTimestamp)
                    try coder.field(&coordinatorEpoch)
                    try coder.field(&transactionStartOffset)
                }
            }
        }
    }
}
