import KafkaLogProtocol
import KafkaLogStorage

/// Speaks the protocol itself, with batches that are made beforehand: what it measures is the log.
struct LeanClient {
    private let load: BenchLoad
    private let connection: LogConnection

    private static let produceVersion: Int16 = 9
    private static let fetchVersion: Int16 = 12
    private static let transactionVersion: Int16 = 3

    /// Makes the topic, unless it is there.
    init(_ load: BenchLoad) throws {
        self.load = load
        connection = try LogConnection(load.brokers)
        let made = try connection.ask(
            CreateTopicsRequest {
                $0.timeoutMilliseconds = 10_000
                $0.topics = [.init { $0.name = load.topic; $0.numPartitions = BenchLoad.partitions; $0.replicationFactor = 1 }]
            }, version: 4)
        guard let code = made.topics.first?.errorCode, code == .none || code == .topicAlreadyExists else {
            throw BenchFailure(description: "topic `\(load.topic)` cannot be made: \(made)")
        }
    }

    private static func batch(_ count: Int, from first: Int, _ builder: RecordBatchBuilder = RecordBatchBuilder()) -> [UInt8] {
        // Of now: what is old could be deleted while it is measured.
        let now = BenchClock.wallMilliseconds
        return builder.build(
            (0..<count).map { index in
                let (key, value) = BenchLoad.record(first + index)
                return Record(timestamp: now, key: key, value: value)
            })
    }

    private func request(_ batches: [(partition: Int32, bytes: [UInt8])], transactionalID: String? = nil) -> ProduceRequest {
        ProduceRequest {
            $0.transactionalID = transactionalID
            $0.acknowledgements = -1
            $0.timeoutMilliseconds = 30_000
            $0.topics = [
                .init {
                    $0.name = load.topic
                    $0.partitions = batches.map { batch in
                        .init {
                            $0.index = batch.partition
                            $0.records = .bytes(Bytes(batch.bytes))
                        }
                    }
                }
            ]
        }
    }

    private func receiveAcknowledgement() throws {
        let answer = try connection.receive(ProduceRequest.self, version: Self.produceVersion)
        for partition in answer.topics.flatMap(\.partitions) where partition.errorCode != .none {
            throw BenchFailure(description: "a batch was refused: \(partition.errorCode)")
        }
    }

    /// As fast as it goes, twelve requests under way as if of a few clients, each with a batch for every partition.
    func produce() throws -> BenchFigures {
        let inFlight = 12
        var frame = try LogConnection.frame(
            request((0..<BenchLoad.partitions).map { ($0, Self.batch(load.batch, from: Int($0) * load.batch)) }), version: Self.produceVersion)
        let requests = max(1, load.records / (load.batch * Int(BenchLoad.partitions)))
        let (began, used) = (BenchClock.now, BenchClock.processorSeconds)
        var sent = 0
        for received in 0..<requests {
            while sent < requests, sent - received < inFlight {
                try connection.send(&frame)
                sent += 1
            }
            try receiveAcknowledgement()
        }
        return [
            "seconds": BenchClock.now - began, "records": Double(requests * load.batch) * Double(BenchLoad.partitions),
            "cpu_seconds": BenchClock.processorSeconds - used,
        ]
    }

    /// Fetches from the beginning, two requests under way, each for two partitions. Looks at the headers of batches and not into them.
    func consume() throws -> BenchFigures {
        var next = [Int64](repeating: 0, count: Int(BenchLoad.partitions))
        let halves: [Range<Int32>] = [0..<2, 2..<4]
        func ask(_ half: Range<Int32>) throws {
            try connection.send(
                FetchRequest {
                    $0.maxWaitMilliseconds = 500
                    $0.minBytes = 1
                    $0.maxBytes = 50 << 20
                    $0.topics = [
                        .init {
                            $0.name = load.topic
                            $0.partitions = half.map { index in
                                .init { $0.index = index; $0.fetchOffset = next[Int(index)]; $0.partitionMaxBytes = 1 << 20 }
                            }
                        }
                    ]
                }, version: Self.fetchVersion)
        }
        let (began, used) = (BenchClock.now, BenchClock.processorSeconds)
        var records = 0
        var bytes = 0
        for half in halves { try ask(half) }
        var turn = 0
        while records < load.records {
            let frame = try connection.receiveFrame()
            bytes += frame.count
            let answer = try FetchRequest.response(from: frame, version: Self.fetchVersion).response
            for partition in answer.topics.flatMap(\.partitions) {
                guard partition.errorCode == .none else { throw BenchFailure(description: "a fetch was refused: \(partition.errorCode)") }
                guard case .bytes(let batches) = partition.records else { continue }
                try batches.withUnsafeBytes { raw in
                    var iterator = RecordBatchIterator(raw)
                    while let header = try iterator.next() {
                        records += Int(header.recordCount)
                        next[Int(partition.index)] = header.nextOffset
                    }
                }
            }
            try ask(halves[turn])
            turn = 1 - turn
        }
        return [
            "seconds": BenchClock.now - began, "records": Double(records), "bytes": Double(bytes),
            "cpu_seconds": BenchClock.processorSeconds - used,
        ]
    }

    /// An open loop: records fall due at an even pace whatever the log does, and are sent every millisecond, to one partition after the
    /// other. The time of a record counts from when it was due. What comes while partitions are made and threads started does not count.
    func latency() throws -> BenchFigures {
        let perBatch = max(1, load.rate / 1_000)
        let pace = Double(perBatch) / Double(load.rate)
        var frames = try (0..<BenchLoad.partitions).map { partition in
            try LogConnection.frame(request([(partition, Self.batch(perBatch, from: Int(partition) * perBatch))]), version: Self.produceVersion)
        }
        let count = Int(Double(load.seconds + BenchLoad.warmUpSeconds) / pace)
        var times = BenchTimes()
        let (began, used) = (BenchClock.now + 0.01, BenchClock.processorSeconds)
        var sent = 0
        var received = 0
        // Batch n has the records that fall due in the n-th interval, and goes out at its end.
        func due(_ number: Int) -> Double { began + Double(number + 1) * pace }
        while received < count {
            while sent < count, due(sent) <= BenchClock.now {
                try connection.send(&frames[sent % frames.count])
                sent += 1
            }
            let patience = sent < count ? max(0, due(sent) - BenchClock.now) : 10
            guard connection.waitForAnswer(seconds: patience) else {
                if sent == count { throw BenchFailure(description: "no answer for 10 s") }
                continue
            }
            try receiveAcknowledgement()
            let now = BenchClock.now
            if Double(received) * pace >= Double(BenchLoad.warmUpSeconds) {
                for index in 0..<perBatch { times.add(now - due(received) + pace * Double(perBatch - 1 - index) / Double(perBatch)) }
            }
            received += 1
        }
        var figures = times.figures
        figures["seconds"] = BenchClock.now - began
        figures["cpu_seconds"] = BenchClock.processorSeconds - used
        return figures
    }

    /// Ten records in four partitions a transaction, one after the other; timed from adding the partitions to the answer to EndTxn.
    func transactions() throws -> BenchFigures {
        let id = "\(load.topic)-lean"
        let producer = try connection.ask(
            InitProducerIDRequest { $0.transactionalID = id; $0.transactionTimeoutMilliseconds = 60_000 }, version: 4)
        guard producer.errorCode == .none else { throw BenchFailure(description: "no producer id: \(producer.errorCode)") }
        var sequences = [Int32](repeating: 0, count: Int(BenchLoad.partitions))
        var times = BenchTimes()
        let end = BenchClock.now + Double(load.seconds)
        while BenchClock.now < end {
            let batches = (0..<BenchLoad.partitions).map { partition -> (partition: Int32, bytes: [UInt8]) in
                let count = partition < 2 ? 3 : 2
                let builder = RecordBatchBuilder(
                    producerID: producer.producerID, producerEpoch: producer.producerEpoch, baseSequence: sequences[Int(partition)],
                    isTransactional: true)
                sequences[Int(partition)] += Int32(count)
                return (partition, Self.batch(count, from: 0, builder))
            }
            let began = BenchClock.now
            let added = try connection.ask(
                AddPartitionsToTransactionRequest {
                    $0.transactionalID = id
                    $0.producerID = producer.producerID
                    $0.producerEpoch = producer.producerEpoch
                    $0.topics = [.init { $0.name = load.topic; $0.partitions = Array(0..<BenchLoad.partitions) }]
                }, version: Self.transactionVersion)
            for partition in added.topics.flatMap(\.partitions) where partition.errorCode != .none {
                throw BenchFailure(description: "a partition was not added: \(partition.errorCode)")
            }
            try connection.send(request(batches, transactionalID: id), version: Self.produceVersion)
            try receiveAcknowledgement()
            let ended = try connection.ask(
                EndTransactionRequest {
                    $0.transactionalID = id
                    $0.producerID = producer.producerID
                    $0.producerEpoch = producer.producerEpoch
                    $0.committed = true
                }, version: Self.transactionVersion)
            guard ended.errorCode == .none else { throw BenchFailure(description: "a transaction was not committed: \(ended.errorCode)") }
            times.add(BenchClock.now - began)
        }
        return times.figures
    }
}
