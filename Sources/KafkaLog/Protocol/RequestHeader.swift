/// The header of a request, versions 1 and 2 (`client_id` keeps its two-byte length in both).
package struct RequestHeader: Equatable {
    package var key: Int16
    package var version: Int16
    package var correlationID: Int32
    package var clientID: String?

    package init(key: Int16, version: Int16, correlationID: Int32, clientID: String?) {
        self.key = key
        self.version = version
        self.correlationID = correlationID
        self.clientID = clientID
    }
}

/// A received request: its header, and its body not yet read.
package struct RequestFrame {
    package let header: RequestHeader
    /// nil when the number is not one that the log knows.
    package let api: ApiKey?
    private let body: Bytes

    /// `frame` is a request without its length. The body of an unknown request, or of a version that is not spoken, stays
    /// untouched: nobody knows its form.
    package init(_ frame: Bytes) throws(CodecError) {
        var reader = WireReader(frame, version: 1, flexible: false)
        var key: Int16 = 0, version: Int16 = 0, correlationID: Int32 = 0
        try reader.code(integer: &key)
        try reader.code(integer: &version)
        try reader.code(integer: &correlationID)
        let api = ApiKey(rawValue: key)
        var clientID: String?
        if let api, api.versions.contains(version) {
            try reader.code(text: &clientID, nullable: true)
            if api.isFlexible(version) { try reader.skipTags() }
        }
        self.header = RequestHeader(key: key, version: version, correlationID: correlationID, clientID: clientID)
        self.api = api
        self.body = Bytes(storage: frame.storage, offset: frame.offset + frame.count - reader.remaining, count: reader.remaining)
    }

    /// Whether the version of the request is one that the log speaks.
    package var isSupported: Bool { api.map { $0.versions.contains(header.version) } ?? false }

    /// Reads the body. What follows the last field is passed over, as Kafka does: librdkafka 2.16 asks for the metadata of all
    /// topics with an array length of four bytes where one belongs, so that three bytes are left.
    package func decode<Request: RequestMessage>(_ type: Request.Type) throws(CodecError) -> Request {
        precondition(api == Request.api)
        var reader = WireReader(body, version: header.version, flexible: Request.api.isFlexible(header.version))
        return try reader.read(type)
    }
}

extension RequestMessage {
    /// The request as a frame with its length: what a client sends.
    package func frame(version: Int16, correlationID: Int32, clientID: String?) throws(CodecError) -> [OutputPiece] {
        let flexible = Self.api.isFlexible(version)
        var header = WireWriter(version: version, flexible: false)
        header.write(integer: Self.api.rawValue)
        header.write(integer: version)
        header.write(integer: correlationID)
        var clientID = clientID
        try header.code(text: &clientID, nullable: true)
        if flexible { header.writeEmptyTags() }
        var writer = WireWriter(version: version, flexible: flexible, after: header)
        try writer.write(self)
        return try writer.frame()
    }

    /// The answer as a frame with its length.
    package static func frame(
        _ response: Response, version: Int16, correlationID: Int32
    ) throws(CodecError) -> [OutputPiece] {
        let flexible = api.isFlexible(version)
        var writer = WireWriter(version: version, flexible: flexible)
        writer.write(integer: correlationID)
        if flexible && api != .apiVersions { writer.writeEmptyTags() }
        try writer.write(response)
        return try writer.frame()
    }

    /// Reads an answer (a frame without its length): what a client does.
    package static func response(from frame: Bytes, version: Int16) throws(CodecError) -> (correlationID: Int32, response: Response) {
        let flexible = api.isFlexible(version)
        var reader = WireReader(frame, version: version, flexible: flexible)
        var correlationID: Int32 = 0
        try reader.code(integer: &correlationID)
        if flexible && api != .apiVersions { try reader.skipTags() }
        return (correlationID, try reader.readToEnd(Response.self))
    }
}
