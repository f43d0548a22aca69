import KafkaLogCoordination
import KafkaLogGroups
import Testing

struct AdministrationTests {
    @Test(arguments: [GroupState.stable, .preparingRebalance, .completingRebalance, .empty])
    func groupsAreDescribedAsTheyAre(state: GroupState) throws {
        let log = GroupHarness()
        let members = try log.bring(to: state)
        let description = log.coordinator.describe(groupID: "g")
        #expect(description.error == .none && description.state == state && description.protocolType == "consumer")
        #expect(description.protocolName == (state == .stable ? "range" : ""))
        #expect(description.members.map(\.memberID) == (state == .empty ? [] : [members.first, members.second]))
        #expect(description.members.map(\.assignment) == (state == .stable ? [[1], [2]] : state == .empty ? [] : [[], []]))
        #expect(log.coordinator.list().map(\.groupID) == ["g"])
        #expect(log.coordinator.list().map(\.state) == [state])
        #expect(log.coordinator.list().map(\.protocolType) == ["consumer"])
        #expect(log.coordinator.countByState() == [state: 1])
    }

    @Test func aGroupThatIsNotThereIsDead() {
        let description = GroupHarness().coordinator.describe(groupID: "g")
        #expect(description.error == .none && description.state == .dead && description.members.isEmpty)
    }

    @Test func onlyEmptyGroupsCanBeDeleted() throws {
        let log = GroupHarness()
        _ = try log.single()
        _ = log.commit(5, group: "simple")
        _ = log.commit(5, group: "simple", producer: 40)
        #expect(log.delete("g", "simple", "none") == [.nonEmptyGroup, .none, .groupIDNotFound])
        #expect(log.fetch(group: "simple") == nil)
        try log.restart()
        #expect(log.coordinator.list().map(\.groupID) == ["g"])
        log.run(log.coordinator.completeTransaction(producerID: 40, commit: true, groups: ["simple"]))
        #expect(log.fetch(group: "simple") == nil)
    }

    @Test func offsetsOfSubscribedTopicsCannotBeDeleted() throws {
        let log = GroupHarness()
        let member = try log.single()
        _ = log.commit(1, member.memberID, member.generation)
        _ = log.commit(1, partition: TopicPartition("old", 0), member.memberID, member.generation)
        let result = try #require(log.deleteOffsets(TopicPartition("t", 0), TopicPartition("old", 0)))
        #expect(result.error == .none && result.partitions.map(\.error) == [.groupSubscribedToTopic, .none])
        #expect(log.fetch() == 1 && log.fetch(TopicPartition("old", 0)) == nil)
        _ = log.leave(LeavingMember(memberID: member.memberID))
        #expect(log.deleteOffsets(TopicPartition("t", 0))?.partitions.map(\.error) == [GroupError.none])
        try log.restart()
        #expect(log.fetch() == nil)
        #expect(log.deleteOffsets(TopicPartition("t", 0), group: "none")?.error == .groupIDNotFound)
    }

    @Test func aDeletedTopicLeavesNoOffsets() throws {
        let log = GroupHarness()
        _ = log.commit(5)
        _ = log.commit(6, producer: 40)
        _ = log.commit(5, partition: TopicPartition("u", 0))
        log.run(log.coordinator.removeTopic("t"))
        try log.restart()
        log.run(log.coordinator.completeTransaction(producerID: 40, commit: true, groups: ["g"]))
        #expect(log.fetch() == nil)
        #expect(log.fetch(TopicPartition("u", 0)) == 5)
    }

    @Test func offsetsExpireWhenNobodyHasBeenThereForTheRetentionTime() throws {
        let log = GroupHarness()
        let week: Int64 = 7 * 24 * 3_600_000
        _ = log.commit(5, group: "simple")
        _ = log.commit(5, group: "open", producer: 40)
        let member = try log.single()
        _ = log.commit(5, member.memberID, member.generation)
        for _ in 0..<8 {
            // The member stays for a week by its heartbeats.
            log.advance(9_000)
            #expect(log.heartbeat(member.memberID, member.generation) == GroupError.none)
            log.now.wallMilliseconds += week / 8
        }
        log.now.monotonicMilliseconds += 9_000
        _ = log.heartbeat(member.memberID, member.generation)
        log.now.monotonicMilliseconds += 600_000
        log.run(log.coordinator.tick(log.now))
        #expect(log.coordinator.list().map(\.groupID) == ["g", "open"], "a transaction in flight keeps its offsets")
        #expect(log.state() == .empty)
        #expect(log.fetch() == 5, "the group was in use until now")
        log.now.wallMilliseconds += week - 1
        log.now.monotonicMilliseconds += 600_000
        log.run(log.coordinator.tick(log.now))
        #expect(log.fetch() == 5)
        log.now.wallMilliseconds += 1
        log.now.monotonicMilliseconds += 600_000
        log.run(log.coordinator.tick(log.now))
        #expect(log.coordinator.list().map(\.groupID) == ["open"])
        try log.restart()
        #expect(log.coordinator.list().map(\.groupID) == ["open"])
    }

    @Test func offsetsOfTopicsThatNoMemberConsumesAnyMoreExpireWhileTheGroupIsInUse() throws {
        let log = GroupHarness()
        let week: Int64 = 7 * 24 * 3_600_000
        let member = try log.single()
        let dropped = TopicPartition("dropped", 0)
        #expect(log.commit(5, member.memberID, member.generation) == GroupError.none)
        #expect(log.commit(5, partition: dropped, member.memberID, member.generation) == GroupError.none)
        func passTime(_ milliseconds: Int64) {
            log.now.wallMilliseconds += milliseconds
            // The retention check comes round; the member stays by its heartbeats.
            for _ in 0..<80 {
                log.now.monotonicMilliseconds += 9_000
                _ = log.heartbeat(member.memberID, member.generation)
                log.run(log.coordinator.tick(log.now))
            }
        }
        passTime(week - 1)
        #expect(log.fetch(dropped) == 5)
        passTime(1)
        #expect(log.state() == .stable && log.fetch() == 5, "what is consumed is needed, however old")
        #expect(log.fetch(dropped) == nil)
        try log.restart()
        #expect(log.fetch(dropped) == nil && log.fetch() == 5)
    }

    @Test func offsetsOfMembersThatAreNoConsumersDoNotExpireWhileTheyAreThere() throws {
        let log = GroupHarness()
        let joined = try log.need(log.joined(log.join(type: "connect", protocols: [GroupProtocol(name: "range", metadata: [1])])))
        _ = log.sync(joined.memberID, joined.generation, [joined.memberID: [1]])
        #expect(log.commit(5, joined.memberID, joined.generation) == GroupError.none)
        log.now.wallMilliseconds += 8 * 24 * 3_600_000
        for _ in 0..<80 {
            log.now.monotonicMilliseconds += 9_000
            _ = log.heartbeat(joined.memberID, joined.generation)
            log.run(log.coordinator.tick(log.now))
        }
        #expect(log.state() == .stable && log.fetch() == 5)
    }

    @Test func offsetsOfClientsWithoutMembershipExpireOneByOne() throws {
        let log = GroupHarness()
        let week: Int64 = 7 * 24 * 3_600_000
        #expect(log.commit(5) == GroupError.none)
        log.now.wallMilliseconds += week - 1
        #expect(log.commit(6, partition: TopicPartition("t", 1)) == GroupError.none)
        log.advance(600_000)
        #expect(log.fetch() == nil && log.fetch(TopicPartition("t", 1)) == 6)
    }
}
