import KafkaLogCoordination
import KafkaLogGroups
import Testing

struct JoinTests {
    @Test func aJobThatIsAloneStartsAtOnce() throws {
        let log = GroupHarness()
        let result = try #require(log.joined(log.join()))
        #expect(result.error == .none)
        #expect(result.generation == 1)
        #expect(result.leaderID == result.memberID)
        #expect(result.protocolType == "consumer" && result.protocolName == "range")
        #expect(result.members.map(\.memberID) == [result.memberID])
        #expect(result.members.first?.metadata == GroupHarness.range[0].metadata)
        let sync = try #require(log.synced(log.sync(result.memberID, 1, type: "consumer", name: "range", [result.memberID: [5]])))
        #expect(sync.error == .none && sync.protocolType == "consumer" && sync.protocolName == "range" && sync.assignment == [5])
        #expect(log.state() == .stable)
        #expect(log.heartbeat(result.memberID, 1) == GroupError.none)
    }

    @Test func newMembersAreToldTheirIDFirstWhenTheClientKnowsHow() throws {
        let log = GroupHarness()
        let told = try #require(log.joined(log.join(version: 4)))
        #expect(told.error == .memberIDRequired)
        #expect(told.memberID.hasPrefix("client-") && told.memberID.count == "client-".count + 36)
        #expect(log.state() == .empty)
        let result = try #require(log.joined(log.join(told.memberID, version: 4)))
        #expect(result.error == .none && result.memberID == told.memberID && result.generation == 1)
    }

    @Test func anIDThatIsNotUsedInTimeIsForgottenAndTheGroupWithIt() throws {
        let log = GroupHarness()
        let told = try #require(log.joined(log.join(session: 10_000, version: 4)))
        log.advance(9_999)
        #expect(log.state() == .empty)
        log.advance(1)
        #expect(log.state() == .dead)
        #expect(log.joined(log.join(told.memberID, version: 4))?.error == .unknownMemberID)
    }

    @Test func requestsThatCannotBeAreRefused() throws {
        let log = GroupHarness()
        #expect(log.joined(log.join(group: ""))?.error == .invalidGroupID)
        #expect(log.joined(log.join(session: 5_999))?.error == .invalidSessionTimeout)
        #expect(log.joined(log.join(session: 1_800_001))?.error == .invalidSessionTimeout)
        #expect(log.joined(log.join("nobody"))?.error == .unknownMemberID)
        #expect(log.joined(log.join(type: ""))?.error == .inconsistentGroupProtocol)
        #expect(log.joined(log.join(protocols: []))?.error == .inconsistentGroupProtocol)
        let large = [GroupProtocol(name: "range", metadata: [UInt8](repeating: 0, count: 1 << 20))]
        #expect(log.joined(log.join(protocols: large))?.error == .invalidRequest)
        #expect(log.coordinator.list().isEmpty, "nothing is left of them")
    }

    @Test func membersOfAnotherKindAreNotLetIn() throws {
        let log = GroupHarness()
        let member = try log.single()
        #expect(log.joined(log.join(type: "connect"))?.error == .inconsistentGroupProtocol)
        let other = [GroupProtocol(name: "sticky", metadata: [])]
        #expect(log.joined(log.join(protocols: other))?.error == .inconsistentGroupProtocol)
        #expect(log.joined(log.join("stranger"))?.error == .unknownMemberID)
        #expect(log.heartbeat(member.memberID, member.generation) == GroupError.none, "and nobody is disturbed")
    }

    @Test func aSecondMemberMakesEveryoneJoinAgain() throws {
        let log = GroupHarness()
        let alone = try log.single()
        let second = log.join()
        #expect(log.joined(second) == nil)
        #expect(log.state() == .preparingRebalance)
        #expect(log.heartbeat(alone.memberID, 1) == .rebalanceInProgress)
        #expect(log.synced(log.sync(alone.memberID, 1))?.error == .rebalanceInProgress)
        let first = log.join(alone.memberID)
        let leader = try #require(log.joined(first))
        let follower = try #require(log.joined(second))
        #expect(leader.generation == 2 && follower.generation == 2)
        #expect(leader.members.map(\.memberID) == [leader.memberID, follower.memberID])
        #expect(follower.members.isEmpty && follower.leaderID == leader.memberID)

        let waiting = log.sync(follower.memberID, 2)
        #expect(log.synced(waiting) == nil)
        _ = log.sync(leader.memberID, 2, [leader.memberID: [1], follower.memberID: [2]])
        #expect(log.synced(waiting)?.assignment == [2])
    }

    @Test func theAssignmentIsOnlyToldWhenItIsDurable() throws {
        let log = GroupHarness()
        let result = try #require(log.joined(log.join()))
        let request = SyncGroupRequest(
            groupID: "g", generation: 1, memberID: result.memberID,
            assignments: [(memberID: result.memberID, assignment: [1])])
        let actions = log.coordinator.syncGroup(request, RequestToken(99), log.now)
        try #require(actions.count == 2)
        guard case .persist = actions[0], case .replyWhenDurable = actions[1] else {
            Issue.record("\(actions)")
            return
        }
    }

    @Test func theProtocolThatMostPreferAmongThoseAllKnowIsChosen() throws {
        let log = GroupHarness()
        func offers(_ names: String...) -> [GroupProtocol] { names.map { GroupProtocol(name: $0, metadata: Array($0.utf8)) } }
        let first = try #require(log.joined(log.join(protocols: offers("sticky", "range", "roundrobin"))))
        #expect(first.protocolName == "sticky")
        _ = log.join(protocols: offers("only-me", "range", "roundrobin"))
        _ = log.join(protocols: offers("roundrobin", "range"))
        let result = try #require(log.joined(log.join(first.memberID, protocols: offers("sticky", "range", "roundrobin"))))
        #expect(result.protocolName == "range", "two votes of three; sticky is not known to all")
        #expect(result.members.map(\.metadata) == [Array("range".utf8), Array("range".utf8), Array("range".utf8)])
    }

    @Test func whoDoesNotRejoinInTimeIsOut() throws {
        let log = GroupHarness()
        let members = try log.pair()
        let first = log.join(members.first, rebalance: 30_000)
        for _ in 0..<5 {
            log.advance(5_000)
            #expect(log.heartbeat(members.second, members.generation) == .rebalanceInProgress)
        }
        log.advance(4_999)
        #expect(log.joined(first) == nil)
        log.advance(1)
        let result = try #require(log.joined(first))
        #expect(result.members.map(\.memberID) == [members.first])
        #expect(log.heartbeat(members.second, members.generation) == .unknownMemberID)
    }

    @Test func theRebalanceWaitsAsLongAsTheMostPatientMemberAllows() throws {
        let log = GroupHarness()
        _ = log.join(session: 600_000, rebalance: 20_000)
        let second = log.join(session: 600_000, rebalance: 90_000)
        log.advance(89_999)
        #expect(log.joined(second) == nil)
        log.advance(1)
        #expect(log.joined(second)?.generation == 2)
        #expect(log.joined(second)?.members.count == 1)
    }

    @Test func theFirstRebalanceCanBeToldToWaitForMoreMembers() throws {
        var configuration = GroupConfiguration()
        configuration.initialRebalanceDelayMilliseconds = 3_000
        let log = GroupHarness(configuration)
        let first = log.join()
        log.advance(2_999)
        let second = log.join()
        log.advance(1)
        #expect(log.joined(first) == nil, "somebody came: it is prolonged")
        log.advance(3_000)
        #expect(log.joined(first)?.generation == 1)
        #expect(log.joined(second)?.generation == 1)
        #expect(log.joined(first)?.members.count == 2)
    }

    @Test func theInitialDelayIsProlongedUpToTheRebalanceTimeoutOnly() throws {
        var configuration = GroupConfiguration()
        configuration.initialRebalanceDelayMilliseconds = 3_000
        let log = GroupHarness(configuration)
        let first = log.join(rebalance: 10_000)
        for _ in 0..<9 {
            log.advance(1_000)
            _ = log.join(rebalance: 10_000)
        }
        #expect(log.joined(first) == nil)
        log.advance(1_000)
        #expect(log.joined(first)?.members.count == 10)
    }

    @Test func aFollowerThatJoinsAgainUnchangedIsToldTheGenerationAndAChangedOneRebalances() throws {
        let log = GroupHarness()
        let members = try log.pair()
        let again = try #require(log.joined(log.join(members.second)))
        #expect(again.error == .none && again.generation == members.generation && again.members.isEmpty)
        #expect(log.state() == .stable)
        let changed = [GroupProtocol(name: "range", metadata: GroupHarness.subscription("t", "u"))]
        #expect(log.joined(log.join(members.second, protocols: changed)) == nil)
        #expect(log.state() == .preparingRebalance)
    }

    @Test func aLeaderThatJoinsAgainRebalances() throws {
        let log = GroupHarness()
        let members = try log.pair()
        #expect(log.joined(log.join(members.first)) == nil)
        #expect(log.state() == .preparingRebalance)
    }

    @Test func whoMissedTheAnswerToItsJoinIsToldAgain() throws {
        let log = GroupHarness()
        let members = try log.bring(to: .completingRebalance)
        let leader = try #require(log.joined(log.join(members.first)))
        #expect(leader.generation == members.generation && leader.members.count == 2)
        let follower = try #require(log.joined(log.join(members.second)))
        #expect(follower.generation == members.generation && follower.members.isEmpty)
        #expect(log.state() == .completingRebalance)
    }

    @Test func aJoinThatTakesTheOthersPlaceAnswersIt() throws {
        let log = GroupHarness()
        let members = try log.pair()
        let lost = log.join(members.first)
        let again = log.join(members.first)
        #expect(log.joined(lost)?.error == .rebalanceInProgress)
        #expect(log.joined(again) == nil)
        _ = log.join(members.second)
        #expect(log.joined(again)?.error == GroupError.none)
    }

    @Test func theLeadPassesToSomebodyWhoIsThere() throws {
        let log = GroupHarness()
        let members = try log.pair()
        let third = log.join()
        _ = log.join(members.second)
        log.advance(30_000)
        let result = try #require(log.joined(third))
        #expect(result.leaderID == members.second)
    }

    @Test func aGroupHasALimit() throws {
        var configuration = GroupConfiguration()
        configuration.maximumMembers = 2
        let log = GroupHarness(configuration)
        let members = try log.pair()
        #expect(log.joined(log.join())?.error == .groupMaxSizeReached)
        #expect(log.joined(log.join(members.second))?.error == GroupError.none, "its members are not affected")
        let waiting = (0..<2).map { _ in log.join(group: "pending", version: 4) }
        #expect(waiting.allSatisfy { log.joined($0)?.error == .memberIDRequired })
        #expect(log.joined(log.join(group: "pending", version: 4))?.error == .groupMaxSizeReached)
    }

    @Test func duringARebalanceWhoComesLastIsTurnedAway() throws {
        var configuration = GroupConfiguration()
        configuration.maximumMembers = 3
        let log = GroupHarness(configuration)
        let members = try log.pair()
        let third = log.join()
        let fourth = log.join()
        #expect(log.joined(fourth) == nil, "two of three places are taken by those who joined")
        _ = log.join(members.first)
        #expect(log.joined(log.join(members.second))?.error == .groupMaxSizeReached)
        #expect(log.joined(third)?.generation == members.generation + 1)
    }

    @Test func groupsHaveALimit() throws {
        var configuration = GroupConfiguration()
        configuration.maximumGroups = 1
        let log = GroupHarness(configuration)
        _ = try log.single()
        #expect(log.joined(log.join(group: "h"))?.error == .policyViolation)
        #expect(log.commit(1, group: "h") == .policyViolation)
        #expect(log.commit(1, group: "h", producer: 4) == .policyViolation)
    }
}
