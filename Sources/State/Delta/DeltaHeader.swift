/// Names a delta among those of its task: the epoch, and a random number, so that what a zombie wrote under the same epoch is
/// somebody else's.
package struct DeltaReference: Hashable, Sendable, CustomStringConvertible {
    package var epoch: Int
    package var id: UInt64

    package init(epoch: Int, id: UInt64) {
        self.epoch = epoch
        self.id = id
    }

    /// The id as it stands in names and in Kafka's offset metadata: sixteen lower-case hexadecimal digits.
    package var idText: String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// `epoch:id`
    package var description: String { "\(epoch):\(idText)" }
}

/// What a delta says besides its changes (DESIGN §5).
package struct DeltaHeader: Hashable, Sendable {
    /// The next offset to read of a partition.
    package struct Position: Hashable, Sendable {
        package var topic: String
        package var partition: Int32
        package var offset: Int64

        package init(topic: String, partition: Int32, offset: Int64) {
            self.topic = topic
            self.partition = partition
            self.offset = offset
        }
    }

    /// What became of the epoch's records.
    package struct Counts: Hashable, Sendable {
        package var consumed: Int64 = 0
        package var aggregated: Int64 = 0
        package var filtered: Int64 = 0
        package var duplicate: Int64 = 0
        /// By `millrace.reason`.
        package var deadLettered: [String: Int64] = [:]

        package init() {}
    }

    /// A file that becomes visible with the epoch.
    package struct PublishedFile: Hashable, Sendable {
        package var stagingName: String
        package var finalName: String
        package var bytes: Int64
        package var rows: Int64

        package init(stagingName: String, finalName: String, bytes: Int64, rows: Int64) {
            self.stagingName = stagingName
            self.finalName = finalName
            self.bytes = bytes
            self.rows = rows
        }
    }

    package var job: String
    /// The task's name, `clicks-3`.
    package var task: String
    package var reference: DeltaReference
    /// The delta that this one follows; nil for a task's first.
    package var parent: DeltaReference?
    package var positions: [Position] = []
    /// By source topic, microseconds since 1970 UTC: what the task's operators had been advanced to when they froze.
    package var watermarks: [String: Int64] = [:]
    package var counts = Counts()
    package var files: [PublishedFile] = []
    /// What else the runtime keeps: names of namespaces, fingerprints, ...
    package var extras: [String: String] = [:]

    package init(job: String, task: String, reference: DeltaReference, parent: DeltaReference?) {
        self.job = job
        self.task = task
        self.reference = reference
        self.parent = parent
    }
}
