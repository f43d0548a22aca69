import Foundation
import KafkaLog

/// `millrace log user`: a line of `log.users_file` from a password on standard input.
struct LogUserCommand {
    private let name: String

    init(_ arguments: inout Arguments) throws(UsageError) {
        name = try arguments.operand("name of a user")
        guard LogUser.isName(name) else { throw UsageError("a user's name has 1 to 128 visible ASCII characters without spaces, not `\(name)`") }
    }

    func run() -> ExitCode {
        guard let password = readPassword(), LogUser.isPassword(password) else {
            Program.finish(.usage, "millrace: log user: expected a password of 1 to 1024 printable ASCII characters on standard input\n")
        }
        let verifiers = ScramHash.allCases.map { ScramCredential($0, password: password).verifier }
        print("\(name) \(verifiers.joined(separator: " "))")
        return .done
    }

    /// At a terminal it is not shown.
    private func readPassword() -> String? {
        guard isatty(STDIN_FILENO) == 1 else { return readLine() }
        return getpass("password of \(name): ").map { String(cString: $0) }
    }
}
