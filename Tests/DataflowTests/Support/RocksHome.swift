import Dataflow
import Foundation
import State

/// The real home, in a directory that goes with it; changes reach it as delta files.
final class RocksHome: TestHome {
    let directory: String
    private let home: Home
    private var last: DeltaReference?

    init(timed: UInt16, lateness: Int64) {
        directory = NSTemporaryDirectory() + "windows-\(UUID().uuidString)"
        home = Home(
            directory: directory, job: "job", task: "rows-0",
            timed: [Home.TimedNamespace(namespace: timed, lateness: lateness)], cache: HomeCache(bytes: 1 << 20))
    }

    deinit {
        home.close()
        try? FileManager.default.removeItem(atPath: directory)
    }

    func apply(_ changes: ChangeSet, epoch: Int, watermark: Int64) throws {
        let reference = DeltaReference(epoch: epoch, id: UInt64(epoch))
        var header = DeltaHeader(job: "job", task: "rows-0", reference: reference, parent: last)
        header.watermarks = ["rows": watermark]
        let delta = try DeltaFile(decoding: DeltaFile.encode(header, changes), name: "\(epoch).delta")
        try home.apply([delta])
        last = reference
    }

    func multiGet(
        _ namespace: UInt16, _ keys: [UnsafeRawBufferPointer], areSorted: Bool,
        _ body: (Int, UnsafeRawBufferPointer?) -> Void
    ) throws(StateError) {
        try home.multiGet(namespace, keys, areSorted: areSorted, body)
    }

    func scanTimers(
        _ namespace: UInt16, after: Int64, upTo last: Int64,
        _ body: (Int64, UnsafeRawBufferPointer) throws(StateError) -> Bool
    ) throws(StateError) {
        try home.scanTimers(namespace, after: after, upTo: last, body)
    }

    func firstTimer(_ namespace: UInt16, after: Int64) throws(StateError) -> Int64? {
        try home.firstTimer(namespace, after: after)
    }

    func scan(
        _ namespace: UInt16, prefix: UnsafeRawBufferPointer,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(StateError) -> Bool
    ) throws(StateError) {
        try home.scan(namespace, prefix: prefix, body)
    }
}
