/// Compares the files beside a segment with its batches, as these go by in order.
package struct IndexCheck {
    package struct Report: Sendable {
        package let path: String
        /// nil: there is no such file. A segment that is written to has none, or old ones.
        package let entries: Int?
        /// What is wrong with it; a broker makes it again.
        package let problem: String?
    }

    private struct Followed {
        let path: String
        var index: SparseIndex?
        var isThere = false
        var next = 0
        var problem: String?

        init(_ kind: SparseIndex.Kind, of segment: OfflineLog.Segment) throws(StorageError) {
            path = segment.path(kind.suffix)
            guard let bytes = try CheckedFile.read(path) else { return }
            isThere = true
            index = try SparseIndex(kind, bytes: bytes)
            if index == nil { problem = "its entries are not in order, or not whole" }
        }

        /// Looks at the entries up to the one for `batch`, by which they are ordered.
        mutating func follow(_ order: (SparseIndex.Entry) -> Int64, to batch: Int64, isRight: (SparseIndex.Entry) -> Bool) {
            guard problem == nil, let index else { return }
            while next < index.count, let entry = try? index.entry(next), order(entry) <= batch {
                guard order(entry) == batch, isRight(entry) else {
                    problem = "entry \(next) (\(entry.key), \(entry.value)) points to no such batch"
                    return
                }
                next += 1
            }
        }

        func report() -> Report {
            var problem = problem
            if problem == nil, let index, next < index.count { problem = "\(index.count - next) entries point behind the last batch" }
            return Report(path: path, entries: isThere ? index?.count ?? 0 : nil, problem: problem)
        }
    }

    private let segment: OfflineLog.Segment
    private var offsets: Followed
    private var times: Followed

    package init(_ segment: OfflineLog.Segment) throws(StorageError) {
        self.segment = segment
        offsets = try Followed(.offsets, of: segment)
        times = try Followed(.times, of: segment)
    }

    package mutating func take(_ header: RecordBatchHeader, at position: Int64) {
        let relative = header.baseOffset - segment.baseOffset
        offsets.follow(\.value, to: position) { $0.key == relative }
        times.follow(\.value, to: relative) { $0.key == header.maxTimestamp }
    }

    /// To be asked for after the last batch.
    package func reports() throws(StorageError) -> [Report] {
        let transactions = segment.path(".txnindex")
        let bytes = try CheckedFile.read(transactions)
        let entries = bytes.flatMap { TransactionIndex.decode($0) }
        let snapshot = segment.path(".snapshot")
        let producers = try CheckedFile.read(snapshot).map { ProducerSnapshot.decode($0, offset: segment.baseOffset) }
        return [
            offsets.report(), times.report(),
            Report(
                path: transactions, entries: bytes.map { _ in entries?.count ?? 0 },
                problem: bytes != nil && entries == nil ? "it is damaged" : nil),
            Report(
                path: snapshot, entries: producers.map { $0?.entries.count ?? 0 },
                problem: producers.map { $0 == nil } == true ? "it is damaged" : nil),
        ]
    }
}
