import Foundation
import State

/// An S3 server that nobody here wrote (moto's), which checks signatures with botocore and misbehaves when asked to.
final class S3Server: @unchecked Sendable {
    // Unchecked: the process is set up in `init` and ended in `deinit`; nothing else changes.
    static let environment = S3Environment(["AWS_ACCESS_KEY_ID": "AKIAMILLRACETESTS", "AWS_SECRET_ACCESS_KEY": "of/the+tests"])

    struct NotStarted: Error, CustomStringConvertible {
        var description: String
    }

    private let process = Process()
    private let lifeline = Pipe()
    let port: Int

    init() throws {
        let candidates = [ProcessInfo.processInfo.environment["MILLRACE_PYTHON"], ".venv/bin/python"].compactMap { $0 }
        guard let python = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            throw NotStarted(description: "no Python with the test requirements: run scripts/bootstrap.sh --tests")
        }
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = ["Tests/EndToEnd/s3_server.py", "--bucket"]
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        // It ends when this process does, however that comes about.
        process.standardInput = lifeline
        try process.run()
        var line = Data()
        while !line.contains(UInt8(ascii: "\n")) {
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { throw NotStarted(description: "the S3 server ended before it said its port") }
            line.append(more)
        }
        guard let port = Int(String(decoding: line, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw NotStarted(description: "the S3 server did not print a port")
        }
        self.port = port
    }

    func location(bucket: String = "checkpoints") -> S3Location {
        S3Location(bucket: bucket, region: "eu-central-1", endpoint: "http://127.0.0.1:\(port)")
    }

    func storage(
        prefix: String = "a/b", environment: S3Environment = environment, bucket: String = "checkpoints", graceSeconds: Int = 3_600
    ) -> S3Storage {
        var retries = S3Retries()
        retries.firstPause = 1
        retries.longestPause = 10
        return S3Storage(
            location(bucket: bucket), prefix: prefix, environment: environment, retries: retries, graceSeconds: graceSeconds)
    }

    /// What happens to the next requests; JSON, see `s3_server.py`.
    func misbehave(_ faults: String) throws {
        _ = try ask("PUT", "__faults", body: Data(faults.utf8))
    }

    /// Methods and paths of all requests so far.
    func requests() throws -> [String] {
        try JSONDecoder().decode([String].self, from: ask("GET", "__requests", body: Data()))
    }

    private func ask(_ method: String, _ path: String, body: Data) throws -> Data {
        let curl = Process()
        curl.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
        let output = Pipe(), input = Pipe()
        curl.arguments = ["-sS", "-X", method, "http://127.0.0.1:\(port)/\(path)", "--data-binary", "@-"]
        curl.standardOutput = output
        curl.standardInput = input
        try curl.run()
        input.fileHandleForWriting.write(body)
        try input.fileHandleForWriting.close()
        let answer = output.fileHandleForReading.readDataToEndOfFile()
        curl.waitUntilExit()
        return answer
    }
}
