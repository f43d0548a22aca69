/// Why the storage refused something, with the code that a Kafka client is told.
package struct StorageError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Kafka's error codes, as far as the storage gives them (KafkaProtocol, "Error Codes").
    package enum Code: Int16, Sendable, Hashable {
        case unknownServerError = -1
        case offsetOutOfRange = 1
        case corruptMessage = 2
        case unknownTopicOrPartition = 3
        case messageTooLarge = 10
        case invalidTopic = 17
        case topicAlreadyExists = 36
        case invalidPartitions = 37
        case invalidConfiguration = 40
        case unsupportedForMessageFormat = 43
        case outOfOrderSequenceNumber = 45
        case duplicateSequenceNumber = 46
        case invalidProducerEpoch = 47
        case invalidTransactionState = 48
        case transactionCoordinatorFenced = 52
        case storageError = 56
        case invalidRecord = 87
    }

    package let code: Code
    /// What was expected, what came, where, and what to do; for logs and error messages.
    package let message: String
    /// The device has no room, or the quota is used up: the same may succeed once there is.
    package internal(set) var isOutOfSpace = false

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
