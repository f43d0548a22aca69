import KafkaLogProtocol

/// An input is a request without its length. What decodes is written again, and has to decode to the same.
struct RequestFuzzer {
    func run(_ input: [UInt8]) {
        guard let frame = try? RequestFrame(Bytes(input)), let api = frame.api, frame.isSupported else { return }
        check(frame, api.request)
    }

    private func check<Request: RequestMessage>(_ frame: RequestFrame, _ type: Request.Type) {
        guard let request = try? frame.decode(Request.self) else { return }
        guard let bytes = try? request.bytes(version: frame.header.version) else { finding("what was read cannot be written: \(request)") }
        guard let again = try? RequestFrame(Bytes(bytes)).decode(Request.self) else { finding("what was written cannot be read: \(request)") }
        // A field that its version does not have is not compared: it was never read.
        guard again == request else { finding("\(request) became \(again)") }
    }
}

extension RequestMessage {
    /// The request as it is sent, without its length.
    func bytes(version: Int16) throws -> [UInt8] {
        let pieces = try frame(version: version, correlationID: 1, clientID: "fuzz")
        return Array(
            pieces.flatMap { piece -> [UInt8] in
                guard case .bytes(let bytes) = piece else { return [] }
                return bytes
            }.dropFirst(4))
    }
}
