/// Where partitions are on disk, and how large they are (KIP-113, KIP-827).
package struct DescribeLogDirsRequest: RequestMessage {
    package typealias Response = DescribeLogDirsResponse
    package static let api = ApiKey.describeLogDirs
    package static let versions: ClosedRange<Int16> = 1...4
    package static let flexibleSince: Int16? = 2

    /// nil for all.
    package var topics: [Topic]? = []

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

/// Answers `DescribeLogDirsRequest`.
package struct DescribeLogDirsResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var errorCode: ErrorCode = .none
    package var results: [Result] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds)
        try coder.field(&errorCode, since: 3)
        try coder.field(&results)
    }

    package struct Result: WireStructure {
        package var errorCode: ErrorCode = .none
        package var logDirectory: String = ""
        package var topics: [Topic] = []
        /// Of the volume; -1 when that is not known.
        package var totalBytes: Int64 = -1
        package var usableBytes: Int64 = -1

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&errorCode)
            try coder.field(&logDirectory)
            try coder.field(&topics)
            try coder.field(&totalBytes, since: 4)
            try coder.field(&usableBytes, since: 4)
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
                package var byteCount: Int64 = 0
                /// How far the high watermark is behind the log end.
                package var offsetLag: Int64 = 0
                package var isFuture: Bool = false

                package init() {}

                package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                    try coder.field(&index)
                    try coder.field(&byteCount)
                    try coder.field(&offsetLag)
                    try coder.field(&isFuture)
                }
            }
        }
    }
}
