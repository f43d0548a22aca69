import Glibc

// libFuzzer over the log's readers of foreign bytes: see scripts/fuzz.sh. What is fuzzed is named by MILLRACE_FUZZ.

@_silgen_name("LLVMFuzzerRunDriver")
func runFuzzer(
    _ count: UnsafeMutablePointer<Int32>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ body: @convention(c) (UnsafePointer<UInt8>, Int) -> Int32
) -> Int32

guard let kind = FuzzTarget.chosen else {
    print("expected MILLRACE_FUZZ to be one of \(FuzzTarget.allCases.map(\.rawValue).joined(separator: ", "))")
    exit(2)
}
if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "seeds" {
    try writeSeeds(of: kind, to: CommandLine.arguments[2])
    exit(0)
}
var count = CommandLine.argc
var arguments = CommandLine.unsafeArgv
exit(runFuzzer(&count, &arguments, fuzzOne))
