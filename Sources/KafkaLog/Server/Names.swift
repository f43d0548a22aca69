import KafkaLogGroups
import KafkaLogProtocol
import KafkaLogStorage

// Names that two of the modules below use. Here the plain name is the wire's message or the storage's type; the
// coordinators' are spelled with their module.
typealias TopicPartition = KafkaLogStorage.TopicPartition
typealias JoinGroupRequest = KafkaLogProtocol.JoinGroupRequest
typealias SyncGroupRequest = KafkaLogProtocol.SyncGroupRequest
typealias OffsetCommitRequest = KafkaLogProtocol.OffsetCommitRequest
typealias InitProducerIDRequest = KafkaLogProtocol.InitProducerIDRequest
typealias IsolationLevel = KafkaLogStorage.IsolationLevel
