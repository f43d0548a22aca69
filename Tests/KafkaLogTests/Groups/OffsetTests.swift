import KafkaLogCoordination
import KafkaLogGroups
import Testing

struct OffsetTests {
    let partition = TopicPartition("t", 0)

    @Test(arguments: [
        (GroupState.stable, GroupError.none), (.preparingRebalance, .none), (.completingRebalance, .rebalanceInProgress),
        (.empty, .unknownMemberID),
    ])
    func membersCommitByState(state: GroupState, error: GroupError) throws {
        let log = GroupHarness()
        let members = try log.bring(to: state)
        #expect(log.commit(5, members.second, members.generation) == error)
        #expect(log.fetch() == (error == .none ? 5 : nil))
        let illegal: GroupError = state == .empty ? .unknownMemberID : .illegalGeneration
        #expect(log.commit(6, members.second, members.generation - 1) == illegal)
        #expect(log.commit(6, "stranger", members.generation) == .unknownMemberID)
        #expect(log.commit(6, members.second, -1) == (state == .empty ? GroupError.none : .illegalGeneration))
        #expect(log.commit(6) == (state == .empty ? GroupError.none : .unknownMemberID))
    }

    @Test func clientsWithoutMembershipCommitToAGroupOfTheirOwn() throws {
        let log = GroupHarness()
        #expect(log.commit(5, metadata: "m1:7:abc") == GroupError.none)
        #expect(log.offset()?.offset == CommittedOffset(
            offset: 5, leaderEpoch: 7, metadata: "m1:7:abc", commitTimestamp: log.now.wallMilliseconds))
        #expect(log.commit(3) == GroupError.none, "going back is the client's right")
        #expect(log.fetch() == 3)
        #expect(log.commit(5, group: "other", "m", 4) == .illegalGeneration)
        #expect(log.state("other") == .dead)
        #expect(log.commit(5, group: "") == GroupError.none, "old clients without groups")
        #expect(log.commit(5, group: "", producer: 4) == .invalidGroupID)
    }

    @Test func anOffsetThatIsNotThereHasNoError() {
        let log = GroupHarness()
        #expect(log.offset()?.error == GroupError.none && log.fetch() == nil)
        #expect(log.coordinator.fetchOffsets(groupID: "g", partitions: nil, requiresStable: false).partitions.isEmpty)
        _ = log.commit(5, partition: TopicPartition("t", 10))
        _ = log.commit(4, partition: TopicPartition("a", 3))
        #expect(log.fetch() == nil)
        let all = log.coordinator.fetchOffsets(groupID: "g", partitions: nil, requiresStable: false)
        #expect(all.partitions.map(\.partition) == [TopicPartition("a", 3), TopicPartition("t", 10)])
    }

    @Test func metadataHasALimitThatOnlyItsPartitionFeels() throws {
        let log = GroupHarness()
        let request = OffsetCommitRequest(
            groupID: "g",
            offsets: [
                OffsetCommitRequest.Offset(partition, offset: 1, metadata: String(repeating: "é", count: 2_049)),
                OffsetCommitRequest.Offset(TopicPartition("t", 1), offset: 1, metadata: String(repeating: "é", count: 2_048)),
            ])
        let actions = log.coordinator.commitOffsets(request, RequestToken(99), log.now)
        guard case .replyWhenDurable(_, .offsetCommit(let results)) = actions.last else {
            Issue.record("\(actions)")
            return
        }
        #expect(results.map(\.error) == [.offsetMetadataTooLarge, .none])
        #expect(log.fetch() == nil && log.fetch(TopicPartition("t", 1)) == 1)
    }

    @Test func aCommitIsASignOfLife() throws {
        let log = GroupHarness()
        let member = try log.single()
        log.advance(9_000)
        #expect(log.commit(5, member.memberID, member.generation) == GroupError.none)
        log.advance(9_000)
        #expect(log.heartbeat(member.memberID, member.generation) == GroupError.none)
    }

    // MARK: In transactions

    @Test func transactionalOffsetsAreSeenWithTheCommitAndNotBefore() throws {
        let log = GroupHarness()
        _ = log.commit(3)
        #expect(log.commit(5, producer: 40) == GroupError.none)
        #expect(log.fetch() == 3)
        #expect(log.offset(stable: true)?.error == .unstableOffsetCommit)
        #expect(log.fetch(stable: true) == nil)
        #expect(log.offset(TopicPartition("t", 1), stable: true)?.error == GroupError.none)
        log.run(log.coordinator.completeTransaction(producerID: 41, commit: true, groups: ["g"]))
        #expect(log.fetch() == 3, "somebody else's transaction")
        log.run(log.coordinator.completeTransaction(producerID: 40, commit: true, groups: ["other"]))
        #expect(log.fetch() == 3, "another group's part")
        log.run(log.coordinator.completeTransaction(producerID: 40, commit: true, groups: ["g", "other"]))
        #expect(log.fetch(stable: true) == 5)
        #expect(log.coordinator.completeTransaction(producerID: 40, commit: true, groups: ["g"]).isEmpty)
    }

    @Test func anAbortDropsThem() throws {
        let log = GroupHarness()
        _ = log.commit(5, producer: 40)
        log.run(log.coordinator.completeTransaction(producerID: 40, commit: false, groups: ["g"]))
        #expect(log.fetch(stable: true) == nil)
        #expect(log.offset(stable: true)?.error == GroupError.none)
    }

    @Test func aCommitThatWasMadeAfterThemIsNotUndone() throws {
        let log = GroupHarness()
        _ = log.commit(5, producer: 40)
        _ = log.commit(9)
        try log.restart()
        log.run(log.coordinator.completeTransaction(producerID: 40, commit: true, groups: ["g"]))
        #expect(log.fetch() == 9)
        _ = log.commit(11, producer: 40)
        log.run(log.coordinator.completeTransaction(producerID: 40, commit: true, groups: ["g"]))
        #expect(log.fetch() == 11)
    }

    @Test(arguments: [GroupState.stable, .preparingRebalance, .completingRebalance, .empty])
    func transactionalCommitsAreFencedByGeneration(state: GroupState) throws {
        let log = GroupHarness()
        let members = try log.bring(to: state)
        let own: GroupError = state == .empty ? .unknownMemberID : .none
        let illegal: GroupError = state == .empty ? .unknownMemberID : .illegalGeneration
        #expect(log.commit(5, members.second, members.generation, producer: 40) == own)
        #expect(log.commit(5, members.second, members.generation - 1, producer: 40) == illegal)
        #expect(log.commit(5, "stranger", members.generation, producer: 40) == .unknownMemberID)
        #expect(log.commit(5, producer: 40) == GroupError.none, "older producers say nothing about the group")
    }

    @Test func pendingOffsetsOutliveARestart() throws {
        let log = GroupHarness()
        _ = log.commit(5, producer: 40)
        try log.restart()
        #expect(log.offset(stable: true)?.error == .unstableOffsetCommit)
        #expect(log.coordinator.pendingProducers().map(\.producerID) == [40])
        log.run(log.coordinator.completeTransaction(producerID: 40, commit: true, groups: ["g"]))
        try log.restart()
        #expect(log.fetch(stable: true) == 5)
        #expect(log.coordinator.pendingProducers().isEmpty)
    }

    @Test func completingGoesOnWhereACrashToreIt() throws {
        for kept in 0...6 {
            let log = GroupHarness()
            let partitions = (0..<3).map { TopicPartition("t", $0) }
            for partition in partitions { _ = log.commit(7, partition: partition, producer: 40) }
            let before = log.journal.count
            log.run(log.coordinator.completeTransaction(producerID: 40, commit: true, groups: ["g"]))
            #expect(log.journal.count == before + 6)
            log.journal.removeSubrange((before + kept)...)
            try log.restart()
            log.run(log.coordinator.completeTransaction(producerID: 40, commit: true, groups: ["g"]))
            for _ in 0..<2 {
                #expect(partitions.allSatisfy { log.fetch($0, stable: true) == 7 }, "kept \(kept)")
                try log.restart()
            }
        }
    }
}
