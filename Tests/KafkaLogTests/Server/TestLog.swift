import Foundation
import KafkaLog
import Synchronization

/// A log on a free loopback port in a directory of its own, removed with it.
final class TestLog: Sendable {
    let directory: String
    private let configure: @Sendable (inout LogServerConfiguration) -> Void
    private let current: Mutex<LogServer>
    private let events: EventList

    final class EventList: Sendable {
        private let list = Mutex<[LogEvent]>([])
        func add(_ event: LogEvent) { list.withLock { $0.append(event) } }
        var all: [LogEvent] { list.withLock { $0 } }
    }

    init(configure: @escaping @Sendable (inout LogServerConfiguration) -> Void = { _ in }) throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "millrace-log-\(UUID().uuidString)").path
        self.configure = configure
        events = EventList()
        current = Mutex(try TestLog.start(directory, events, configure))
    }

    deinit {
        server.stop()
        try? FileManager.default.removeItem(atPath: directory)
    }

    private static func start(
        _ directory: String, _ events: EventList, _ configure: (inout LogServerConfiguration) -> Void
    ) throws -> LogServer {
        var configuration = LogServerConfiguration(port: 0, directory: directory)
        configuration.log = { events.add($0) }
        configure(&configuration)
        let server = try LogServer(configuration: configuration)
        try server.start()
        return server
    }

    var server: LogServer { current.withLock { $0 } }
    var port: UInt16 { server.port }
    var brokers: String { "127.0.0.1:\(port)" }

    func client(receiveBuffer: Int32? = nil) throws -> TestClient { try TestClient(port: port, receiveBuffer: receiveBuffer) }

    /// Stops the server in order, and starts another one on its directory (and another port).
    func restart() throws {
        server.stop()
        let next = try TestLog.start(directory, events, configure)
        current.withLock { $0 = next }
    }

    /// The messages and reasons that were logged.
    var messages: [String] {
        events.all.map { event in ([event.message] + event.fields.map { "\($0.name)=\($0.value)" }).joined(separator: " ") }
    }
}
