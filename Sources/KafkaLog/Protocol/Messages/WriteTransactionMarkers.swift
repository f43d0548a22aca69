/// Ends transactions in partitions: how an administrator aborts one that hangs (KIP-664).
package struct WriteTransactionMarkersRequest: RequestMessage {
    package typealias Response = WriteTransactionMarkersResponse
    package static let api = ApiKey.writeTransactionMarkers
    package static let versions: ClosedRange<Int16> = 1...1
    package static let flexibleSince: Int16? = 1

    package var markers: [Marker] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&markers)
    }

    package struct Marker: WireStructure {
        package var producerID: Int64 = 0
        package var producerEpoch: Int16 = 0
        package var committed: Bool = false
        package var topics: [Topic] = []
        package var coordinatorEpoch: Int32 = 0

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&producerID)
            try coder.field(&producerEpoch)
            try coder.field(&committed)
            try coder.field(&topics)
            try coder.field(&coordinatorEpoch)
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

/// Answers `WriteTransactionMarkersRequest`.
package struct WriteTransactionMarkersResponse: WireStructure {
    package var markers: [Marker] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&markers)
    }

    package struct Marker: WireStructure {
        package var producerID: Int64 = 0
        package var topics: [Topic] = []

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&producerID)
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

                package init() {}

                package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                    try coder.field(&index)
                    try coder.field(&errorCode)
                }
            }
        }
    }
}
