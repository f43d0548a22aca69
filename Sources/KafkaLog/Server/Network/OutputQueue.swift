import Glibc
import KafkaLogProtocol

/// What a connection still has to send, in order: bytes, and regions of files that go from the page cache to the socket.
struct OutputQueue {
    private var pieces: [OutputPiece] = []
    /// The index of the first piece that is not yet sent.
    private var head = 0
    /// Bytes of the first piece that are sent.
    private var sent = 0
    /// Bytes in memory: file regions take none.
    private(set) var memoryBytes = 0

    enum Progress: Equatable {
        case drained
        case blocked
        case failed(SocketError)
        /// A file ends before its region does.
        case fileTooShort
        /// TLS cannot go on.
        case refused(String)
    }

    var isEmpty: Bool { head == pieces.count }

    mutating func append(_ output: [OutputPiece]) {
        for piece in output {
            guard case .bytes(let bytes) = piece else {
                pieces.append(piece)
                continue
            }
            memoryBytes += bytes.count
            if case .bytes(var last)? = pieces.last, head < pieces.count - 1, last.count + bytes.count <= 16_384 {
                pieces[pieces.count - 1] = .bytes([])
                last += bytes
                pieces[pieces.count - 1] = .bytes(last)
            } else {
                pieces.append(piece)
            }
        }
    }

    /// Sends until nothing is left, the socket is full, or `budget` bytes went out (then `.blocked`, so that others get a turn).
    mutating func send(to socket: Int32, budget: Int, sentBytes: inout UInt64) -> Progress {
        var budget = budget
        while head < pieces.count {
            guard budget > 0 else { return .blocked }
            let written: Int
            switch pieces[head] {
            case .bytes(let bytes):
                let more = head + 1 < pieces.count ? Int32(MSG_MORE) : 0
                written = bytes.withUnsafeBytes { raw in
                    Glibc.send(socket, raw.baseAddress! + sent, raw.count - sent, Int32(MSG_NOSIGNAL) | more)
                }
            case .file(let region):
                var position = off_t(region.position) + off_t(sent)
                written = sendfile(socket, region.descriptor, &position, min(region.count - sent, budget))
                if written == 0 { return .fileTooShort }
            }
            if written < 0 {
                if errno == EINTR { continue }
                if errno == EAGAIN { return .blocked }
                return .failed(SocketError.last("send"))
            }
            sentBytes &+= UInt64(written)
            budget -= written
            sent += written
            if sent == pieces[head].count { advance() }
        }
        pieces.removeAll(keepingCapacity: pieces.capacity <= 64)
        head = 0
        return .drained
    }

    /// The same through TLS: file regions are read in pieces, since they have to be encrypted here.
    mutating func send(through tls: TLSSession, budget: Int, sentBytes: inout UInt64) -> Progress {
        var budget = budget
        while head < pieces.count {
            guard budget > 0 else { return .blocked }
            let result: TLSSession.Result
            switch pieces[head] {
            case .bytes(let bytes):
                result = bytes.withUnsafeBytes { raw in
                    tls.write(UnsafeRawBufferPointer(rebasing: raw[sent..<min(raw.count, sent + TLSSession.pieceBytes)]))
                }
            case .file(let region):
                let count = min(region.count - sent, TLSSession.pieceBytes)
                let read: (Int, TLSSession.Result) = withUnsafeTemporaryAllocation(byteCount: count, alignment: 16) { buffer in
                    let read = pread(region.descriptor, buffer.baseAddress, count, off_t(region.position) + off_t(sent))
                    guard read == count else { return (read, .blocked) }
                    return (read, tls.write(UnsafeRawBufferPointer(buffer)))
                }
                if read.0 < 0 { return errno == EINTR ? .blocked : .failed(SocketError.last("pread")) }
                // Less would be cut at the file's end; and what is blocked has to come again as it was.
                if read.0 < count { return .fileTooShort }
                result = read.1
            }
            switch result {
            case .blocked: return .blocked
            case .closed: return .failed(SocketError(call: "send", code: EPIPE))
            case .failed(let reason): return .refused(reason)
            case .bytes(let written):
                sentBytes &+= UInt64(written)
                budget -= written
                sent += written
                if sent == pieces[head].count { advance() }
            }
        }
        pieces.removeAll(keepingCapacity: pieces.capacity <= 64)
        head = 0
        return .drained
    }

    private mutating func advance() {
        if case .bytes(let bytes) = pieces[head] { memoryBytes -= bytes.count }
        pieces[head] = .bytes([])
        head += 1
        sent = 0
        if head >= 256 {
            pieces.removeFirst(head)
            head = 0
        }
    }
}
