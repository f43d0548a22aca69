import Batch
import Expression

/// A job, checked: what the runtime builds. Every name has been resolved to positions, every expression typed.
package struct JobPlan: Sendable {
    /// Also the consumer group. 1 to 100 of `A-Z a-z 0-9 . _ -`, so that it is a group, topic and file name.
    package var name: String
    package var kafka: KafkaPlan
    /// Those of the file in its order, at least one, then one of each shuffle, in the order of `shuffles`. No two read one topic.
    package var sources: [SourcePlan]
    /// In topological order: an input stands before what reads it, otherwise as in the file.
    /// A `rekey` is none of them: what reads it reads the internal source of its shuffle.
    package var transforms: [TransformPlan]
    /// What is upstream stands first.
    package var shuffles: [ShufflePlan]
    /// In the order of the file; at least one.
    package var sinks: [SinkPlan]
    package var deadLetter: DeadLetterPlan

    package init(
        name: String, kafka: KafkaPlan, sources: [SourcePlan], transforms: [TransformPlan], sinks: [SinkPlan],
        deadLetter: DeadLetterPlan, shuffles: [ShufflePlan] = []
    ) {
        self.name = name
        self.kafka = kafka
        self.sources = sources
        self.transforms = transforms
        self.shuffles = shuffles
        self.sinks = sinks
        self.deadLetter = deadLetter
    }
}

/// Where the job's topics are.
package struct KafkaPlan: Hashable, Sendable {
    package enum Brokers: Hashable, Sendable {
        /// The log in this process.
        case embedded
        /// `host:port,host:port`, for `bootstrap.servers`.
        case addresses(String)
    }

    package var brokers: Brokers
    /// Handed to librdkafka as they are.
    package var properties: [String: String]

    package init(brokers: Brokers, properties: [String: String]) {
        self.brokers = brokers
        self.properties = properties
    }
}

package struct DeadLetterPlan: Hashable, Sendable {
    /// Where the file names none: `<job>.dead-letter`.
    package var topic: String

    package init(topic: String) {
        self.topic = topic
    }
}

/// What a transform or sink reads: the records of a source or the result of a transform.
package enum StagePlan: Hashable, Sendable {
    /// A position in `JobPlan.sources`.
    case source(Int)
    /// A position in `JobPlan.transforms`.
    case transform(Int)
}

/// How bytes become rows and back.
package enum RecordFormat: String, Hashable, Sendable, CaseIterable {
    case json
}

extension JobPlan {
    package func name(of stage: StagePlan) -> String {
        switch stage {
        case .source(let index): sources[index].name
        case .transform(let index): transforms[index].name
        }
    }

    package func schema(of stage: StagePlan) -> Schema {
        switch stage {
        case .source(let index): sources[index].schema
        case .transform(let index): transforms[index].output
        }
    }

    /// The source whose records reach `stage` without a shuffle between, so that of its tasks: a stage has one.
    package func source(of stage: StagePlan) -> Int {
        switch stage {
        case .source(let index): index
        case .transform(let index): source(of: transforms[index].from)
        }
    }
}
