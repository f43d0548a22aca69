import CRdKafka
import KafkaClient

/// librdkafka's mock cluster: real connections and group protocol, no durability, no transactional visibility.
final class MockCluster: @unchecked Sendable {
    // The mock's functions may be called from any thread.
    private let client: OpaquePointer
    private let cluster: OpaquePointer
    let brokers: String

    init(brokers count: Int32 = 1) {
        guard
            let client = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), nil, 0),
            let cluster = rd_kafka_mock_cluster_new(client, count)
        else { preconditionFailure("no mock cluster") }
        self.client = client
        self.cluster = cluster
        brokers = String(cString: rd_kafka_mock_cluster_bootstraps(cluster))
    }

    deinit {
        rd_kafka_mock_cluster_destroy(cluster)
        rd_kafka_destroy(client)
    }

    func createTopic(_ topic: String, partitions: Int32) {
        rd_kafka_mock_topic_create(cluster, topic, partitions, 1)
    }

    enum Request: Int16 {
        case produce = 0, offsetFetch = 9, findCoordinator = 10, heartbeat = 12, initProducerID = 22, endTransaction = 26,
            transactionOffsetCommit = 28
    }

    /// The next requests of this kind fail like this.
    func fail(_ request: Request, with code: rd_kafka_resp_err_t) { fail(request, with: [code]) }

    func fail(_ request: Request, with codes: [rd_kafka_resp_err_t]) {
        rd_kafka_mock_push_request_errors_array(cluster, request.rawValue, codes.count, codes)
    }

    func forgetFailures(of request: Request) { rd_kafka_mock_clear_request_errors(cluster, request.rawValue) }

    /// No connections to broker 1, the only one, until `bringUp`.
    func takeDown() { rd_kafka_mock_broker_set_down(cluster, 1) }

    func bringUp() { rd_kafka_mock_broker_set_up(cluster, 1) }

    func client(_ properties: [String: String] = [:], log: @escaping ClientLog = { _, _, _ in }) -> ClientConfiguration {
        ClientConfiguration(brokers: brokers, properties: properties, log: log)
    }

    func consumer(
        group: String = "readers", instance: String? = nil, properties: [String: String] = [:],
        sessionTimeout: Duration = .seconds(6), rebalanceTimeout: Duration = .seconds(300)
    ) throws -> Consumer {
        try Consumer(
            ConsumerConfiguration(
                client: client(properties), groupID: group, groupInstanceID: instance, sessionTimeout: sessionTimeout,
                rebalanceTimeout: rebalanceTimeout))
    }

    func producer(_ properties: [String: String] = [:]) throws -> Producer {
        try Producer(ProducerConfiguration(client: client(properties)))
    }
}
