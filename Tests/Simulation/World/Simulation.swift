import Foundation

/// Runs schedules by their seeds.
package enum Simulation {
    package struct Failure: Sendable {
        package var seed: UInt64
        /// What is wrong.
        package var reason: String
    }

    /// The first of the seeds whose run does not give what an undisturbed run gives; nil if there is none, or `deadline` came first.
    /// - Parameter onProgress: told the seed now and then.
    package static func firstFailure(
        _ seeds: Range<UInt64>, _ mutation: Mutation? = nil, until deadline: Date = .distantFuture,
        onProgress: (UInt64) -> Void = { _ in }
    ) -> Failure? {
        defer { Instance.removeState() }
        for seed in seeds {
            if seed % 64 == 0 {
                if Date() > deadline { return nil }
                onProgress(seed)
            }
            if let reason = World(schedule(seed, mutation), mutation: mutation).run() { return Failure(seed: seed, reason: reason) }
        }
        return nil
    }

    private static func schedule(_ seed: UInt64, _ mutation: Mutation?, startsOver: Bool? = nil) -> Schedule {
        Schedule(seed: seed, hasHomes: mutation?.concernsHomes == true || startsOver == true ? true : nil, startsOver: startsOver)
    }

    /// As `firstFailure`, of schedules that all start over from a savepoint, with the story of the failure.
    /// - Returns: also how many of them got so far: a fault may come before.
    package static func firstFailureWithSavepoint(_ seeds: Range<UInt64>) -> (failure: Failure?, story: String, started: Int) {
        defer { Instance.removeState() }
        var started = 0
        for seed in seeds {
            let schedule = schedule(seed, nil, startsOver: true)
            let world = World(schedule)
            if let reason = world.run() { return (Failure(seed: seed, reason: reason), Shrinker.story(of: schedule, nil), started) }
            if world.hasStartedOver { started += 1 }
        }
        return (nil, "", started)
    }

    /// The story of a seed's run, with its ending on the last line.
    package static func story(_ seed: UInt64, _ mutation: Mutation? = nil) -> String {
        defer { Instance.removeState() }
        return Shrinker.story(of: schedule(seed, mutation), mutation)
    }

    /// The story of the smallest schedule found that fails as that of `failure` does.
    package static func shrunkStory(_ failure: Failure, _ mutation: Mutation? = nil) -> String {
        defer { Instance.removeState() }
        var shrinker = Shrinker(mutation, failure: failure.reason)
        return Shrinker.story(of: shrinker.shrink(schedule(failure.seed, mutation)), mutation)
    }
}
