import Foundation

// `hotpaths PATH ROUNDS` runs a path once to warm it up and then so many times inside of `countedRound`, which is what
// scripts/hot_paths.py has callgrind count. `hotpaths` alone prints the names, and how many events a round has. `hotpaths time` measures the
// main job's operators in processor time instead.

@inline(never)
func countedRound(_ path: any HotPath) throws {
    try path.run()
}

let arguments = CommandLine.arguments.dropFirst()
if arguments.first == "time" {
    try MainJobTiming().report()
    exit(0)
}
guard arguments.count == 2, let rounds = Int(arguments[2]), let chosen = hotPaths.first(where: { $0.name == arguments[1] }) else {
    for path in hotPaths { print(path.name, try path.make().events) }
    exit(arguments.isEmpty ? 0 : 64)
}
let path = try chosen.make()
try path.prepare()
try path.run()
for _ in 0..<rounds {
    try path.prepare()
    try countedRound(path)
}
