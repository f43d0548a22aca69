import KafkaLogCoordination

extension GroupCoordinator {
    /// TxnOffsetCommit: the offsets wait for the outcome of the producer's transaction. Ask the transaction coordinator first
    /// (`TransactionCoordinator.verify(_:groupID:)`) whether the transaction is ongoing, else nobody would complete them.
    package func commitTransactionOffsets(
        _ request: OffsetCommitRequest, producerID: Int64, _ token: RequestToken, _ now: CoordinatorTime
    ) -> [GroupAction] {
        var actions: [GroupAction] = []
        do throws(GroupError) {
            try check(groupID: request.groupID)
            let group = try groupOrNew(request.groupID)
            defer { dropIfUnused(group) }
            try checkCommit(group, request, isTransactional: true)
            if !request.memberID.isEmpty { extendSession(group, request.memberID, now) }

            var records: [CoordinatorRecord] = []
            let results = store(request, now, isKnown: { group.offsets[$0] != nil }) { partition, offset in
                group.pendingOffsets[producerID, default: [:]][partition] = offset
                records.append(GroupRecordFormat.pending(group.groupID, producerID: producerID, partition, offset))
            }
            if !records.isEmpty { actions.append(.persist(records)) }
            actions.append(.replyWhenDurable(token, .transactionOffsetCommit(results)))
        } catch {
            actions.append(.reply(token, .transactionOffsetCommit(refused(request, error))))
        }
        return actions
    }

    /// The outcome of a transaction has come: its offsets become visible, or are dropped. Doing it again does nothing, so a
    /// crash in between is harmless. When what is persisted here is durable, the groups' part of the markers is done.
    package func completeTransaction(producerID: Int64, commit: Bool, groups groupIDs: [String]) -> [GroupAction] {
        var records: [CoordinatorRecord] = []
        for groupID in groupIDs {
            guard let group = groups[groupID], let pending = group.pendingOffsets.removeValue(forKey: producerID) else {
                continue
            }
            for (partition, offset) in pending.sorted(by: { $0.key < $1.key }) {
                // The commit goes first: of a torn list a prefix is found again, and then completing goes on from there.
                let isNewest = group.offsets[partition].map { $0.sequence < offset.sequence } ?? true
                if commit && isNewest {
                    group.offsets[partition] = offset
                    records.append(GroupRecordFormat.committed(groupID, partition, offset))
                }
                records.append(GroupRecordFormat.pending(groupID, producerID: producerID, partition, nil))
            }
        }
        return records.isEmpty ? [] : [.persist(records)]
    }

    /// The groups and producer ids that have offsets pending, ascending. Ask after a restart and complete as aborted those that
    /// `TransactionCoordinator.knows(producerID:groupID:)` knows nothing of.
    package func pendingProducers() -> [(groupID: String, producerID: Int64)] {
        groups.values
            .flatMap { group in group.pendingOffsets.keys.map { (groupID: group.groupID, producerID: $0) } }
            .sorted { ($0.groupID, $0.producerID) < ($1.groupID, $1.producerID) }
    }
}
