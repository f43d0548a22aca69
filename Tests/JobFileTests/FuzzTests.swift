import JobFile
import Seeded
import Testing

/// One random change of a text: bytes changed, cut, doubled, or pieces swapped.
private func mutate(_ bytes: inout [UInt8], _ random: inout SplitMix64) {
    let pieces = [
        "{", "}", "[", "]", ":", "\n", "  ", "\t", "'", "\"", "&a ", "*a", "!!x ", "|\n", ">-\n", "${", "${X:-", "}", "(", ")", ",", "? ",
        "- ", "---\n", "%", "#", "\\", "\u{0}", "ä",
    ]
    guard !bytes.isEmpty else { return }
    let start = Int.random(in: 0..<bytes.count, using: &random)
    let end = min(bytes.count, start + Int.random(in: 0..<20, using: &random))
    switch Int.random(in: 0..<6, using: &random) {
    case 0: bytes[start] = UInt8.random(in: 0...255, using: &random)
    case 1: bytes.removeSubrange(start..<end)
    case 2: bytes.insert(contentsOf: bytes[start..<end], at: Int.random(in: 0...bytes.count, using: &random))
    case 3: bytes.insert(contentsOf: pieces.randomElement(using: &random)!.utf8, at: start)
    case 4: bytes.swapAt(start, Int.random(in: 0..<bytes.count, using: &random))
    default: bytes.replaceSubrange(start..<end, with: pieces.randomElement(using: &random)!.utf8)
    }
}

@Test func aMutilatedJobFileGivesAPlanOrErrorsWithAPlace() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = SplitMix64(seed: seed)
    let shuffled = hits(
        "r: {from: hits, rekey: {by: [url, user], partitions: 12, salt: 4}}",
        "w: {from: r, group_by: [url], window: {tumbling: {size: 1h}}, aggregate: {n: count()}}",
        "t: {from: w, group_by: [url], window: {session: {gap: 1h}}, aggregate: {n: sum(n)}, hot_keys: {salt: 8}}")
    var plans = 0
    for round in 0..<1_500 {
        var bytes = Array((round % 2 == 0 ? sessionsJob : shuffled).utf8)
        for _ in 0..<Int.random(in: 1...6, using: &random) { mutate(&bytes, &random) }
        do {
            let plan = try JobPlan.parse(bytes, file: "job.yaml", environment: [:])
            plans += 1
            #expect(!plan.describe().isEmpty)
            // What passed has what the runtime builds on.
            #expect(!plan.sources.isEmpty && !plan.sinks.isEmpty)
            for (index, transform) in plan.transforms.enumerated() {
                if case .transform(let input) = transform.from { #expect(input < index) }
                #expect(transform.input == plan.schema(of: transform.from))
            }
            for (index, shuffle) in plan.shuffles.enumerated() {
                let source = plan.sources.count - plan.shuffles.count + index
                #expect(plan.sources[source].shuffle == index)
                #expect(shuffle.input == plan.schema(of: shuffle.from) && !shuffle.by.isEmpty)
                if case .partialWindows(let window) = shuffle.content { #expect(plan.transforms[window].from == .source(source)) }
            }
            for sink in plan.sinks { #expect(sink.input == plan.schema(of: sink.from)) }
        } catch {
            #expect(!error.issues.isEmpty, "seed \(seed), round \(round)")
            #expect(
                error.issues.allSatisfy { $0.line >= 1 && $0.column >= 1 && !$0.message.isEmpty && !$0.message.contains("\n") },
                "seed \(seed), round \(round)")
        }
    }
    // The mutations are not so hard that nothing gets as far as a plan.
    #expect(plans > 0)
}

@Test func hostileNestingAndLengthAreRefused() {
    #expect(refusals(String(repeating: "[", count: 100_000)).count == 1)
    #expect(refusals("a: " + String(repeating: "{a: ", count: 10_000)) == ["1:128: nested deeper than 32 levels"])
    #expect(refusals(String(repeating: "- ", count: 200)) == ["1:65: nested deeper than 32 levels"])
    #expect(
        refusals("job: " + String(repeating: "a", count: 2_000_000)).first?.hasSuffix("the file is longer than 1048576 characters") == true)
    let deep = String(repeating: "(", count: 5_000) + "true" + String(repeating: ")", count: 5_000)
    #expect(
        refusals(job("    dedupe: {by: event_id, within: 24h}", "    where: \(deep)")) == [
            "22:76: the expression is nested deeper than 64 levels; split it over two transforms"
        ])
}
