import Foundation
import Simulation

/// `simulate [--seed N | --start N] [--schedules N | --minutes N] [--mutation NAME | --mutations]`; scripts/simulate.sh says more.
@main
enum Simulate {
    static func main() {
        var options: [String: String] = [:]
        var arguments = CommandLine.arguments.dropFirst()
        while let name = arguments.popFirst() {
            guard ["--seed", "--start", "--schedules", "--minutes", "--mutation", "--mutations"].contains(name) else { return usage(name) }
            if name == "--mutations" {
                options[name] = ""
            } else {
                guard let value = arguments.popFirst() else { return usage(name) }
                options[name] = value
            }
        }
        let mutation = options["--mutation"].flatMap { Mutation(rawValue: $0) }
        if let name = options["--mutation"], mutation == nil {
            return usage("\(name): one of \(Mutation.allCases.map(\.rawValue).joined(separator: " "))")
        }
        if let seed = options["--seed"].flatMap({ UInt64($0) }) {
            print(Simulation.story(seed, mutation))
            return
        }
        if options["--mutations"] != nil { return findMutations() }
        let start = options["--start"].flatMap { UInt64($0) } ?? 1
        let minutes = options["--minutes"].flatMap { Double($0) }
        let count = options["--schedules"].flatMap { UInt64($0) } ?? (minutes == nil ? 100_000 : 1 << 40)
        let began = Date()
        var last = start
        let failure = Simulation.firstFailure(
            start..<start + count, mutation, until: minutes.map { began.addingTimeInterval($0 * 60) } ?? .distantFuture,
            onProgress: { last = $0 })
        if let failure {
            print("seed \(failure.seed): \(failure.reason)\n\nas short as it could be made:\n\(Simulation.shrunkStory(failure, mutation))")
            exit(1)
        }
        let seconds = Int(Date().timeIntervalSince(began))
        print("\(minutes == nil ? count : last - start) schedules from seed \(start) in \(seconds) s: all as undisturbed")
    }

    private static func findMutations() {
        var missed = 0
        for mutation in Mutation.allCases {
            let failure = Simulation.firstFailure(1..<1_001, mutation)
            if failure == nil { missed += 1 }
            print("\(mutation): \(failure.map { "seed \($0.seed): \($0.reason.prefix(160))" } ?? "NOT FOUND")")
        }
        if missed > 0 { exit(1) }
    }

    private static func usage(_ what: String) {
        print("simulate: \(what)\nusage: simulate [--seed N | --start N] [--schedules N | --minutes N] [--mutation NAME | --mutations]")
        exit(64)
    }
}
