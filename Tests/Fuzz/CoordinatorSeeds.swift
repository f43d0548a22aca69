import KafkaLogCoordination
import KafkaLogGroups
import KafkaLogTransactions

extension Seeds {
    /// What the coordinators themselves write.
    static var coordinatorEntries: [(key: [UInt8], value: [UInt8])] {
        let now = CoordinatorTime(monotonicMilliseconds: 0, wallMilliseconds: 1_700_000_000_000)
        let groups = GroupCoordinator(configuration: .init())
        let transactions = TransactionCoordinator(configuration: .init())
        var records: [CoordinatorRecord] = []
        var memberID = ""
        func take(_ actions: [GroupAction]) {
            for action in actions {
                if case .persist(let more) = action { records += more }
                if case .reply(_, .joinGroup(let result)) = action { memberID = result.memberID }
            }
        }
        func take(_ actions: [TransactionAction]) {
            for case .persist(let more) in actions { records += more }
        }
        let token = RequestToken(1)
        take(
            groups.joinGroup(
                JoinGroupRequest(
                    groupID: "g", memberID: "", groupInstanceID: "i", clientID: "c", clientHost: "/", sessionTimeoutMilliseconds: 10_000,
                    rebalanceTimeoutMilliseconds: 10_000, protocolType: "consumer",
                    protocols: [GroupProtocol(name: "range", metadata: [0, 1, 0, 0, 0, 0])], requiresKnownMemberID: false,
                    supportsSkippingAssignment: false), token, now))
        take(
            groups.syncGroup(
                SyncGroupRequest(groupID: "g", generation: 1, memberID: memberID, groupInstanceID: "i", assignments: [(memberID, [1])]),
                token, now))
        let offsets = [OffsetCommitRequest.Offset(TopicPartition("t", 0), offset: 5, metadata: "m")]
        take(groups.commitOffsets(OffsetCommitRequest(groupID: "h", offsets: offsets), token, now))
        take(groups.commitTransactionOffsets(OffsetCommitRequest(groupID: "h", offsets: offsets), producerID: 0, token, now))
        take(transactions.initProducerID(.init(transactionalID: "x", timeoutMilliseconds: 1_000, current: nil), token, now))
        take(
            transactions.addPartitions(
                transactionalID: "x", producer: ProducerIDAndEpoch(producerID: 0, epoch: 0), partitions: [TopicPartition("t", 0)], token, now))
        return records.map { ($0.key, $0.value ?? []) }
    }
}
