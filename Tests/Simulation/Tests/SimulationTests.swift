import Foundation
import Simulation
import Testing

@Suite(.serialized)
struct SimulationTests {
    /// `MILLRACE_SIMULATION_SCHEDULES` says how many.
    @Test func everyScheduleGivesWhatAnUndisturbedRunGives() {
        let count = ProcessInfo.processInfo.environment["MILLRACE_SIMULATION_SCHEDULES"].flatMap { UInt64($0) } ?? 100_000
        let began = Date()
        if let failure = Simulation.firstFailure(1..<count + 1) {
            Issue.record("seed \(failure.seed): \(failure.reason)\n\(Simulation.shrunkStory(failure))")
        }
        print("\(count) schedules in \(Int(Date().timeIntervalSince(began))) s")
    }

    @Test func aStartFromASavepointGivesWhatAnUndisturbedRunGives() {
        let outcome = Simulation.firstFailureWithSavepoint(1..<501)
        if let failure = outcome.failure { Issue.record("seed \(failure.seed): \(failure.reason)\n\(outcome.story)") }
        #expect(outcome.started > 200, "only \(outcome.started) schedules got so far")
    }

    @Test(arguments: Mutation.allCases)
    func everyDefectIsFoundWithinAThousandSchedules(_ mutation: Mutation) {
        let failure = Simulation.firstFailure(1..<1_001, mutation)
        #expect(failure != nil, "\(mutation) was not found")
        if let failure { print("\(mutation): seed \(failure.seed): \(failure.reason.prefix(120))") }
    }

    @Test func theSameSeedGivesTheSameStory() {
        for seed in UInt64(1)..<200 { #expect(Simulation.story(seed) == Simulation.story(seed), "seed \(seed)") }
    }

    @Test func aFailureShrinksToAShortStoryThatEndsInTheSameWay() throws {
        let failure = try #require(Simulation.firstFailure(1..<1_001, .publishBeforeCommit))
        let long = Simulation.story(failure.seed, .publishBeforeCommit)
        let short = Simulation.shrunkStory(failure, .publishBeforeCommit)
        #expect(short.hasSuffix("rows in files: \(short.components(separatedBy: "rows in files: ").last ?? "")"))
        #expect(failure.reason.hasPrefix("rows in files"))
        #expect(short.count < long.count)
    }
}
