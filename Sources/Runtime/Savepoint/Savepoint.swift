import Foundation
import State

/// A copy of a job's state as of its commits, that stands by itself: what its manifest says.
///
/// In the checkpoint storage, below `<job>.savepoints/<id>/`:
///
///     <source>-<partition>/<epoch>-<delta id>.delta        the deltas above the snapshot, the committed one last
///     <source>-<partition>/snapshot-<epoch>-<delta id>/    the snapshot, if there is one
///     manifest                                             written last: without it there is no savepoint
///
/// The manifest is text: a line `millrace-savepoint 1 <CRC-32C of the rest, 8 hexadecimal digits>`, then this structure as JSON.
package struct Savepoint: Codable, Equatable, Sendable {
    package struct Object: Codable, Equatable, Sendable {
        /// Below the savepoint's directory.
        package var name: String
        package var bytes: Int
        package var crc32c: UInt32

        package init(name: String, bytes: Int, crc32c: UInt32) {
            self.name = name
            self.bytes = bytes
            self.crc32c = crc32c
        }
    }

    /// A transform or sink that keeps state.
    package struct State: Codable, Equatable, Sendable {
        package var name: String
        package var fingerprint: String
    }

    package struct Task: Codable, Equatable, Sendable {
        package var source: String
        package var topic: String
        package var partition: Int32
        /// The next offset to read.
        package var offset: Int64
        package var epoch: Int
        /// Sixteen hexadecimal digits.
        package var delta: String
        /// Microseconds since 1970 UTC; nil before the first record.
        package var watermark: Int64?
        package var snapshotEpoch: Int?
        package var states: [State]
        package var objects: [Object]
    }

    package var job: String
    package var id: String
    /// Seconds since 1970 UTC.
    package var taken: Double
    /// The savepoint that the job itself had started from.
    package var startedFrom: String?
    package var tasks: [Task]

    package var name: SavepointName { SavepointName(job: job, id: id) }
    package var byteCount: Int { tasks.reduce(0) { $0 + $1.objects.reduce(0) { $0 + $1.bytes } } }


}

extension Savepoint {
    private static let title = "millrace-savepoint"
    private static let version = 1

    package func encoded() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        guard let body = try? encoder.encode(self) else { preconditionFailure("a manifest holds names and numbers only") }
        let text = [UInt8](body) + [UInt8(ascii: "\n")]
        let checksum = String(UInt64(crc32c(text[...])) | 1 << 32, radix: 16).dropFirst()
        return Array("\(Self.title) \(Self.version) \(checksum)\n".utf8) + text
    }

    package init(decoding bytes: [UInt8], place: String) throws(StateError) {
        let end = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
        let words = String(decoding: bytes[..<end], as: UTF8.self).split(separator: " ")
        guard words.count == 3, words[0] == Self.title, let version = Int(words[1]) else {
            throw Self.damaged(place, "it does not begin with \"\(Self.title)\"")
        }
        guard version <= Self.version else {
            throw StateError(.newerFormat, place, "the savepoint is of format \(version), newer than \(Self.version)", remedy: "use the newer millrace")
        }
        let body = bytes[min(end + 1, bytes.endIndex)...]
        guard UInt32(words[2], radix: 16) == crc32c(body) else { throw Self.damaged(place, "its checksum does not agree") }
        do {
            self = try JSONDecoder().decode(Savepoint.self, from: Data(body))
        } catch {
            throw Self.damaged(place, "it is no savepoint's description: \(error)")
        }
    }

    private static func damaged(_ place: String, _ problem: String) -> StateError {
        StateError(.damaged, place, "the manifest of the savepoint is damaged: \(problem)", remedy: "use another savepoint, or restore it from a copy")
    }
}

extension Savepoint.Task {
    package var task: TaskID { TaskID(source: source, partition: partition) }

    /// The stored deltas, oldest first.
    package var deltaNames: [String] { objects.map(\.name).filter { $0.hasSuffix(".delta") }.sorted() }

    /// The snapshot's directory below the savepoint's.
    package var snapshotName: String? {
        objects.lazy.compactMap { object in
            let parts = object.name.split(separator: "/")
            return parts.count > 2 ? parts.prefix(2).joined(separator: "/") : nil
        }.first
    }

    var reference: DeltaReference? { UInt64(delta, radix: 16).map { DeltaReference(epoch: epoch, id: $0) } }
}
