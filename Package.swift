// swift-tools-version: 6.2
import PackageDescription

// Targets stand in the order of the house: each imports only targets above it.

/// Set by scripts/fuzz.sh: everything is built so that libFuzzer sees which way an input went.
let isFuzzed = Context.environment["MILLRACE_FUZZ_BUILD"] != nil

let swift: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    // Loops over columns live in one module and the columns in another: without this every access is a call.
    .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
] + (isFuzzed ? [.unsafeFlags(["-sanitize=fuzzer"])] : [])

func module(_ name: String, path: String? = nil, _ dependencies: String...) -> Target {
    .target(
        name: name,
        dependencies: dependencies.map { .init(stringLiteral: $0) },
        path: path,
        swiftSettings: swift)
}

func tests(_ name: String, path: String? = nil, exclude: [String] = [], _ dependencies: String...) -> Target {
    .testTarget(
        name: name,
        dependencies: dependencies.map { .init(stringLiteral: $0) },
        path: path,
        exclude: exclude,
        swiftSettings: swift)
}

let package = Package(
    name: "millrace",
    products: [
        .executable(name: "millrace", targets: ["millrace"])
    ],
    targets: [
        // System libraries.
        .systemLibrary(name: "CRdKafka", pkgConfig: "rdkafka"),
        .systemLibrary(name: "CRocksDB", pkgConfig: "rocksdb"),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1"),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd"),
        .systemLibrary(name: "CSnappy"),
        .systemLibrary(name: "CLZ4", pkgConfig: "liblz4"),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib"),
        .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash"),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl"),
        .target(
            name: "CShims",
            cxxSettings: [.unsafeFlags(["-O3"])],
            linkerSettings: [.linkedLibrary("simdjson"), .linkedLibrary("rocksdb"), .linkedLibrary("rdkafka"), .linkedLibrary("microhttpd"), .linkedLibrary("curl")]),

        // The ground.
        module("Batch", "CXXHash", "CShims"),
        module("Telemetry"),
        module("Expression", "Batch"),
        module("JobFile", "Batch", "Expression", "CYAML"),
        module("Formats", "Batch", "CShims"),
        module("Parquet", "Batch", "CZstd", "CSnappy"),
        module("State", "Batch", "CShims", "CRocksDB", "CZstd", "CCurl", "COpenSSL"),
        module("Dataflow", "Batch", "Expression", "State", "CShims"),
        module("KafkaClient", "CRdKafka", "CShims"),

        // The embedded log: knows nothing of jobs.
        module("KafkaLogProtocol", path: "Sources/KafkaLog/Protocol"),
        module("KafkaLogStorage", path: "Sources/KafkaLog/Storage", "CShims", "CZlib", "CSnappy", "CLZ4", "CZstd"),
        module("KafkaLogCoordination", path: "Sources/KafkaLog/Coordination"),
        module("KafkaLogGroups", path: "Sources/KafkaLog/Groups", "KafkaLogCoordination"),
        module("KafkaLogTransactions", path: "Sources/KafkaLog/Transactions", "KafkaLogCoordination"),
        module(
            "KafkaLog", path: "Sources/KafkaLog/Server", "KafkaLogProtocol", "KafkaLogStorage",
            "KafkaLogCoordination", "KafkaLogGroups", "KafkaLogTransactions", "Telemetry", "CShims", "COpenSSL"),

        // The shell.
        module("Runtime", "Batch", "Telemetry", "Expression", "JobFile", "Formats", "Parquet", "State", "Dataflow", "KafkaClient"),
        module("Admin", "Telemetry", "State", "Runtime", "CShims"),
        .executableTarget(
            name: "millrace",
            dependencies: [
                "Batch", "Telemetry", "Expression", "JobFile", "Formats", "State", "KafkaClient", "CRdKafka", "KafkaLog", "KafkaLogProtocol",
                "KafkaLogStorage", "Runtime", "Admin", "CShims",
            ],
            swiftSettings: swift),

        // What tests share.
        module("Seeded", path: "Tests/Seeded"),

        tests("BatchTests", "Batch", "Seeded"),
        tests("TelemetryTests", "Telemetry"),
        tests("ExpressionTests", "Expression", "Batch", "Seeded"),
        tests("JobFileTests", "JobFile", "Expression", "Batch", "Seeded"),
        tests("FormatsTests", "Formats", "Batch", "Seeded"),
        tests("ParquetTests", exclude: ["read_back.py"], "Parquet", "Batch", "Seeded"),
        tests("StateTests", "State", "Batch", "Seeded"),
        tests("DataflowTests", "Dataflow", "State", "Expression", "Batch", "Seeded"),
        tests("KafkaClientTests", "KafkaClient", "CRdKafka", "Seeded"),
        tests("KafkaLogProtocolTests", path: "Tests/KafkaLogTests/Protocol", "KafkaLogProtocol", "Seeded"),
        tests("KafkaLogStorageTests", path: "Tests/KafkaLogTests/Storage", "KafkaLogStorage", "Seeded"),
        tests("KafkaLogCoordinationTests", path: "Tests/KafkaLogTests/Coordination", "KafkaLogCoordination", "Seeded"),
        tests("KafkaLogGroupsTests", path: "Tests/KafkaLogTests/Groups", "KafkaLogGroups", "KafkaLogCoordination", "Seeded"),
        tests(
            "KafkaLogTransactionsTests", path: "Tests/KafkaLogTests/Transactions", "KafkaLogTransactions", "KafkaLogCoordination", "Seeded"),
        tests(
            "KafkaLogServerTests", path: "Tests/KafkaLogTests/Server", "KafkaLog", "KafkaLogProtocol", "KafkaLogStorage", "KafkaClient", "Seeded"),
        tests("RuntimeTests", "Runtime", "KafkaLog", "KafkaClient", "JobFile", "State", "Batch", "Parquet", "Seeded"),
        module(
            "Simulation", path: "Tests/Simulation/World", "Runtime", "KafkaClient", "State", "JobFile", "Telemetry", "Parquet", "Batch", "Seeded"),
        .executableTarget(
            name: "simulate", dependencies: ["Simulation"], path: "Tests/Simulation/Command", swiftSettings: swift),
        tests("SimulationTests", path: "Tests/Simulation/Tests", "Simulation"),
        .executableTarget(
            name: "hotpaths", dependencies: ["Batch", "Expression", "Formats", "Parquet", "State", "Dataflow", "KafkaLogStorage", "Seeded"],
            path: "Tests/HotPaths", exclude: ["recorded.json"], swiftSettings: swift),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu11,
    cxxLanguageStandard: .cxx17
)

if isFuzzed {
    package.targets.append(
        .executableTarget(
            name: "LogFuzz",
            dependencies: [
                "KafkaLog", "KafkaLogProtocol", "KafkaLogStorage", "KafkaLogCoordination", "KafkaLogGroups", "KafkaLogTransactions", "CShims",
            ],
            path: "Tests/Fuzz",
            exclude: ["corpus"],
            swiftSettings: swift,
            linkerSettings: [.linkedLibrary("stdc++"), .unsafeFlags([Context.environment["MILLRACE_FUZZ_LIBRARY"] ?? ""])]))
}
