import KafkaLogProtocol
import KafkaLogStorage

/// Why a part of a request is refused: the code that its client is told, and words for those who read them.
struct RequestFailure: Error {
    let code: ErrorCode
    let message: String
    /// The log's device has no room.
    var isOutOfSpace = false

    init(_ code: ErrorCode, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ error: StorageError) {
        self.init(error.errorCode, error.message)
        isOutOfSpace = error.isOutOfSpace
    }

    /// Runs a call of the storage; its refusal becomes the request's.
    static func fromStorage<Result: ~Copyable>(_ body: () throws(StorageError) -> Result) throws(RequestFailure) -> Result {
        do throws(StorageError) {
            return try body()
        } catch {
            throw RequestFailure(error)
        }
    }
}

extension StorageError {
    var errorCode: ErrorCode { ErrorCode(rawValue: code.rawValue) }
}
