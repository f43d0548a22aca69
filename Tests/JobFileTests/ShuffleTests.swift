import Batch
import JobFile
import Testing

/// A job of hits, whose topic is partitioned by user; its transforms begin in line 10.
func hits(_ transforms: String..., read: String = "t", hasKey: Bool = true) -> String {
    """
    job: web
    kafka: {brokers: embedded}
    sources:
      hits:
        topic: hits
        \(hasKey ? "key: user" : "start: earliest")
        fields: {user: string, url: string, country: string?, ms: int64, at: timestamp}
        event_time: {field: at, out_of_orderness: 1s}
    transforms:
    \(transforms.map { "  \($0)" }.joined(separator: "\n"))
    sinks:
      out: {from: \(read), kafka: {topic: out}}
    """
}

private func window(_ name: String = "t", from: String, by columns: String, size: String = "1h", more: String = "") -> String {
    "\(name): {from: \(from), group_by: \(columns), window: {tumbling: {size: \(size)}}, aggregate: {n: count()}\(more)}"
}

private let hour: Int64 = 3_600_000_000

@Test func aRekeyIsAShuffleOfRowsThatItsReadersReadAsASource() throws {
    let plan = try plan(hits("r: {from: hits, rekey: {by: [url, country], partitions: 12}}", window(from: "r", by: "[country, url]")))
    #expect(plan.transforms.map(\.name) == ["t"])
    #expect(plan.transforms[0].from == .source(1))

    let shuffle = try #require(plan.shuffles.first)
    #expect(plan.shuffles.count == 1)
    #expect(shuffle.name == "r")
    #expect(shuffle.topic == "web.r.shuffle")
    #expect(shuffle.from == .source(0))
    #expect(shuffle.input == plan.sources[0].schema)
    #expect(shuffle.by == [1, 2])
    #expect(shuffle.salt == 1)
    #expect(shuffle.partitions == 12)
    guard case .rows = shuffle.content else { throw Unexpected() }

    #expect(plan.sources.map(\.name) == ["hits", "r"])
    #expect(plan.sources.map(\.shuffle) == [nil, 0])
    let internalSource = plan.sources[1]
    #expect(internalSource.topic == "web.r.shuffle")
    #expect(internalSource.schema == plan.sources[0].schema)
    #expect(internalSource.key == nil)
    #expect(internalSource.start == .earliest)
    #expect(internalSource.onOffsetOutOfRange == .fail)
    #expect(!internalSource.mustHaveOnePartition)
    #expect(internalSource.eventTime.idleTimeout == nil)
}

@Test func aWindowWithoutTheKeyIsFoldedAboveAShuffleAndCombinedBelow() throws {
    let plan = try plan(hits("slow: {from: hits, where: ms > 10}", window(from: "slow", by: "[country, url]")))
    #expect(plan.transforms.map(\.name) == ["slow", "t"])
    #expect(plan.transforms.map(\.from) == [.source(0), .source(1)])

    let shuffle = try #require(plan.shuffles.first)
    #expect(shuffle.name == "t")
    #expect(shuffle.topic == "web.t.shuffle")
    #expect(shuffle.from == .transform(0))
    #expect(shuffle.by == [2, 1])
    #expect(shuffle.salt == 1)
    #expect(shuffle.partitions == nil)
    guard case .partialWindows(of: 1) = shuffle.content else { throw Unexpected() }

    // The window is described by what goes into the shuffle, which is not what its records hold.
    #expect(shuffle.input == plan.transforms[0].output)
    #expect(plan.transforms[1].input == shuffle.input)
    guard case .window(let window) = plan.transforms[1].operation else { throw Unexpected() }
    #expect(window.groupBy == [2, 1])
    #expect(plan.transforms[1].output.fields.map(\.name) == ["country", "url", "window_start", "window_end", "n"])
    #expect(plan.sinks[0].from == .transform(1))
}

@Test func hotKeysTravelSaltedAndAgainAsPartialWindows() throws {
    let plan = try plan(hits(window(from: "hits", by: "user", more: ", hot_keys: {salt: 8}")))
    #expect(plan.shuffles.map(\.name) == ["t.salted", "t"])
    #expect(plan.shuffles.map(\.topic) == ["web.t.salted.shuffle", "web.t.shuffle"])
    #expect(plan.shuffles.map(\.from) == [.source(0), .source(1)])
    #expect(plan.shuffles.map(\.by) == [[0], [0]])
    #expect(plan.shuffles.map(\.salt) == [8, 1])
    guard case .rows = plan.shuffles[0].content, case .partialWindows(of: 0) = plan.shuffles[1].content else { throw Unexpected() }
    #expect(plan.sources.map(\.name) == ["hits", "t.salted", "t"])
    #expect(plan.sources.map(\.shuffle) == [nil, 0, 1])
    #expect(plan.transforms.map(\.from) == [.source(2)])
}

@Test func whatIsReadTwiceIsShuffledOnceAndASinkMayReadIt() throws {
    let text = hits("r: {from: hits, rekey: {by: url}}", window(from: "r", by: "url"), "u: {from: r, where: ms > 1}")
    let plan = try plan(text + "\n  rows: {from: r, kafka: {topic: rows}}\n  slow: {from: u, kafka: {topic: slow}}")
    #expect(plan.shuffles.count == 1)
    #expect(plan.transforms.map(\.from) == [.source(1), .source(1)])
    #expect(plan.sinks.map(\.from) == [.transform(0), .source(1), .transform(1)])
}

struct Reasons: Sendable, CustomTestStringConvertible {
    let transforms: [String]
    /// `name: reason` of each shuffle.
    let shuffles: [String]

    init(_ transforms: String..., shuffles: [String]) {
        self.transforms = transforms
        self.shuffles = shuffles
    }

    var testDescription: String { transforms.joined(separator: "; ") }
    var text: String { hits(transforms.joined(separator: "\n  ")) }
}

@Test(arguments: reasons)
func rowsTravelWhereThoseOfAGroupCouldBeInSeveralPartitions(_ reasons: Reasons) throws {
    #expect(try plan(reasons.text).shuffles.map { "\($0.name): \($0.reason)" } == reasons.shuffles)
}

private let reasons: [Reasons] = [
    Reasons(window(from: "hits", by: "user"), shuffles: []),
    Reasons(window(from: "hits", by: "[url, user]"), shuffles: []),
    Reasons(
        window(from: "hits", by: "url"), shuffles: ["t: `group_by` does not contain `user`, by which source `hits` is partitioned"]),
    Reasons("s: {from: hits, select: {who: user, also: user, url: url}}", window(from: "s", by: "[url, also]"), shuffles: []),
    Reasons(
        "s: {from: hits, select: {who: user, also: user, url: url}}", window(from: "s", by: "url"),
        shuffles: ["t: `group_by` does not contain `also` or `who`, by which source `hits` is partitioned"]),
    Reasons(
        "s: {from: hits, select: {user: lower(user), url: url}}", window(from: "s", by: "user"),
        shuffles: ["t: a `select` dropped or changed `user`, by which source `hits` is partitioned"]),
    Reasons(
        "s: {from: hits, select: {user: url}}", window(from: "s", by: "user"),
        shuffles: ["t: a `select` dropped or changed `user`, by which source `hits` is partitioned"]),
    Reasons("r: {from: hits, rekey: {by: url}}", window(from: "r", by: "url"), shuffles: ["r: `rekey` asks for it"]),
    Reasons("r: {from: hits, rekey: {by: user}}", window(from: "r", by: "user"), shuffles: ["r: `rekey` asks for it"]),
    Reasons(
        "r: {from: hits, rekey: {by: [user, url]}}", window(from: "r", by: "[url, country, user]"), shuffles: ["r: `rekey` asks for it"]),
    Reasons(
        "r: {from: hits, rekey: {by: [user, url]}}", "f: {from: r, where: ms > 1}", window(from: "f", by: "user"),
        shuffles: ["r: `rekey` asks for it", "t: `group_by` does not contain `url`, by which `rekey` `r` is partitioned"]),
    Reasons(
        "r: {from: hits, rekey: {by: [user, url]}}", "s: {from: r, select: {user: user}}", window(from: "s", by: "user"),
        shuffles: ["r: `rekey` asks for it", "t: a `select` dropped or changed `url`, by which `rekey` `r` is partitioned"]),
    Reasons(
        "r: {from: hits, rekey: {by: url, salt: 4}}", window(from: "r", by: "url"),
        shuffles: ["r: `rekey` asks for it", "t: `rekey` `r` has a `salt` and spreads the rows of a group"]),
    Reasons(
        "r: {from: hits, rekey: {by: url}}", "q: {from: r, rekey: {by: country}}", window(from: "q", by: "country"),
        shuffles: ["r: `rekey` asks for it", "q: `rekey` asks for it"]),
    // The key of a window's results: what its group_by kept of the input's, or after a shuffle all of group_by.
    Reasons(window("w", from: "hits", by: "[user, url]"), window(from: "w", by: "user", size: "1d"), shuffles: []),
    Reasons(
        window("w", from: "hits", by: "[user, url]"), window(from: "w", by: "url", size: "1d"),
        shuffles: ["t: `group_by` does not contain `user`, by which source `hits` is partitioned"]),
    Reasons(
        "s: {from: hits, select: {user: user, n: user}}", window("w", from: "s", by: "user"),
        "t: {from: w, group_by: n, window: {tumbling: {size: 1d}}, aggregate: {users: count()}}",
        shuffles: ["t: `group_by` does not contain `user`, by which source `hits` is partitioned"]),
    Reasons(
        window("w", from: "hits", by: "[url, country]"), window(from: "w", by: "[country, url]", size: "1d"),
        shuffles: ["w: `group_by` does not contain `user`, by which source `hits` is partitioned"]),
    Reasons(
        window("w", from: "hits", by: "[url, country]"), window(from: "w", by: "url", size: "1d"),
        shuffles: [
            "w: `group_by` does not contain `user`, by which source `hits` is partitioned",
            "t: `group_by` does not contain `country`, by which window `w` is partitioned",
        ]),
    Reasons(
        window(from: "hits", by: "url", more: ", hot_keys: {salt: 2}"),
        shuffles: ["t.salted: `hot_keys` spreads the rows of a group", "t: `hot_keys` has spread the rows of a group"]),
    Reasons(
        window("w", from: "hits", by: "user", more: ", hot_keys: {salt: 2}"), window(from: "w", by: "user", size: "1d"),
        shuffles: ["w.salted: `hot_keys` spreads the rows of a group", "w: `hot_keys` has spread the rows of a group"]),
]

/// The windows of each shuffle, by which rows are late above it, as sizes and allowed latenesses in hours.
private func windows(_ transforms: String..., read: String = "t") throws -> [String: [[Int64]]] {
    let plan = try plan(hits(transforms.joined(separator: "\n  "), read: read))
    let windows = plan.shuffles.map { shuffle in
        let windows = shuffle.windows.map { window in
            switch window.kind {
            case .tumbling(let size): [size / hour, window.allowedLateness / hour]
            case .session(let gap, _): [-gap / hour, window.allowedLateness / hour]
            }
        }
        return (shuffle.name, windows)
    }
    return Dictionary(uniqueKeysWithValues: windows)
}

@Test func rowsAreLateByTheWindowsThatTheyReachWithoutAnotherBetween() throws {
    let rekey = "r: {from: hits, rekey: {by: url}}"
    #expect(try windows(rekey, read: "r") == ["r": []])
    #expect(try windows(window(from: "hits", by: "url", more: ", allowed_lateness: 2h")) == ["t": [[1, 2]]])
    #expect(
        try windows(
            rekey, "d: {from: r, dedupe: {by: ms, within: 1h}}", "f: {from: d, where: ms > 1}",
            "s: {from: f, select: {address: url}}",
            "t: {from: s, group_by: address, window: {session: {gap: 3h}}, aggregate: {n: count()}}") == ["r": [[-3, 0]]])
    // Not by a window over windows: what it reads comes in order.
    #expect(try windows(rekey, window("w", from: "r", by: "url"), window(from: "w", by: "url", size: "5h")) == ["r": [[1, 0]]])
    #expect(
        try windows(
            rekey, window("w", from: "r", by: "[url, user]"), "q: {from: w, rekey: {by: user}}", window(from: "q", by: "user", size: "5h"))
            == ["r": [[1, 0]], "q": [[5, 0]]])
}

@Test func rowsAreLateAboveTheFirstOfSeveralShuffles() throws {
    #expect(
        try windows("r: {from: hits, rekey: {by: url, salt: 4}}", window(from: "r", by: "url")) == ["r": [[1, 0]], "t": [[1, 0]]])
    #expect(try windows(window(from: "hits", by: "url", more: ", hot_keys: {salt: 4}")) == ["t.salted": [[1, 0]], "t": [[1, 0]]])
    #expect(
        try windows("r: {from: hits, rekey: {by: url}}", "q: {from: r, rekey: {by: country}}", window(from: "q", by: "country"))
            == ["r": [[1, 0]], "q": [[1, 0]]])
}

@Test func rowsAreLateByEveryWindowBelow() throws {
    let text = hits(
        "r: {from: hits, rekey: {by: url}}", window(from: "r", by: "url", more: ", allowed_lateness: 1h"),
        window("u", from: "r", by: "[url, user]", size: "2h"))
    let plan = try plan(text + "\n  more: {from: u, kafka: {topic: more}}")
    #expect(plan.shuffles[0].windows.map(\.kind) == [.tumbling(size: hour), .tumbling(size: 2 * hour)])
    #expect(plan.shuffles[0].windows.map(\.allowedLateness) == [hour, 0])
}

@Test func aSourceWithoutKeyMayHaveMorePartitionsWhereARekeyStandsAboveWhatComparesRecords() throws {
    func mustHaveOnePartition(_ transforms: String...) throws -> [Bool] {
        try plan(hits(transforms.joined(separator: "\n  "), hasKey: false)).sources.map(\.mustHaveOnePartition)
    }
    let rekey = "r: {from: hits, rekey: {by: url}}"
    #expect(try mustHaveOnePartition(window(from: "hits", by: "url")) == [true])
    #expect(try mustHaveOnePartition(rekey, window(from: "r", by: "url")) == [false, false])
    #expect(try mustHaveOnePartition(rekey, window(from: "r", by: "country")) == [false, false, false])
    #expect(try mustHaveOnePartition(rekey, "t: {from: r, dedupe: {by: ms, within: 1h}}") == [false, false])
    #expect(
        try mustHaveOnePartition(
            "d: {from: hits, dedupe: {by: ms, within: 1h}}", "r: {from: d, rekey: {by: url}}", window(from: "r", by: "url")) == [
                true, false,
            ])
    #expect(try mustHaveOnePartition(window(from: "hits", by: "url", more: ", hot_keys: {salt: 2}")) == [false, false, false])
}

@Test func theDescriptionSaysWhereRowsTravelAndWhy() throws {
    let text = hits(
        "r: {from: hits, rekey: {by: url, partitions: 12, salt: 4}}",
        "t: {from: r, group_by: [url], window: {session: {gap: 30m}}, allowed_lateness: 5m, aggregate: {n: count()}}")
    let description = try plan(text + "\n  rows: {from: r, columns: [url], kafka: {topic: rows}}").describe()
    let lines = description.split(separator: "\n")
    #expect(
        lines.drop { !$0.hasPrefix("shuffle") }.joined(separator: "\n") == """
            shuffle r <- hits: rows by url, through topic web.r.shuffle
              why: `rekey` asks for it
              partitions: 12
              the rows of a key are spread over up to 4 partitions
              dead letters here: rows that are late for session windows with a gap of 30m and an allowed lateness of 5m
            shuffle t <- shuffle r: partial windows of t by url, through topic web.t.shuffle
              why: `rekey` `r` has a `salt` and spreads the rows of a group
              partitions: as many as topic web.r.shuffle has
            transform t <- shuffle t: session windows with a gap of 30m by url
              allowed lateness: 5m
              n = count()
              keeps the open windows of each key
              in:  user: string, url: string, country: string?, ms: int64, at: timestamp
              out: url: string, window_start: timestamp, window_end: timestamp, n: int64
            sink out <- t -> topic out (json, no key)
              columns: url: string, window_start: timestamp, window_end: timestamp, n: int64
            sink rows <- shuffle r -> topic rows (json, no key)
              columns: url: string
            dead letters -> topic web.dead-letter
            """)
    #expect(lines.filter { $0.hasPrefix("source") } == ["source hits <- topic hits (json)"])
}

@Test func jobsMayNotUseTheTopicsOfEachOthersShuffles() throws {
    let shuffled = try plan(hits("t: {from: hits, rekey: {by: url}}"))
    func conflicts(_ text: String) throws -> [String] {
        JobPlan.conflicts(
            among: [shuffled, try plan(text.replacing("job: web", with: "job: other"))],
            in: .withoutFile)
    }
    let plain = hits("t: {from: hits, where: true}").replacing("topic: out", with: "topic: other")
    #expect(try conflicts(plain) == [])
    #expect(
        try conflicts(plain.replacing("topic: hits", with: "topic: web.t.shuffle"))
            == ["job `other` reads `web.t.shuffle`, the topic of a shuffle of job `web`"])
    #expect(
        try conflicts(plain + "\ndead_letter: {topic: web.t.shuffle}")
            == ["job `other` sends its dead letters to `web.t.shuffle`, the topic of a shuffle of job `web`"])
    #expect(
        try conflicts(plain.replacing("topic: other", with: "topic: web.t.shuffle"))
            == ["the jobs `web` and `other` both write to topic `web.t.shuffle`"])
    #expect(
        try conflicts(plain.replacing("topic: hits", with: "topic: web.t.shuffle").replacing("embedded", with: "\"kafka:9092\"")) == [])
    // The same name made of other parts.
    let salted = try plan(hits(window(from: "hits", by: "user", more: ", hot_keys: {salt: 2}")))
    let dotted = hits("salted: {from: hits, rekey: {by: url}}", read: "salted")
        .replacing("job: web", with: "job: web.t").replacing("topic: out", with: "topic: other")
    #expect(
        JobPlan.conflicts(among: [salted, try plan(dotted)], in: .withoutFile)
            == ["the jobs `web` and `web.t` both write to topic `web.t.salted.shuffle`"])
}
