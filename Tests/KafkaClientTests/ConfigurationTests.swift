import KafkaClient
import Testing

@Test(arguments: [
    "enable.auto.commit", "enable.auto.offset.store", "auto.offset.reset", "isolation.level", "partition.assignment.strategy",
    "enable.partition.eof", "group.id", "bootstrap.servers", "metadata.broker.list", "transactional.id", "enable.idempotence",
    "acks", "request.required.acks", "partitioner", "max.in.flight", "rebalance_cb", "opaque",
])
func whatCorrectnessRestsOnIsRefusedByName(property: String) throws {
    let client = ClientConfiguration(brokers: "localhost:1", properties: [property: "1"])
    guard case .reserved(property, let reason)? = client.check().first else {
        Issue.record("\(property) is let through: \(client.check())")
        return
    }
    #expect(!reason.isEmpty)
    #expect(throws: ConfigurationError.reserved(property: property, reason: reason)) {
        _ = try Consumer(ConsumerConfiguration(client: client, groupID: "g"))
    }
    #expect(throws: ConfigurationError.reserved(property: property, reason: reason)) {
        _ = try Producer(ProducerConfiguration(client: client))
    }
}

@Test func everyWrongPropertyIsReportedAtOnce() {
    let client = ClientConfiguration(
        brokers: "localhost:1",
        properties: ["acks": "1", "fetch.min.bytes": "many", "linger.sm": "5", "socket.keepalive.enable": "true"])
    let errors = client.check()
    #expect(errors.count == 3)
    guard errors.count == 3, case .reserved("acks", _) = errors[0], case .invalid("fetch.min.bytes", "many", _) = errors[1],
        case .unknown("linger.sm", _) = errors[2]
    else {
        Issue.record("\(errors)")
        return
    }
}

@Test func harmlessPropertiesOfTheUserReachLibrdkafka() throws {
    let client = ClientConfiguration(
        brokers: "localhost:1", properties: ["fetch.wait.max.ms": "50", "compression.codec": "zstd", "queued.min.messages": "10"])
    #expect(client.check().isEmpty)
    _ = try Consumer(ConsumerConfiguration(client: client, groupID: "g"))
    _ = try Producer(ProducerConfiguration(client: client))
    _ = try AdminClient(client)
}

@Test func aClientThatCannotBeMadeSaysWhy() {
    // librdkafka refuses a transaction time-out below a second.
    let producer = ProducerConfiguration(client: ClientConfiguration(brokers: "localhost:1"))
    #expect(throws: ConfigurationError.self) {
        _ = try TransactionalProducer(
            TransactionalProducerConfiguration(producer: producer, transactionalID: "t", transactionTimeout: .milliseconds(10)))
    }
    #expect(throws: ConfigurationError.self) {
        _ = try Consumer(ConsumerConfiguration(client: ClientConfiguration(brokers: "localhost:1"), groupID: ""))
    }
}
