import Foundation
import Glibc

/// What is fuzzed in this process.
enum FuzzTarget: String, CaseIterable {
    /// The decoder of requests.
    case requests
    /// A whole broker, through its sockets.
    case broker
    /// Record batches: appended, read back, looked up by time, and recovered.
    case batches
    /// The files that a start reads.
    case files

    static let chosen = ProcessInfo.processInfo.environment["MILLRACE_FUZZ"].flatMap(FuzzTarget.init(rawValue:))

    func makeRun() -> ([UInt8]) -> Void {
        switch self {
        case .requests: return RequestFuzzer().run
        case .broker: return BrokerFuzzer().run
        case .batches: return BatchFuzzer().run
        case .files: return FileFuzzer().run
        }
    }
}

nonisolated(unsafe) private let run = (FuzzTarget.chosen ?? .requests).makeRun()

func fuzzOne(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
    run([UInt8](UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

/// Ends the run: libFuzzer keeps the input.
func finding(_ message: String) -> Never {
    FileHandle.standardError.write(Data("finding: \(message)\n".utf8))
    abort()
}

/// A directory in memory that a fuzzer may fill.
func scratchDirectory(_ name: String) -> String {
    let path = "/dev/shm/millrace-fuzz-\(getpid())-\(name)"
    try? FileManager.default.removeItem(atPath: path)
    return path
}
