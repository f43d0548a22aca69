import KafkaClient

/// Measures how long a job takes from a record that is due to be written to its result that a reader of committed records has. The job has to
/// pass `ts` on (config/bench/passthrough.yaml).
struct JobClient {
    private let load: BenchLoad
    private let output: String
    private let configuration: ClientConfiguration

    /// Results may come so long after the last record.
    private static let patienceSeconds = 30.0

    init(_ load: BenchLoad, output: String) {
        self.load = load
        self.output = output
        configuration = ClientConfiguration(brokers: load.brokers, clientID: "millrace-bench")
    }

    /// An open loop: records fall due at a fixed rate whatever the job does, say so in `ts`, and are sent once a millisecond. Those of the first
    /// second do not count.
    func latency() throws -> BenchFigures {
        let producer = try Producer(ProducerConfiguration(client: configuration, compression: .none, linger: .milliseconds(1)))
        let consumer = try Consumer(ConsumerConfiguration(client: configuration, groupID: "\(output)-bench"))
        let queue = try consumer.makeWorkerQueue()
        for partition in 0..<(try consumer.partitionCount(of: output, timeout: .seconds(15))) {
            try consumer.begin(TopicPartition(output, partition), at: .latest, on: queue)
        }
        let began = BenchClock.wallMilliseconds + 100
        let counted = began + Int64(BenchLoad.warmUpSeconds) * 1_000
        let perMillisecond = max(1, load.rate / 1_000)
        let count = perMillisecond * 1_000 * (load.seconds + BenchLoad.warmUpSeconds)
        let deadline = BenchClock.now + Double(load.seconds) + Self.patienceSeconds
        var times = BenchTimes()
        var records = OutgoingRecords()
        var (sent, received) = (0, 0)
        while received < count {
            guard BenchClock.now < deadline else {
                throw BenchFailure(description: "\(received) of \(count) records have come out of the job")
            }
            let due = min(count, max(0, Int(BenchClock.wallMilliseconds - began) * perMillisecond))
            records.removeAll()
            while sent < due {
                let (key, value) = Self.record(sent, at: began + Int64(sent / perMillisecond))
                records.append(key: key.utf8, value: value.utf8)
                sent += 1
            }
            if records.count > 0 { try producer.produce(records, topic: load.topic) }
            received += try take(queue) { time, now in
                if time >= counted { times.add(Double(now - time) / 1e3) }
            }
        }
        try producer.flush(timeout: .seconds(30))
        return times.figures
    }

    /// - Returns: how many came; `body` is given when each was due, and when it came.
    private func take(_ queue: WorkerQueue, _ body: (Int64, Int64) -> Void) throws -> Int {
        let batch = queue.consume(max: 10_000, timeout: .milliseconds(1))
        let now = BenchClock.wallMilliseconds
        for item in batch.items {
            switch item {
            case .records(let run):
                for index in run.indexes {
                    guard let time = Self.time(batch[index].payloadBytes) else {
                        throw BenchFailure(description: "a result on \(output) has no `ts`")
                    }
                    body(time, now)
                }
            case .failure(_, let error): throw error
            case .endOfPartition, .offsetOutOfRange: break
            }
        }
        return batch.count
    }

    private static func record(_ number: Int, at time: Int64) -> (key: String, value: String) {
        let user = "user-\(1_000_000 + number % 9_973)"
        return (
            user,
            """
            {"event_id":"\(number)-\(time)","user_id":"\(user)","ts":\(time),"event_type":"view","url":"/shop/category-7/item-\(number % 5_000)",\
            "amount":null,"device":{"os":"android","browser":"firefox"},"referrer":"/campaign/\(number % 1_000)"}
            """
        )
    }

    /// The number behind `"ts":`.
    private static func time(_ value: UnsafeRawBufferPointer) -> Int64? {
        let name = Array(#""ts":"#.utf8)
        guard var place = (0..<max(0, value.count - name.count)).first(where: { start in name.indices.allSatisfy { value[start + $0] == name[$0] } })
        else { return nil }
        place += name.count
        var time: Int64 = 0
        while place < value.count, value[place] >= UInt8(ascii: "0"), value[place] <= UInt8(ascii: "9") {
            time = time &* 10 &+ Int64(value[place] - UInt8(ascii: "0"))
            place += 1
        }
        return time
    }
}
