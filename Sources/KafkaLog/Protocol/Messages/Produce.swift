/// Appends record batches to partitions; before version 3, message sets. `records` of the request are a view of the received frame.
package struct ProduceRequest: RequestMessage {
    package typealias Response = ProduceResponse
    package static let api = ApiKey.produce
    package static let versions: ClosedRange<Int16> = 0...11
    package static let flexibleSince: Int16? = 9

    package var transactionalID: String?
    package var acknowledgements: Int16 = 0
    package var timeoutMilliseconds: Int32 = 0
    package var topics: [Topic] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&transactionalID, since: 3)
        try coder.field(&acknowledgements)
        try coder.field(&timeoutMilliseconds)
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
            package var records: Records = .null

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&index)
                try coder.field(&records)
            }
        }
    }
}

/// Answers `ProduceRequest`.
package struct ProduceResponse: WireStructure {
    package var topics: [Topic] = []
    package var throttleTimeMilliseconds: Int32 = 0

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&topics)
        try coder.field(&throttleTimeMilliseconds, since: 1)
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
            package var baseOffset: Int64 = 0
            package var logAppendTimeMilliseconds: Int64 = -1
            package var logStartOffset: Int64 = -1
            package var recordErrors: [RecordError] = []
            package var errorMessage: String?

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&index)
                try coder.field(&errorCode)
                try coder.field(&baseOffset)
                try coder.field(&logAppendTimeMilliseconds, since: 2)
                try coder.field(&logStartOffset, since: 5)
                try coder.field(&recordErrors, since: 8)
                try coder.field(&errorMessage, since: 8)
            }

            package struct RecordError: WireStructure {
                package var batchIndex: Int32 = 0
                package var message: String?

                package init() {}

                package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                    try coder.field(&batchIndex)
                    try coder.field(&message)
                }
            }
        }
    }
}
