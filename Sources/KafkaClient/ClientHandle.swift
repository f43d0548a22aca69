import CRdKafka
import Synchronization

/// One librdkafka instance. Whoever holds something of it (a queue, a batch of messages, a topic) holds the handle, so that
/// it is destroyed last: `rd_kafka_destroy` hangs while a queue is referenced.
///
/// Sendable because librdkafka's instances are thread-safe and the pointer never changes.
final class ClientHandle: @unchecked Sendable {
    let pointer: OpaquePointer
    let callbacks: Callbacks
    private let abandoned = Atomic(false)
    /// Counts what makes librdkafka throw prefetched records away and fetch them again: pauses, and rebalances, which pause.
    /// Raised before fetching goes on. See `Position`.
    let interruptions = Atomic<UInt64>(0)

    /// Takes `properties` over.
    init(_ type: rd_kafka_type_t, _ properties: Properties, _ log: @escaping ClientLog) throws(ConfigurationError) {
        let callbacks = Callbacks(log)
        self.callbacks = callbacks
        let conf = properties.pointer
        rd_kafka_conf_set_opaque(conf, Unmanaged.passUnretained(callbacks).toOpaque())
        rd_kafka_conf_set_log_cb(conf, forwardLog)
        if type == RD_KAFKA_PRODUCER {
            rd_kafka_conf_set_dr_msg_cb(conf, collectDeliveryFailure)
            rd_kafka_conf_set_error_cb(conf, forwardError)
        }
        var text = [CChar](repeating: 0, count: 512)
        guard let made = rd_kafka_new(type, conf, &text, text.count) else {
            throw .refused(text: string(fromC: text))
        }
        properties.forget()
        pointer = made
    }

    deinit {
        guard abandoned.load(ordering: .acquiring) == false else {
            // The instance goes on using them.
            _ = Unmanaged.passRetained(callbacks)
            return
        }
        rd_kafka_destroy_flags(pointer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
        // Until the line above callbacks may still be called.
        withExtendedLifetime(callbacks) {}
    }

    /// The value of a property that is a number, as the instance has it.
    func number(_ property: String) -> Int? {
        var text = [CChar](repeating: 0, count: 64)
        var size = text.count
        guard rd_kafka_conf_get(rd_kafka_conf(pointer), property, &text, &size) == RD_KAFKA_CONF_OK else { return nil }
        return Int(string(fromC: text))
    }

    /// Leaves the instance with its threads to the end of the process, because destroying it would hang or abort.
    func abandon(because reason: String) {
        if abandoned.exchange(true, ordering: .acquiringAndReleasing) { return }
        callbacks.log(4, "DESTROY", "a Kafka client is left behind: \(reason)")
    }

    /// The error that made this instance unusable, if there was one.
    func fatalError(_ operation: String) -> KafkaClientError? {
        var text = [CChar](repeating: 0, count: 512)
        let code = rd_kafka_fatal_error(pointer, &text, text.count)
        if code == RD_KAFKA_RESP_ERR_NO_ERROR { return nil }
        return KafkaClientError(operation, code, text: string(fromC: text), isFatal: true)
    }
}

/// A reference to one of librdkafka's queues; keeps the instance alive. Sendable like the instance.
@usableFromInline
final class QueueHandle: @unchecked Sendable {
    let pointer: OpaquePointer
    let client: ClientHandle

    /// Takes over `pointer`.
    init(_ pointer: OpaquePointer, of client: ClientHandle) {
        self.pointer = pointer
        self.client = client
    }

    deinit { rd_kafka_queue_destroy(pointer) }

    /// Makes the thread that waits at this queue, or the next that does, return at once.
    func yield() { rd_kafka_queue_yield(pointer) }
}

/// What librdkafka's callbacks need. Called from its threads and from those that poll.
final class Callbacks: Sendable {
    let log: ClientLog
    let deliveries = Mutex(DeliveryFailures())

    init(_ log: @escaping ClientLog) { self.log = log }
}

/// Records that librdkafka gave up on.
struct DeliveryFailures: Sendable {
    var count = 0
    /// The first of them: the rest usually follows from it.
    var first: KafkaClientError?
}

private func forwardLog(
    _ client: OpaquePointer?, _ level: Int32, _ facility: UnsafePointer<CChar>?, _ text: UnsafePointer<CChar>?
) {
    guard let client, let opaque = rd_kafka_opaque(client), let facility, let text else { return }
    let callbacks = Unmanaged<Callbacks>.fromOpaque(opaque).takeUnretainedValue()
    callbacks.log(level, String(cString: facility), String(cString: text))
}

private func forwardError(
    _ client: OpaquePointer?, _ code: Int32, _ text: UnsafePointer<CChar>?, _ opaque: UnsafeMutableRawPointer?
) {
    guard let opaque else { return }
    let callbacks = Unmanaged<Callbacks>.fromOpaque(opaque).takeUnretainedValue()
    let name = String(cString: rd_kafka_err2name(rd_kafka_resp_err_t(code)))
    callbacks.log(4, name, text.map { String(cString: $0) } ?? "")
}

private func collectDeliveryFailure(
    _ client: OpaquePointer?, _ message: UnsafePointer<rd_kafka_message_t>?, _ opaque: UnsafeMutableRawPointer?
) {
    guard let opaque, let message, message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
    let callbacks = Unmanaged<Callbacks>.fromOpaque(opaque).takeUnretainedValue()
    callbacks.deliveries.withLock { failures in
        failures.count += 1
        if failures.first == nil {
            let topic = message.pointee.rkt.map { String(cString: rd_kafka_topic_name($0)) } ?? "?"
            failures.first = KafkaClientError(
                "deliver a record of \(message.pointee.len) bytes to \(topic)/\(message.pointee.partition)", message.pointee.err)
        }
    }
}
