import Batch
import Foundation
import Parquet
import Seeded
import Testing

/// The interpreter with pyarrow and DuckDB: readers that nobody here wrote.
private let python: String? = {
    let candidates = [ProcessInfo.processInfo.environment["MILLRACE_PYTHON"], ".venv/bin/python"].compactMap { $0 }
    return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
}()

private let types: [ValueType] = [
    .bool, .int64, .float64, .string, .timestamp, .decimal(precision: 9, scale: 2), .decimal(precision: 18, scale: 0),
    .decimal(precision: 38, scale: 10),
]

/// A value of `type` as the reading script prints it, appended to `column`.
private func append(_ type: ValueType, distinct: Int, to column: inout Column, _ random: inout SplitMix64) -> String {
    let pick = Int64.random(in: 0..<Int64(distinct), using: &random)
    var wide = SplitMix64(seed: UInt64(pick))
    switch type {
    case .bool:
        column.append(bool: pick % 2 == 0)
        return pick % 2 == 0 ? "true" : "false"
    case .int64, .timestamp:
        let value = type == .timestamp ? Int64(truncatingIfNeeded: wide.next()) / 4_000 : Int64(bitPattern: wide.next())
        column.append(integer: value)
        return String(value)
    case .float64:
        let value = Double(Int64(bitPattern: wide.next())) / 1024
        column.append(double: value)
        return String(value.bitPattern)
    case .decimal(let precision, _):
        var limit: Int128 = 1
        for _ in 0..<precision { limit *= 10 }
        let bits = Int128(bitPattern: UInt128(wide.next()) << 64 | UInt128(wide.next()))
        let value = bits % limit
        column.append(decimal: value)
        return String(value)
    case .string:
        let value = pick % 7 == 0 ? String(repeating: "é\u{7F}", count: Int(pick % 90)) : "value \(pick) ✓"
        column.append(string: value)
        return value
    }
}

@Test(arguments: 0..<12)
func otherReadersSeeWhatWasWritten(seed: Int) throws {
    guard let python else {
        print("skipped: no Python with pyarrow and duckdb (scripts/bootstrap.sh --tests installs one)")
        return
    }
    var random = SplitMix64(seed: UInt64(seed))
    let rows = [0, 1, 7, 100, 3_000, 45_000][seed % 6]
    let fields = types.flatMap { [Field("\($0)", $0), Field("\($0)?", $0, isNullable: true)] }
    var columns = fields.map { Column($0.type) }
    var expected: [[String?]] = fields.map { _ in [] }
    for (index, field) in fields.enumerated() {
        let distinct = [1, 2, 50, 1_000_000].randomElement(using: &random)!
        let nulls = [0, 1, 10].randomElement(using: &random)!
        for _ in 0..<rows {
            if field.isNullable, Int.random(in: 0..<10, using: &random) < nulls {
                columns[index].appendNull()
                expected[index].append(nil)
            } else {
                expected[index].append(append(field.type, distinct: distinct, to: &columns[index], &random))
            }
        }
    }
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("parquet-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let file = directory.appendingPathComponent("file.parquet")
    var writer = try ParquetWriter(path: file.path, schema: Schema(fields), compression: Compression.allCases[seed % 3])
    // Two calls, so that there are several row groups.
    try writer.write(columns, rows: 0..<rows / 3)
    try writer.write(columns, rows: rows / 3..<rows)
    let summary = try writer.finish()
    #expect(summary.rows == rows)
    #expect(try file.resourceValues(forKeys: [.fileSizeKey]).fileSize == summary.bytes)

    let json = directory.appendingPathComponent("expected.json")
    try JSONSerialization.data(withJSONObject: expected.map { $0.map { $0 as Any? ?? NSNull() } }).write(to: json)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: python)
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("read_back.py")
    process.arguments = [script.path, file.path, json.path]
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "seed \(seed): \(output)")
}

@Test func aFileThatCannotBeWrittenIsRefusedWithItsPathAndReason() throws {
    #expect {
        _ = try ParquetWriter(path: "/nonexistent/file.parquet", schema: Schema([]))
    } throws: { error in
        "\(error)".contains("/nonexistent/file.parquet") && "\(error)".contains("No such file")
    }
    #expect {
        var writer = try ParquetWriter(path: "/dev/full", schema: Schema([Field("a", .int64)]))
        try writer.write([Column(.int64, zeros: 10)], rows: 0..<10)
        _ = try writer.finish()
    } throws: { error in
        (error as? ParquetError)?.code == ENOSPC
    }
}
