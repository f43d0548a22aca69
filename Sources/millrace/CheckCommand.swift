import Foundation
import JobFile
import KafkaClient

/// `millrace check`: validates job files and prints their plans.
struct CheckCommand {
    private let files: [String]

    init(_ arguments: inout Arguments) throws(UsageError) {
        files = try arguments.operands()
        guard !files.isEmpty else { throw UsageError("check needs at least one job file") }
    }

    func run() -> ExitCode {
        var errors = ""
        for file in files {
            do throws(JobFileError) {
                print(try JobPlan.load(
                    file, environment: ProcessInfo.processInfo.environment, reservedProperties: ReservedProperties.reasons).describe())
            } catch {
                errors += "\(error)\n"
            }
        }
        if errors.isEmpty { return .done }
        Program.finish(.configuration, errors)
    }
}
