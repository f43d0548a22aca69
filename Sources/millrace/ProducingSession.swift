import Foundation
import KafkaClient

/// What `generate` and `produce` share: a topic that is there, and a producer that is not outrun.
struct ProducingSession {
    let topic: String
    private let producer: Producer
    private var records = OutgoingRecords()

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    init(brokers: BrokerAccess, topic: String) throws {
        self.topic = topic
        let client = ClientConfiguration(brokers: brokers.brokers, clientID: "millrace-cli", properties: brokers.properties)
        let admin = try AdminClient(client)
        _ = try admin.ensure(NewTopic(topic, partitions: -1), timeout: .seconds(15))
        producer = try Producer(ProducerConfiguration(client: client))
    }

    /// Queues a record; a nil key is no key.
    mutating func send(key: [UInt8]?, value: some Collection<UInt8>) throws {
        if let key {
            records.append(key: key, value: value)
        } else {
            let start = records.bytes.count
            records.bytes.append(contentsOf: value)
            records.entries.append(.init(keyStart: 0, keyCount: -1, valueStart: Int32(start), valueCount: Int32(value.count)))
        }
        if records.bytes.count > 1 << 20 { try hand() }
    }

    /// Gives what is queued here to the producer.
    mutating func hand() throws {
        guard records.count > 0 else { return }
        try producer.produce(records, topic: topic, timeout: .seconds(60))
        records.removeAll()
    }

    /// Waits until everything has been acknowledged.
    mutating func finish() throws {
        try hand()
        try producer.flush(timeout: .seconds(120))
        if let failure = producer.deliveries.firstFailure {
            throw Failure(description: "\(producer.deliveries.failed) records were not delivered: \(failure)")
        }
    }

    var acknowledged: Int { producer.deliveries.acknowledged }
}
