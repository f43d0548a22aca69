import KafkaLogCoordination
import KafkaLogGroups
import Testing

struct StaticMemberTests {
    @Test(arguments: [3, 9])
    func aFollowerThatComesBackGoesOnWithItsAssignment(version: Int) throws {
        let log = GroupHarness()
        let members = try log.pair(instances: ("a", "b"))
        let back = try #require(log.joined(log.join(instance: "b", version: version)))
        #expect(back.error == .none)
        #expect(back.memberID != members.second)
        #expect(back.generation == members.generation)
        #expect(back.leaderID == members.first && !back.skipAssignment && back.members.isEmpty)
        #expect(log.state() == .stable)
        #expect(log.synced(log.sync(back.memberID, back.generation, instance: "b"))?.assignment == [2])
        #expect(log.heartbeat(members.first, members.generation) == GroupError.none, "nobody is disturbed")
    }

    @Test func theOldOneIsFenced() throws {
        let log = GroupHarness()
        let members = try log.pair(instances: ("a", "b"))
        _ = log.join(instance: "b")
        #expect(log.heartbeat(members.second, members.generation, instance: "b") == .fencedInstanceID)
        #expect(log.synced(log.sync(members.second, members.generation, instance: "b"))?.error == .fencedInstanceID)
        #expect(log.joined(log.join(members.second, instance: "b"))?.error == .fencedInstanceID)
        #expect(log.commit(5, members.second, members.generation, instance: "b") == .fencedInstanceID)
        #expect(log.commit(5, members.second, members.generation, instance: "b", producer: 1) == .fencedInstanceID)
        #expect(log.leave(LeavingMember(memberID: members.second, groupInstanceID: "b")) == [.fencedInstanceID])
        #expect(log.heartbeat(members.second, members.generation) == .unknownMemberID, "without its instance id too")
        #expect(log.heartbeat(members.first, members.generation, instance: "c") == .unknownMemberID)
    }

    @Test func aLeaderThatComesBackIsToldToSkipTheAssignment() throws {
        let log = GroupHarness()
        let members = try log.pair(instances: ("a", "b"))
        let back = try #require(log.joined(log.join(instance: "a", version: 9)))
        #expect(back.leaderID == back.memberID && back.skipAssignment)
        #expect(back.members.map(\.memberID) == [back.memberID, members.second])
        #expect(log.state() == .stable)
        #expect(log.synced(log.sync(back.memberID, back.generation, instance: "a"))?.assignment == [1])
    }

    @Test func anOlderLeaderThatComesBackDoesNotNoticeThatItLeads() throws {
        let log = GroupHarness()
        let members = try log.pair(instances: ("a", "b"))
        let back = try #require(log.joined(log.join(instance: "a", version: 8)))
        #expect(back.leaderID == members.first && back.leaderID != back.memberID)
        #expect(back.members.isEmpty && !back.skipAssignment)
        #expect(log.joined(log.join(back.memberID, instance: "a")) == nil, "it leads: joining again rebalances")
    }

    @Test func theNewIDIsDurableBeforeItIsUsed() throws {
        let log = GroupHarness()
        let members = try log.pair(instances: ("a", "b"))
        let back = try #require(log.joined(log.join(instance: "b")))
        try log.restart()
        #expect(log.heartbeat(back.memberID, members.generation, instance: "b") == GroupError.none)
        #expect(log.heartbeat(members.second, members.generation, instance: "b") == .fencedInstanceID)
    }

    @Test func otherTopicsOrAnotherProtocolRebalance() throws {
        let log = GroupHarness()
        _ = try log.pair(instances: ("a", "b"))
        let topics = [GroupProtocol(name: "range", metadata: GroupHarness.subscription("t", "u"))]
        #expect(log.joined(log.join(instance: "b", protocols: topics)) == nil)
        #expect(log.state() == .preparingRebalance)

        let other = GroupHarness()
        let both = [GroupProtocol(name: "x", metadata: []), GroupProtocol(name: "y", metadata: [])]
        let first = try #require(other.joined(other.join(instance: "a", type: "connect", protocols: both)))
        _ = other.sync(first.memberID, 1, [first.memberID: [1]])
        #expect(other.joined(other.join(instance: "a", type: "connect", protocols: [both[1]]))?.generation == 2)
    }

    @Test func whatFollowsTheTopicsMayChange() throws {
        let log = GroupHarness()
        let members = try log.pair(instances: ("a", "b"))
        let owned = [GroupProtocol(name: "range", metadata: GroupHarness.subscription("t") + [1, 2, 3])]
        #expect(log.joined(log.join(instance: "b", protocols: owned))?.generation == members.generation)
    }

    @Test func comingBackWhileTheAssignmentIsMadeStartsOver() throws {
        let log = GroupHarness()
        let members = try log.pair(instances: ("a", "b"))
        _ = log.join(members.first, instance: "a")
        let second = log.join(members.second, instance: "b")
        #expect(log.joined(second)?.error == GroupError.none)
        let waiting = log.sync(members.second, members.generation + 1, instance: "b")
        let back = log.join(instance: "b")
        #expect(log.synced(waiting)?.error == .fencedInstanceID)
        #expect(log.joined(back) == nil)
        _ = log.join(members.first, instance: "a")
        #expect(log.joined(back)?.generation == members.generation + 2)
    }

    @Test func comingBackWhileItWaitsFencesTheOneThatWaits() throws {
        let log = GroupHarness()
        let members = try log.pair(instances: ("a", "b"))
        let waiting = log.join(members.first, instance: "a")
        let back = log.join(instance: "a")
        #expect(log.joined(waiting)?.error == .fencedInstanceID)
        _ = log.join(members.second, instance: "b")
        #expect(log.joined(back)?.members.count == 2)
    }

    @Test func aStaticMemberIsNotWaitedForAndNotForgottenInARebalance() throws {
        let log = GroupHarness()
        let members = try log.pair(instances: ("a", "b"))
        let first = log.join(members.first, instance: "a", session: 100_000)
        for _ in 0..<6 {
            log.advance(5_000)
            _ = log.heartbeat(members.second, members.generation, instance: "b")
        }
        let result = try #require(log.joined(first))
        #expect(result.members.map(\.memberID) == [members.first, members.second])
    }

    @Test func anAdministratorRemovesAMemberByItsInstanceID() throws {
        let log = GroupHarness()
        let members = try log.pair(instances: ("a", "b"))
        #expect(log.leave(LeavingMember(memberID: "", groupInstanceID: "c"), LeavingMember(memberID: "", groupInstanceID: "b")) == [.unknownMemberID, .none])
        #expect(log.heartbeat(members.second, members.generation, instance: "b") == .unknownMemberID)
    }

    @Test func aFullGroupLetsItsStaticMembersBackIn() throws {
        var configuration = GroupConfiguration()
        configuration.maximumMembers = 2
        let log = GroupHarness(configuration)
        _ = try log.pair(instances: ("a", "b"))
        #expect(log.joined(log.join(instance: "b"))?.error == GroupError.none)
        #expect(log.joined(log.join(instance: "c"))?.error == .groupMaxSizeReached)
    }
}
