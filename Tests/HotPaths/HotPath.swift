import Batch

/// Code that runs for every event, on inputs that are the same each time.
protocol HotPath: AnyObject {
    /// Events of a round.
    var events: Int { get }
    /// Makes the next round's input: not counted.
    func prepare() throws
    /// What is counted.
    func run() throws
}

extension HotPath {
    func prepare() {}
}

/// The paths by the names under which their counts are recorded.
let hotPaths: [(name: String, make: @Sendable () throws -> any HotPath)] = [
    ("json-decode", { try JSONDecoding() }),
    ("json-encode", { try JSONEncoding() }),
    ("filter", { try Filtering() }),
    ("session-fold", { try WindowFolding(.session(gap: 1_800_000_000, max: nil)) }),
    ("tumbling-fold", { try WindowFolding(.tumbling(size: 300_000_000)) }),
    ("dedupe-new", { try Deduplicating(.new) }),
    ("dedupe-known", { try Deduplicating(.known) }),
    ("freeze", { try Freezing() }),
    ("delta-encode", { try DeltaEncoding() }),
    ("log-append", { try LogAppending() }),
    ("log-fetch", { try LogFetching() }),
    ("parquet-encode", { try ParquetEncoding() }),
]
