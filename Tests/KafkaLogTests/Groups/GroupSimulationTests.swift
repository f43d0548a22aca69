import Foundation
import Testing

/// Members that come, go, pause and come back, offsets in and out of transactions, deleted and expired, a journal that is synced
/// now and then, crashes that leave any prefix of what was not, a wall clock that jumps. What is committed is compared with a plain
/// model after every step. The seeds take turns at an initial delay and at a group that is full.
///
/// `MILLRACE_SIMULATION_STEPS` says how many steps there are in all, `MILLRACE_SIMULATION_SEED` where the seeds begin.
///
/// Each of these was put into the coordinator and found: a commit of another generation that is taken; a static member that stays
/// beside its successor; an assignment, or a commit, answered before it is durable; a transaction's offset that overwrites a newer commit;
/// a restart that forgets the generation; offsets that expire by the time of their commit though the group had members until now.
struct GroupSimulationTests {
    private static let steps = environment("MILLRACE_SIMULATION_STEPS") ?? 3_000_000
    private static let seed = UInt64(environment("MILLRACE_SIMULATION_SEED") ?? 0x6a_0000)
    private static let stepsPerWorld = 60_000

    private static func environment(_ name: String) -> Int? { ProcessInfo.processInfo.environment[name].flatMap { Int($0) } }

    @Test func generationsAndOffsetsHoldWhateverHappens() throws {
        var deletions = 0, expirations = 0
        for number in 0..<UInt64(max(1, Self.steps / Self.stepsPerWorld)) {
            let seed = Self.seed + number
            let world = GroupWorld(seed: seed)
            for _ in 0..<Self.stepsPerWorld {
                try world.step()
                if !world.failures.isEmpty { break }
            }
            if world.failures.isEmpty { world.settle() }
            try #require(world.failures.isEmpty, "seed \(seed), step \(world.steps): \(world.failures)")
            #expect(
                world.syncs > 500 && world.commits > 500 && world.refusals > 100 && world.completions > 300 && world.crashes > 100,
                "seed \(seed): \(world.counts)")
            deletions += world.deletions
            expirations += world.expirations
        }
        // Groups are seldom empty: a short run may see none.
        #expect(Self.steps < 1_000_000 || deletions > 10 && expirations > 10, "\(deletions) deletions, \(expirations) expirations")
    }
}
