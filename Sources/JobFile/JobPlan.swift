import Batch
import Expression

/// A job, checked: what the runtime builds. Every name has been resolved to positions, every expression typed.
package struct JobPlan: Sendable {
    /// Also the consumer group. 1 to 100 of `A-Z a-z 0-9 . _ -`, so that it is a group, topic and file name.
    package var name: String
    package var kafka: KafkaPlan
    /// In the order of the file; at least one. No two read one topic.
    package var sources: [SourcePlan]
    /// In topological order: an input stands before what reads it, otherwise as in the file.
    package var transforms: [TransformPlan]
    /// In the order of the file; at least one.
    package var sinks: [SinkPlan]
    package var deadLetter: DeadLetterPlan
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
}

package struct DeadLetterPlan: Hashable, Sendable {
    /// Where the file names none: `<job>.dead-letter`.
    package var topic: String
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

    /// The source whose records reach `stage`: a stage has one.
    package func source(of stage: StagePlan) -> Int {
        switch stage {
        case .source(let index): index
        case .transform(let index): source(of: transforms[index].from)
        }
    }
}
