import KafkaLogCoordination
import KafkaLogGroups
import Testing

struct MemberTests {
    @Test(arguments: [
        (GroupState.stable, GroupError.none), (.preparingRebalance, .rebalanceInProgress), (.completingRebalance, .none),
        (.empty, .unknownMemberID),
    ])
    func heartbeatsByState(state: GroupState, error: GroupError) throws {
        let log = GroupHarness()
        let members = try log.bring(to: state)
        #expect(log.state() == state)
        #expect(log.heartbeat(members.second, members.generation) == error)
        let illegal: GroupError = state == .empty ? .unknownMemberID : .illegalGeneration
        #expect(log.heartbeat(members.second, members.generation - 1) == illegal)
        #expect(log.heartbeat(members.second, members.generation + 1) == illegal)
        #expect(log.heartbeat("stranger", members.generation) == .unknownMemberID)
        #expect(log.heartbeat(members.second, members.generation, group: "other") == .unknownMemberID)
        #expect(log.heartbeat(members.second, members.generation, group: "") == .invalidGroupID)
    }

    @Test(arguments: [
        (GroupState.stable, GroupError.none), (.preparingRebalance, .rebalanceInProgress), (.empty, .unknownMemberID),
    ])
    func syncsByState(state: GroupState, error: GroupError) throws {
        let log = GroupHarness()
        let members = try log.bring(to: state)
        let result = try #require(log.synced(log.sync(members.second, members.generation)))
        #expect(result.error == error)
        #expect(result.assignment == (error == .none ? [2] : []))
        let illegal: GroupError = state == .empty ? .unknownMemberID : .illegalGeneration
        #expect(log.synced(log.sync(members.second, members.generation - 1))?.error == illegal)
        #expect(log.synced(log.sync("stranger", members.generation))?.error == .unknownMemberID)
        #expect(log.synced(log.sync(members.second, 1, group: "other"))?.error == .unknownMemberID)
    }

    @Test func aSyncMustBeForTheProtocolThatWasChosen() throws {
        let log = GroupHarness()
        let members = try log.pair()
        #expect(log.synced(log.sync(members.second, members.generation, type: "connect"))?.error == .inconsistentGroupProtocol)
        #expect(log.synced(log.sync(members.second, members.generation, name: "sticky"))?.error == .inconsistentGroupProtocol)
        #expect(log.synced(log.sync(members.second, members.generation, type: "consumer", name: "range"))?.assignment == [2])
    }

    @Test func whomTheLeaderForgetsHasNothingToDo() throws {
        let log = GroupHarness()
        let members = try log.bring(to: .completingRebalance)
        let second = log.sync(members.second, members.generation)
        _ = log.sync(members.first, members.generation, [members.first: [1], "stranger": [9]])
        #expect(log.synced(second)?.error == GroupError.none)
        #expect(log.synced(second)?.assignment == [])
    }

    @Test func aFollowersAssignmentIsNotTaken() throws {
        let log = GroupHarness()
        let members = try log.bring(to: .completingRebalance)
        #expect(log.synced(log.sync(members.second, members.generation, [members.second: [9]])) == nil)
        #expect(log.state() == .completingRebalance)
    }

    @Test func whoWaitsForAnAssignmentThatARebalanceOvertakesIsSentBack() throws {
        let log = GroupHarness()
        let members = try log.bring(to: .completingRebalance)
        let waiting = log.sync(members.second, members.generation)
        _ = log.join()
        #expect(log.synced(waiting)?.error == .rebalanceInProgress)
        #expect(log.synced(log.sync(members.first, members.generation, [members.second: [2]]))?.error == .rebalanceInProgress)
    }

    @Test func anAssignmentTooLargeToStoreFailsTheGenerationOpenly() throws {
        var configuration = GroupConfiguration()
        configuration.maximumGroupRecordBytes = 1_000
        let log = GroupHarness(configuration)
        let members = try log.bring(to: .completingRebalance)
        let waiting = log.sync(members.second, members.generation)
        let leading = log.sync(members.first, members.generation, [members.second: [UInt8](repeating: 0, count: 1_000)])
        #expect(log.synced(waiting)?.error == .unknownServerError)
        #expect(log.synced(leading)?.error == .unknownServerError)
        #expect(log.state() == .preparingRebalance)
    }

    @Test func aMemberThatIsNotHeardOfIsRemovedAndTheOthersShareItsWork() throws {
        let log = GroupHarness()
        let members = try log.pair()
        log.advance(9_000)
        #expect(log.heartbeat(members.first, members.generation) == GroupError.none)
        log.advance(1_000)
        #expect(log.heartbeat(members.first, members.generation) == .rebalanceInProgress)
        #expect(log.heartbeat(members.second, members.generation) == .unknownMemberID)
        let result = try #require(log.joined(log.join(members.first)))
        #expect(result.members.map(\.memberID) == [members.first])
    }

    @Test func allMembersGoneLeavesAnEmptyGroupOfTheNextGeneration() throws {
        let log = GroupHarness()
        _ = try log.pair()
        log.advance(10_000)
        #expect(log.state() == .empty)
        let next = try #require(log.joined(log.join()))
        #expect(next.generation == 4, "two of the pair, one that ended empty")
    }

    @Test func waitingForTheOthersIsNoReasonToBeRemoved() throws {
        let log = GroupHarness()
        let members = try log.pair()
        let first = log.join(members.first, rebalance: 300_000)
        for _ in 0..<20 {
            log.advance(5_000)
            _ = log.heartbeat(members.second, members.generation)
        }
        #expect(log.joined(first) == nil)
        _ = log.join(members.second, rebalance: 300_000)
        #expect(log.joined(first)?.error == GroupError.none)
    }

    @Test func aNewMemberThatWaitsTooLongIsTakenForGone() throws {
        let log = GroupHarness()
        let alone = try #require(log.joined(log.join(session: 1_000_000, rebalance: 1_000_000)))
        let new = log.join(session: 10_000)
        log.advance(299_999)
        #expect(log.joined(new) == nil)
        log.advance(1)
        #expect(log.joined(new)?.error == .unknownMemberID)
        #expect(log.joined(log.join(alone.memberID))?.members.count == 1)
    }

    @Test func whoJoinsAndNeverSyncsIsOut() throws {
        let log = GroupHarness()
        let members = try log.bring(to: .completingRebalance)
        let first = log.sync(members.first, members.generation, [members.first: [1], members.second: [2]])
        #expect(log.synced(first)?.assignment == [1])
        for _ in 0..<5 {
            log.advance(5_000)
            #expect(log.heartbeat(members.first, members.generation) == GroupError.none)
            #expect(log.heartbeat(members.second, members.generation) == GroupError.none)
        }
        log.advance(5_000)
        #expect(log.heartbeat(members.second, members.generation) == .unknownMemberID)
        #expect(log.heartbeat(members.first, members.generation) == .rebalanceInProgress)
    }

    @Test func leavingTakesEffectAtOnce() throws {
        let log = GroupHarness()
        let members = try log.pair()
        #expect(log.leave(LeavingMember(memberID: "stranger"), LeavingMember(memberID: members.second)) == [.unknownMemberID, .none])
        #expect(log.heartbeat(members.first, members.generation) == .rebalanceInProgress)
        #expect(log.leave(LeavingMember(memberID: members.second)) == [.unknownMemberID])
        #expect(log.leave(LeavingMember(memberID: members.first)) == [.none])
        #expect(log.state() == .empty)
        #expect(log.leave(LeavingMember(memberID: "x"), group: "other") == [.unknownMemberID])
        #expect(log.leave(LeavingMember(memberID: "x"), group: "") == [.invalidGroupID])
    }

    @Test func aMemberThatLeavesWhileItWaitsIsAnswered() throws {
        let log = GroupHarness()
        let members = try log.bring(to: .completingRebalance)
        let waiting = log.sync(members.second, members.generation)
        _ = log.leave(LeavingMember(memberID: members.second))
        #expect(log.synced(waiting)?.error == .unknownMemberID)
        let rejoining = log.join(members.first)
        #expect(log.joined(rejoining)?.members.count == 1)
    }

    @Test func aGroupThatEverybodyLeftWhileAnIDWasOutTakesNewMembers() throws {
        let log = GroupHarness()
        let alone = try log.single()
        let told = try #require(log.joined(log.join(version: 4)))
        _ = log.leave(LeavingMember(memberID: alone.memberID))
        let new = log.join()
        let other = log.join(told.memberID, version: 4)
        log.advance(1)
        #expect(log.joined(new)?.error == GroupError.none)
        #expect(log.joined(other)?.generation == log.joined(new)?.generation)
    }

    @Test func anUnusedIDCanBeGivenBack() throws {
        let log = GroupHarness()
        let members = try log.pair()
        let told = try #require(log.joined(log.join(version: 4)))
        let first = log.join(members.first)
        _ = log.join(members.second)
        #expect(log.joined(first) == nil, "the one who has an id is waited for")
        #expect(log.leave(LeavingMember(memberID: told.memberID)) == [.none])
        #expect(log.joined(first)?.error == GroupError.none)
    }
}
