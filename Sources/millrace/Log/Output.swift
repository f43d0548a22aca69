import Foundation
import Telemetry

/// A value of a row, for people and for programs.
enum Cell {
    case text(String)
    case number(Int64)
    case flag(Bool)
    case list([String])
    /// JSON as it is.
    case json(String)
    /// Not known, or not applicable.
    case none

    var text: String {
        switch self {
        case .text(let text): text
        case .number(let number): String(number)
        case .flag(let flag): flag ? "yes" : "no"
        case .list(let items): items.isEmpty ? "-" : items.joined(separator: ",")
        case .json(let json): json
        case .none: "-"
        }
    }

    var json: String {
        switch self {
        case .text(let text): JSONText.quoted(text)
        case .number(let number): String(number)
        case .flag(let flag): flag ? "true" : "false"
        case .list(let items): "[" + items.map(JSONText.quoted).joined(separator: ",") + "]"
        case .json(let json): json
        case .none: "null"
        }
    }

    var isNumber: Bool {
        if case .number = self { return true }
        return false
    }
}

typealias Fields = KeyValuePairs<String, Cell>

/// Standard output, buffered. The process ends when nobody reads it any more (`| head`).
final class Output {
    let isJSON: Bool
    private var buffer = Data()

    init(isJSON: Bool) { self.isJSON = isJSON }

    func line(_ text: String) {
        buffer.append(contentsOf: text.utf8)
        buffer.append(0x0a)
        if buffer.count > 1 << 16 { flush() }
    }

    /// One JSON object, on a line.
    func object(_ fields: [(key: String, value: Cell)]) { line(Self.json(fields)) }

    static func json(_ fields: [(key: String, value: Cell)]) -> String {
        "{" + fields.map { "\(JSONText.quoted($0.key)):\($0.value.json)" }.joined(separator: ",") + "}"
    }

    /// Rows with the same fields: aligned under their names, or an object each with `type`.
    func table(_ type: String, _ rows: [Fields]) {
        if isJSON {
            for row in rows { object([("type", .text(type))] + row.map { ($0.key, $0.value) }) }
            return
        }
        guard let first = rows.first else { return }
        var lines = [first.map { $0.key.replacing("_", with: " ") }]
        lines += rows.map { row in row.map(\.value.text) }
        let widths = first.indices.map { index in lines.map { $0[index].count }.max() ?? 0 }
        let rightAligned = first.indices.map { index in rows.contains { $0[index].value.isNumber } }
        for cells in lines {
            let padded = cells.indices.map { Self.pad(cells[$0], widths[$0], right: rightAligned[$0]) }
            line(padded.joined(separator: "  ").trimmingSuffix(" "))
        }
    }

    static func pad(_ text: String, _ width: Int, right: Bool) -> String {
        let space = String(repeating: " ", count: max(0, width - text.count))
        return right ? space + text : text + space
    }

    func flush() {
        do {
            try FileHandle.standardOutput.write(contentsOf: buffer)
        } catch {
            Program.finish(.failed)
        }
        buffer.removeAll(keepingCapacity: true)
    }
}

extension String {
    fileprivate func trimmingSuffix(_ character: Character) -> String {
        var end = endIndex
        while end > startIndex, self[index(before: end)] == character { end = index(before: end) }
        return String(self[..<end])
    }
}
