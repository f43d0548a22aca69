import KafkaLogCoordination
import KafkaLogGroups
import Seeded
import Testing

struct GroupRestoreTests {
    @Test func membersGoOnAfterARestartWithoutARebalance() throws {
        let log = GroupHarness()
        let members = try log.pair(instances: (nil, "b"))
        let before = log.coordinator.describe(groupID: "g")
        try log.restart()
        #expect(log.coordinator.describe(groupID: "g") == before)
        #expect(log.heartbeat(members.first, members.generation) == GroupError.none)
        #expect(log.commit(5, members.second, members.generation, instance: "b") == GroupError.none)
        #expect(log.synced(log.sync(members.second, members.generation))?.assignment == [2])
        #expect(log.joined(log.join(members.second, instance: "b"))?.generation == members.generation, "unchanged: no rebalance")
        #expect(log.joined(log.join(members.first)) == nil, "it still leads")
    }

    @Test func membersThatDoNotComeBackAreRemoved() throws {
        let log = GroupHarness()
        let members = try log.pair()
        log.advance(9_000)
        _ = log.heartbeat(members.first, members.generation)
        _ = log.heartbeat(members.second, members.generation)
        try log.restart()
        log.advance(9_999)
        #expect(log.state() == .stable, "a whole session time-out from the start on")
        log.advance(1)
        #expect(log.state() == .empty)
    }

    @Test func aGenerationThatHadNoAssignmentYetIsNotFoundAgain() throws {
        let log = GroupHarness()
        let members = try log.bring(to: .completingRebalance)
        try log.restart()
        #expect(log.state() == .stable)
        #expect(log.heartbeat(members.first, members.generation) == .illegalGeneration)
        #expect(log.commit(5, members.first, members.generation) == .illegalGeneration)
        #expect(log.heartbeat(members.first, members.generation - 1) == GroupError.none)
    }

    @Test func anEmptyGroupKeepsItsGeneration() throws {
        let log = GroupHarness()
        _ = try log.bring(to: .empty)
        try log.restart()
        #expect(log.state() == .empty)
        #expect(log.joined(log.join())?.generation == 4)
    }

    @Test func aGroupOverANewLimitRebalances() throws {
        let log = GroupHarness()
        let members = try log.pair()
        var configuration = GroupConfiguration()
        configuration.maximumMembers = 1
        let smaller = GroupHarness(configuration)
        smaller.journal = log.journal
        try smaller.restart()
        #expect(smaller.state() == .preparingRebalance)
        _ = smaller.join(members.second)
        #expect(smaller.joined(smaller.join(members.first))?.error == .groupMaxSizeReached)
    }

    @Test func theFormatIsWhatItWas() throws {
        let log = GroupHarness()
        log.now.wallMilliseconds = 0x0102
        _ = log.commit(5, metadata: "m")
        _ = log.commit(6, producer: 40)
        let committed: [UInt8] = [1] + [0, 0, 0, 0, 0, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 0, 5] + [0, 0, 0, 7]
            + [0, 0, 0, 0, 0, 0, 1, 2] + [0, 0, 0, 1, 0x6d]
        let pending: [UInt8] = [1] + [0, 0, 0, 0, 0, 0, 0, 1] + [0, 0, 0, 0, 0, 0, 0, 6] + [0, 0, 0, 7]
            + [0, 0, 0, 0, 0, 0, 1, 2] + [0, 0, 0, 0]
        #expect(log.journal == [
            CoordinatorRecord(key: [2, 0, 0, 0, 1, 0x67, 0, 0, 0, 1, 0x74, 0, 0, 0, 0], value: committed),
            CoordinatorRecord(
                key: [3, 0, 0, 0, 1, 0x67, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0, 1, 0x74, 0, 0, 0, 0], value: pending),
        ])
        let offers = [GroupProtocol(name: "r", metadata: [9])]
        let result = try #require(log.joined(log.join(instance: "i", group: "h", type: "c", protocols: offers)))
        _ = log.sync(result.memberID, 1, group: "h", [result.memberID: [8, 8]])
        func string(_ text: String) -> [UInt8] { [0, 0, 0, UInt8(text.utf8.count)] + Array(text.utf8) }
        var group: [UInt8] = [1, 1] + string("c") + [0, 0, 0, 1] + [1] + string("r") + [1] + string(result.memberID)
        group += [0, 0, 0, 0, 0, 0, 1, 2] + [0, 0, 0, 1] + string(result.memberID) + [1] + string("i") + string("client")
        group += string("/127.0.0.1") + [0, 0, 0x75, 0x30] + [0, 0, 0x27, 0x10] + [0, 0, 0, 1] + string("r")
        group += [0, 0, 0, 1, 9] + [0, 0, 0, 2, 8, 8]
        #expect(log.journal.last == CoordinatorRecord(key: [1, 0, 0, 0, 1, 0x68], value: group))
    }

    @Test func entriesThatAreNotUnderstoodStopTheStart() throws {
        let log = GroupHarness()
        _ = try log.pair(instances: ("a", "b"))
        _ = log.commit(5, group: "simple")
        _ = log.commit(5, group: "simple", producer: 40)
        for good in log.journal.suffix(3) {
            let value = try #require(good.value)
            for length in 0..<value.count {
                let coordinator = GroupCoordinator(configuration: GroupConfiguration())
                let cut = CoordinatorRecord(key: good.key, value: Array(value.prefix(length)))
                #expect(throws: CoordinatorRecordError.self, "cut to \(length)") { try coordinator.restore(cut) }
            }
            let coordinator = GroupCoordinator(configuration: GroupConfiguration())
            #expect(throws: CoordinatorRecordError.self) {
                try coordinator.restore(CoordinatorRecord(key: good.key, value: value + [0]))
            }
            #expect(throws: CoordinatorRecordError.self) {
                try coordinator.restore(CoordinatorRecord(key: good.key + [0], value: value))
            }
            let newer = #expect(throws: CoordinatorRecordError.self) {
                try coordinator.restore(CoordinatorRecord(key: good.key, value: [2] + value.dropFirst()))
            }
            guard case .unknownVersion(_, 2) = newer else {
                Issue.record("\(String(describing: newer))")
                continue
            }
        }
        let coordinator = GroupCoordinator(configuration: GroupConfiguration())
        #expect(throws: CoordinatorRecordError.unknownKind(0x11)) {
            try coordinator.restore(CoordinatorRecord(key: [0x11, 0], value: nil))
        }
        #expect(GroupCoordinator.owns(log.journal[0]))
        #expect(!GroupCoordinator.owns(CoordinatorRecord(key: [0x11], value: nil)))
    }

    /// Damage that the journal's CRC did not notice must not take the broker down.
    @Test func randomBytesNeverTrap() throws {
        let log = GroupHarness()
        _ = try log.pair(instances: ("a", "b"))
        let good = try #require(log.journal.last)
        var random = SplitMix64(seed: 0x6e0_0001)
        for _ in 0..<20_000 {
            var key = good.key
            var value = try #require(good.value)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                if Bool.random(using: &random) {
                    value[Int.random(in: 0..<value.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                } else {
                    key[Int.random(in: 0..<key.count, using: &random)] = UInt8.random(in: 0...5, using: &random)
                }
            }
            let coordinator = GroupCoordinator(configuration: GroupConfiguration())
            do throws(CoordinatorRecordError) {
                try coordinator.restore(CoordinatorRecord(key: key, value: value))
                _ = coordinator.start(log.now)
                var later = log.now
                later.monotonicMilliseconds += 3_000_000
                _ = coordinator.tick(later)
            } catch {
                continue
            }
        }
    }
}
