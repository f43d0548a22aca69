import Foundation
import JobFile
import KafkaClient

extension JobSession {
    /// Those that the plan names, and the internal ones.
    var writtenTopics: [String] { plan.outputTopics + plan.shuffles.map(\.topic) }

    /// Creates what is missing, so far as that is the job's to do.
    func prepareTopics() throws(RuntimeFailure) {
        let admin = try administrator()
        for source in plan.sources where source.shuffle == nil {
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
            self.partitions[source.topic] = partitions
            if source.mustHaveOnePartition, partitions > 1 {
                throw RuntimeFailure(
                    remedy: .fail,
                    description: "source `\(source.name)` names no `key`, and topic \(source.topic) has \(partitions) partitions: records of one "
                        + "group could lie in several of them. Name the field that the topic is partitioned by, or bring them together with a `rekey`")
            }
        }
        for shuffle in plan.shuffles { try prepare(shuffle, admin) }
        for topic in plan.outputTopics {
            _ = try retrying("create topic \(topic)") { () throws(AdminError) in
                try admin.ensure(NewTopic(topic, partitions: -1), timeout: .seconds(10))
            }
        }
    }

    func administrator() throws(RuntimeFailure) -> any TopicAdministrator {
        if let admin { return admin }
        do throws(ConfigurationError) {
            let made = try context.surroundings.makeAdministrator(context)
            // Only what a shuffle has carried is to be deleted now and then.
            if !plan.shuffles.isEmpty { admin = made }
            return made
        } catch {
            throw RuntimeFailure(remedy: .fail, description: "\(error)")
        }
    }
}
