import Foundation
import JobFile
import KafkaClient

extension JobSession {
    /// Creates what is missing, so far as that is the job's to do.
    func prepareTopics() throws(RuntimeFailure) {
        let admin: any TopicAdministrator
        do throws(ConfigurationError) {
            admin = try context.surroundings.makeAdministrator(context)
        } catch {
            throw RuntimeFailure(remedy: .fail, description: "\(error)")
        }
        for source in plan.sources {
            let partitions = try retrying("look up topic \(source.topic)") { () throws(AdminError) in
                if self.settings.isEmbedded { return try admin.ensure(NewTopic(source.topic, partitions: -1), timeout: .seconds(10)) }
                guard let partitions = try admin.describe(source.topic, timeout: .seconds(10)) else {
                    throw AdminError(topics: [
                        source.topic: KafkaClientError(
                            operation: "read topic \(source.topic)", code: 3, name: "UNKNOWN_TOPIC_OR_PART",
                            text: "there is no such topic; create it, or correct `topic` of source `\(source.name)`", isFatal: false,
                            isRetriable: true, requiresAbort: false)
                    ])
                }
                return partitions
            }
            partitionCount += Int(partitions)
            if source.mustHaveOnePartition, partitions > 1 {
                throw RuntimeFailure(
                    remedy: .fail,
                    description: "source `\(source.name)` names no `key`, and topic \(source.topic) has \(partitions) partitions: records of one "
                        + "group could lie in several of them. Name the field that the topic is partitioned by")
            }
        }
        for topic in plan.outputTopics {
            _ = try retrying("create topic \(topic)") { () throws(AdminError) in
                try admin.ensure(NewTopic(topic, partitions: -1), timeout: .seconds(10))
            }
        }
    }
}
