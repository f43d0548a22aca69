import Glibc
import KafkaLogProtocol

/// Received bytes of a connection, cut into frames. Frames are views of the buffer; it moves on to new memory as long as
/// one of them is kept.
struct InputBuffer {
    private var storage: ByteStorage
    private var start = 0
    private var end = 0

    /// What a connection has while its requests are small.
    static let smallCapacity = 32 * 1024

    init(capacity: Int = InputBuffer.smallCapacity) { storage = ByteStorage(capacity: capacity) }

    /// Memory in use.
    var capacity: Int { storage.capacity }
    var isEmpty: Bool { start == end }

    enum Next {
        case frame(Bytes)
        case incomplete
        case badLength(Int32)
    }

    /// The next whole frame without its length. A length that is not positive or above `limit` ends the stream.
    mutating func next(limit: Int) -> Next {
        guard end - start >= 4 else { return .incomplete }
        let length = Int32(bigEndian: storage.base.loadUnaligned(fromByteOffset: start, as: Int32.self))
        guard length > 0, Int(length) <= limit else { return .badLength(length) }
        guard end - start - 4 >= Int(length) else { return .incomplete }
        let frame = Bytes(storage: storage, offset: start + 4, count: Int(length))
        start += 4 + Int(length)
        return .frame(frame)
    }

    enum Received {
        case bytes(Int)
        case blocked
        case closed
        case failed(SocketError)
        /// TLS cannot go on.
        case refused(String)
    }

    /// Reads once from `socket`, into memory that grows with what really arrives: a length alone sets nothing aside.
    mutating func receive(from socket: Int32) -> Received {
        makeRoom()
        while true {
            let count = read(socket, storage.base + end, storage.capacity - end)
            if count > 0 {
                end += count
                return .bytes(count)
            }
            if count == 0 { return .closed }
            if errno == EINTR { continue }
            return errno == EAGAIN ? .blocked : .failed(SocketError.last("read"))
        }
    }

    /// The same through TLS.
    mutating func receive(through tls: TLSSession) -> Received {
        makeRoom()
        switch tls.read(into: storage.base + end, storage.capacity - end) {
        case .bytes(let count):
            end += count
            return .bytes(count)
        case .blocked: return .blocked
        case .closed: return .closed
        case .failed(let reason): return .refused(reason)
        }
    }

    private mutating func makeRoom() {
        let held = end - start
        var needed = InputBuffer.smallCapacity
        if held >= 4 {
            let length = Int(Int32(bigEndian: storage.base.loadUnaligned(fromByteOffset: start, as: Int32.self)))
            if length > 0 { needed = max(needed, min(length + 4, max(1 << 20, held * 2))) }
        }
        let unique = isKnownUniquelyReferenced(&storage)
        if unique, held == 0, storage.capacity <= 1 << 20 {
            (start, end) = (0, 0)
        } else if !unique || (held == 0 && storage.capacity > 1 << 20) || start + needed > storage.capacity {
            if unique, needed <= storage.capacity, storage.capacity <= 1 << 20 || held > 0 {
                memmove(storage.base, storage.base + start, held)
            } else {
                let larger = ByteStorage(capacity: needed)
                memcpy(larger.base, storage.base + start, held)
                storage = larger
            }
            (start, end) = (0, held)
        }
    }
}
