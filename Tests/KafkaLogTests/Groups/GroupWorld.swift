import KafkaLogCoordination
import KafkaLogGroups
import Seeded

/// A group coordinator with its journal and clock, clients that use it at random, and the model that it is compared with.
final class GroupWorld {
    enum Phase {
        case out
        case joined(members: [String], skipsAssignment: Bool)
        case stable
    }

    struct Client {
        var instance: String?
        var memberID = ""
        var generation: Int32 = -1
        var phase = Phase.out
        var waiting: RequestToken?
    }

    /// What a plain reading of the rules says is committed and pending.
    struct Model: Equatable {
        struct Value: Equatable {
            var order: Int
            var offset: Int64
            /// When it was sent, wall time.
            var sent: Int64
        }

        var committed: [TopicPartition: Value] = [:]
        var pending: [Int64: [TopicPartition: Value]] = [:]

        mutating func apply(_ change: Change) {
            switch change {
            case .commit(let partition, let value): committed[partition] = value
            case .delete(let partition): committed[partition] = nil
            case .deletePending(let producerID, let partition):
                pending[producerID]?[partition] = nil
                if pending[producerID]?.isEmpty == true { pending[producerID] = nil }
            case .pending(let producerID, let partition, let value): pending[producerID, default: [:]][partition] = value
            case .complete(let producerID, let commit):
                for (partition, value) in pending.removeValue(forKey: producerID) ?? [:] where commit {
                    if committed[partition].map({ $0.order < value.order }) ?? true { committed[partition] = value }
                }
            }
        }
    }

    enum Change {
        case commit(TopicPartition, Model.Value)
        case pending(Int64, TopicPartition, Model.Value)
        case delete(TopicPartition)
        case deletePending(Int64, TopicPartition)
        case complete(Int64, commit: Bool)
    }

    var random: SplitMix64
    var coordinator: GroupCoordinator
    var now = CoordinatorTime(monotonicMilliseconds: 0, wallMilliseconds: 1_700_000_000_000)
    var journal: [CoordinatorRecord] = []
    var durable = 0
    var held: [(after: Int, token: RequestToken, reply: GroupReply)] = []
    var clients: [Client]
    var nextToken: UInt64 = 0
    /// When the requests that wait in the coordinator were sent.
    var waitingSince: [RequestToken: Int64] = [:]
    var answered: Set<RequestToken> = []

    var model = Model()
    /// Since the last restart: what the journal has to hold for a change to last, and the change. Decisions always last.
    var changes: [(journal: Int, change: Change)] = []
    var base = Model()
    var order = 0
    /// The last outcome, and what the journal holds when it is complete. Its producer's next transaction begins after that.
    var outcome: (producerID: Int64, commit: Bool, journal: Int)?
    /// Who was given each piece of work, and in which generation.
    var work: [UInt32: (memberID: String, generation: Int32)] = [:]
    /// The member that has each instance id, as far as a client was told.
    var instances: [String: (memberID: String, generation: Int32)] = [:]
    /// The newest generation that a member was given work in.
    var stableGeneration: Int32 = 0

    var failures: [String] = []
    var steps = 0, syncs = 0, commits = 0, refusals = 0, completions = 0, crashes = 0, deletions = 0, expirations = 0
    var counts: String {
        "\(syncs) syncs, \(commits) commits, \(refusals) refused, \(completions) completions, \(crashes) crashes, \(deletions) deletions, "
            + "\(expirations) expirations"
    }

    let rebalanceTimeout: Int32 = 20_000
    let configuration: GroupConfiguration
    /// Since when the group has been seen without members, wall time; nil while that is not known.
    var emptySince: Int64?
    var wasEmpty = true

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        var configuration = GroupConfiguration()
        configuration.offsetsRetentionMilliseconds = 30_000
        configuration.offsetsRetentionCheckIntervalMilliseconds = 5_000
        if seed % 3 == 0 { configuration.initialRebalanceDelayMilliseconds = 3_000 }
        if seed % 4 == 1 { configuration.maximumMembers = 4 }
        self.configuration = configuration
        coordinator = GroupCoordinator(configuration: configuration, random: SplitMix64(seed: seed ^ 1))
        // Four that come and go, two with an instance id, and a zombie of each of these.
        clients = (0..<8).map { Client(instance: $0 < 4 ? nil : "s\($0 % 2)") }
        perform(coordinator.start(now))
    }

    func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    func fail(_ message: String) { failures.append(message) }
}
