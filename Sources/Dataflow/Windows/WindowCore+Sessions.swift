import Batch
import State

// Which session a row belongs to.
extension WindowCore {
    mutating func processSessions(
        _ batch: Batch, _ input: RowInput, gap: Int64, max: Int64?, late: inout RawList<LateFinding>
    ) {
        var begin = 0
        let marks = table.changedMarks
        while begin < input.selection.count {
            let count = min(Self.blockRows, input.selection.count - begin)
            let rows = UnsafeBufferPointer(rebasing: input.selection[begin..<begin + count])
            for position in 0..<count {
                let hash = input.keyHashes[Int(rows[position])]
                hashes[position] = hash
                table.lookup.prefetchSlot(hash)
            }
            for position in 0..<count { candidates[position] = table.lookup.candidate(hashes[position]) }
            for position in 0..<count {
                let row = Int(rows[position])
                let time = input.eventTimes[row]
                let sum = time &+ gap
                let end = sum < time ? Int64.max : sum
                var watermark = effective(input.watermarks[row])
                if isPartial {
                    guard end > watermark else {
                        late.append(LateFinding(row: rows[position], windowEnd: end, watermark: watermark))
                        input.raise(row, .late)
                        continue
                    }
                    // No window that is open here has ended.
                    watermark = .min
                }
                let key = input.key(row)
                let head = table.lookup.find(hashes[position], key, start: 0, candidate: candidates[position])
                if let head, extendOnly(head, time, end, watermark, max, marks) {
                    pend(head, rows[position])
                    input.raise(row, .aggregated)
                } else if let found = place(batch, head, hashes[position], key, time, end, watermark, max, &late, rows[position]) {
                    pend(found, rows[position])
                    input.raise(row, .aggregated)
                } else {
                    input.raise(row, .late)
                }
            }
            foldPending(batch)
            begin += count
        }
    }

    /// The common case: the key has one open session and the row falls into it or near its end.
    @inline(__always)
    private mutating func extendOnly(
        _ record: Record, _ time: Int64, _ end: Int64, _ watermark: Int64, _ max: Int64?, _ marks: UInt32
    ) -> Bool {
        let start = record.pointee.start
        let oldEnd = record.pointee.end
        guard record.pointee.next == RecordHeader.none, oldEnd > watermark, start <= end, time <= oldEnd else { return false }
        if let max { guard start <= time, time < capped(start, max) else { return false } }
        if !record.isMarked(marks) { table.markChanged(record) }
        if let max {
            record.pointee.end = Swift.max(oldEnd, min(end, capped(start, max)))
        } else {
            if time < start { record.pointee.start = time }
            if end > oldEnd { record.pointee.end = end }
        }
        return true
    }

    /// The last moment that a session from `start` may end at.
    @inline(__always)
    private func capped(_ start: Int64, _ max: Int64?) -> Int64 {
        guard let max else { return .max }
        let (sum, isBeyond) = start.addingReportingOverflow(max)
        return isBeyond ? .max : sum
    }

    /// All cases: closes the key's sessions that have ended, then finds, merges or opens one. nil: the row is late.
    private mutating func place(
        _ batch: Batch, _ first: Record?, _ hash: UInt64, _ key: UnsafeRawBufferPointer, _ time: Int64, _ rowEnd: Int64,
        _ watermark: Int64, _ max: Int64?, _ late: inout RawList<LateFinding>, _ row: Int32
    ) -> Record? {
        let head = closeEnded(first, watermark)
        // The row's own: the last session that begins before it, reaches it and may grow to it.
        let last = head.flatMap { table.last(startingBy: time, in: $0) }
        var own = last.flatMap { time <= $0.pointee.end && time < capped($0.pointee.start, max) ? $0 : nil }
        var next = last.map { after($0) } ?? head
        let start = own?.pointee.start ?? time
        var end = Swift.max(min(rowEnd, capped(start, max)), own?.pointee.end ?? .min)
        // Those behind it that it now reaches: `next` is the first.
        while let record = next, record.pointee.start <= end {
            let joint = Swift.max(end, record.pointee.end)
            guard joint <= capped(start, max) else {
                end = record.pointee.start
                break
            }
            let following = after(record)
            end = joint
            if let left = own {
                foldPending(batch)
                merge(record, into: left)
            } else {
                own = record
            }
            next = following
        }
        if let own {
            table.markChanged(own)
            own.pointee.start = start
            own.pointee.end = end
            return own
        }
        guard end > watermark else {
            late.append(LateFinding(row: row, windowEnd: end, watermark: watermark))
            return nil
        }
        return open(hash, key, start: start, end: end, besides: head)
    }

    @inline(__always)
    func after(_ record: Record) -> Record? {
        record.pointee.next == RecordHeader.none ? nil : table.lookup.record(record.pointee.next)
    }

    /// Closes the sessions of a chain that end at or before `watermark`: they come first, since sessions of a key do not overlap. Returns the
    /// first that stays.
    private mutating func closeEnded(_ first: Record?, _ watermark: Int64) -> Record? {
        var next = first
        while let record = next, record.pointee.end <= watermark {
            next = after(record)
            close(record)
        }
        return next
    }

    /// Adds a later session of the same key to an earlier one and frees it. Nothing is pending.
    mutating func merge(_ right: Record, into left: Record) {
        table.unlink(right)
        combine(right, into: left)
        free(right)
    }
}
