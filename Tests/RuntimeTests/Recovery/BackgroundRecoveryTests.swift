import Foundation
import KafkaClient
import Runtime
import Testing

/// What a recovery does here: waits until the test lets it go on, and then comes to what the test says.
private final class Doors: @unchecked Sendable {
    // Unchecked: everything below is only touched while `condition` is locked.
    private let condition = NSCondition()
    private var begun: [Int32] = []
    private var open: [Int32: [Result<Int32, RuntimeFailure>]] = [:]
    private var changes = 0
    private var failures: [(Int32, TimeInterval)] = []

    static let patience: TimeInterval = 60

    /// Waits for something that other threads do; false when it does not come.
    @discardableResult func await(_ isThere: (Doors) -> Bool) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        let end = Date(timeIntervalSinceNow: Self.patience)
        while !isThere(self) { if !condition.wait(until: end) { return isThere(self) } }
        return true
    }

    func awaitBegun(_ count: Int) -> [Int32] {
        _ = self.await { $0.begun.count >= count }
        return condition.withLock { begun }
    }

    /// Waits until `changed` has been called so often.
    func awaitChanges(_ count: Int) -> Bool { self.await { $0.changes >= count } }

    var pauses: [TimeInterval] { condition.withLock { failures.map(\.1) } }

    func release(_ partition: Int32, _ result: Result<Int32, RuntimeFailure>? = nil) {
        condition.withLock {
            open[partition, default: []].append(result ?? .success(partition))
            condition.broadcast()
        }
    }

    var work: BackgroundRecovery<Int32>.Work {
        .init(
            recover: { [self] partition throws(RuntimeFailure) in try pass(partition.partition) },
            failed: { [self] partition, _, pause in condition.withLock { failures.append((partition.partition, pause)) } },
            changed: { [self] in
                condition.withLock {
                    changes += 1
                    condition.broadcast()
                }
            })
    }

    private func pass(_ partition: Int32) throws(RuntimeFailure) -> Int32 {
        condition.lock()
        defer { condition.unlock() }
        begun.append(partition)
        condition.broadcast()
        let end = Date(timeIntervalSinceNow: Self.patience)
        while true {
            if let result = open[partition]?.first {
                open[partition]?.removeFirst()
                return try result.get()
            }
            if !condition.wait(until: end) { throw RuntimeFailure(remedy: .fail, description: "nobody opened \(partition)") }
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct BackgroundRecoveryTests {
    private static let away = RuntimeFailure(remedy: .recover, description: "the store is away")
    private static let gone = RuntimeFailure(remedy: .fail, description: "a delta is gone")

    private let doors = Doors()

    private static func partitions(_ numbers: Int32...) -> [TopicPartition] { numbers.map { TopicPartition("clicks", $0) } }

    @Test func whatIsRestoredIsHandedOverOnceAsSoonAsItIsThere() throws {
        let recovery = BackgroundRecovery<Int32>(atOnce: 3)
        recovery.begin(Self.partitions(0, 1, 2), doors.work)
        #expect(try recovery.finished().isEmpty)
        doors.release(2)
        #expect(doors.awaitChanges(1))
        #expect(try recovery.finished() == [2])
        #expect(recovery.pending == Set(Self.partitions(0, 1)))
        doors.release(1)
        #expect(doors.awaitChanges(2))
        doors.release(0)
        #expect(doors.awaitChanges(3))
        // In the order in which they were ready.
        #expect(try recovery.finished() == [1, 0])
        #expect(try recovery.finished().isEmpty)
        #expect(recovery.pending.isEmpty)
        #expect(recovery.end().isEmpty)
    }

    @Test func theyBeginInTheirOrderAndOnlySomeAtATime() throws {
        let recovery = BackgroundRecovery<Int32>(atOnce: 2)
        recovery.begin(Self.partitions(3, 0, 2, 1), doors.work)
        #expect(Set(doors.awaitBegun(2)) == [3, 0])
        doors.release(0)
        #expect(doors.awaitBegun(3).last == 2)
        // A third place would have been taken by now: the fourth comes only when the third has made room.
        #expect(try recovery.finished() == [0])
        doors.release(2)
        #expect(doors.awaitBegun(4).last == 1)
        doors.release(1)
        doors.release(3)
        #expect(doors.awaitChanges(4))
        #expect(try Set(recovery.finished()) == [1, 2, 3])
        #expect(recovery.end().isEmpty)
    }

    @Test func whatFailsIsTriedAgainAndSaysWhyUntilItSucceeds() throws {
        let recovery = BackgroundRecovery<Int32>(atOnce: 2, firstPause: 0.001, longestPause: 0.003)
        recovery.begin(Self.partitions(0, 1), doors.work)
        for _ in 0..<3 { doors.release(0, .failure(Self.away)) }
        doors.release(1)
        // Three failures and a success.
        #expect(doors.awaitChanges(4))
        #expect(try recovery.finished() == [1])
        #expect(recovery.trouble == "the store is away")
        #expect(recovery.pending == Set(Self.partitions(0)))
        #expect(doors.pauses == [0.001, 0.002, 0.003])
        doors.release(0)
        #expect(doors.awaitChanges(5))
        #expect(recovery.trouble == nil)
        #expect(try recovery.finished() == [0])
        #expect(recovery.end().isEmpty)
    }

    @Test func whatNobodyCanHelpIsThrownAndLosesNothingOfTheOthers() throws {
        let recovery = BackgroundRecovery<Int32>(atOnce: 3)
        recovery.begin(Self.partitions(0, 1, 2), doors.work)
        doors.release(0)
        #expect(doors.awaitChanges(1))
        doors.release(1, .failure(Self.gone))
        #expect(doors.awaitChanges(2))
        doors.release(2)
        #expect(doors.awaitChanges(3))
        let thrown = #expect(throws: RuntimeFailure.self) { try recovery.finished() }
        #expect(thrown?.description == "a delta is gone")
        #expect(doors.pauses.isEmpty)
        #expect(recovery.end() == [0, 2])
    }

    @Test func whatIsWithdrawnIsWaitedForWhenItHasBegunAndNeverBeginsOtherwise() throws {
        let recovery = BackgroundRecovery<Int32>(atOnce: 2)
        recovery.begin(Self.partitions(0, 1, 2, 3), doors.work)
        #expect(Set(doors.awaitBegun(2)) == [0, 1])
        var asked = 0
        // The third waits for a place that only the second can make, which takes its time: nobody waits for that.
        let withdrawn = try recovery.withdraw(Self.partitions(1, 2)) {
            asked += 1
            if asked == 1 { doors.release(1) }
            return false
        }
        #expect(withdrawn == [1])
        #expect(asked > 0)
        #expect(recovery.pending == Set(Self.partitions(0, 3)))
        // And back, while the thread of its first beginning still has it on its list.
        recovery.begin(Self.partitions(2), doors.work)
        doors.release(2)
        doors.release(0)
        doors.release(3)
        #expect(doors.awaitChanges(4))
        #expect(try Set(recovery.finished()) == [0, 2, 3])
        #expect(doors.awaitBegun(4).sorted() == [0, 1, 2, 3])
        #expect(recovery.end().isEmpty)
    }

    @Test func whatIsReadyAndWithdrawnIsGivenBackAndNotHandedOver() throws {
        let recovery = BackgroundRecovery<Int32>(atOnce: 2)
        recovery.begin(Self.partitions(0, 1), doors.work)
        doors.release(0)
        doors.release(1)
        #expect(doors.awaitChanges(2))
        #expect(try recovery.withdraw(Self.partitions(1, 7), isGraceOver: { false }) == [1])
        #expect(try recovery.finished() == [0])
        #expect(recovery.end().isEmpty)
    }

    /// Longer than the test may take.
    @Test func aWithdrawalDoesNotWaitForThePauseAfterAFailure() throws {
        let recovery = BackgroundRecovery<Int32>(atOnce: 1, firstPause: 3_600)
        recovery.begin(Self.partitions(0), doors.work)
        doors.release(0, .failure(Self.away))
        #expect(doors.awaitChanges(1))
        #expect(try recovery.withdraw(Self.partitions(0), isGraceOver: { false }).isEmpty)
        #expect(recovery.trouble == nil)
        #expect(recovery.pending.isEmpty)
        #expect(recovery.end().isEmpty)
    }

    @Test func aWithdrawalEndsWhenTheGraceIsOver() throws {
        let recovery = BackgroundRecovery<Int32>(atOnce: 1)
        recovery.begin(Self.partitions(0), doors.work)
        #expect(doors.awaitBegun(1) == [0])
        #expect(throws: RuntimeFailure.self) { try recovery.withdraw(Self.partitions(0), isGraceOver: { true }) }
        doors.release(0)
        #expect(recovery.end() == [0])
    }

    @Test func theEndWaitsForWhatIsUnderWayAndGivesItBack() throws {
        let recovery = BackgroundRecovery<Int32>(atOnce: 2, firstPause: 3_600)
        recovery.begin(Self.partitions(0, 1), doors.work)
        doors.release(0, .failure(Self.away))
        #expect(doors.awaitChanges(1))
        #expect(Set(doors.awaitBegun(2)) == [0, 1])
        Thread.detachNewThread { [doors] in doors.release(1) }
        #expect(recovery.end() == [1])
        #expect(recovery.pending.isEmpty)
        #expect(recovery.trouble == nil)
    }

    @Test func afterTheEndNothingBegins() throws {
        let recovery = BackgroundRecovery<Int32>(atOnce: 1, firstPause: 3_600)
        recovery.begin(Self.partitions(0, 1), doors.work)
        doors.release(0, .failure(Self.away))
        #expect(doors.awaitChanges(1))
        #expect(recovery.end().isEmpty)
        #expect(doors.awaitBegun(1) == [0])
    }
}
