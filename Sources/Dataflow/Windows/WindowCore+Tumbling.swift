import Batch
import State

// Which tumbling window a row belongs to.
extension WindowCore {
    mutating func processTumbling(_ batch: Batch, _ input: RowInput, size: Int64, late: inout RawList<LateFinding>) {
        var begin = 0
        let marks = table.changedMarks
        // Most rows fall where the one before them fell: saves the division.
        var start = Int64.min
        var end = Int64.min
        while begin < input.selection.count {
            let count = min(Self.blockRows, input.selection.count - begin)
            let rows = UnsafeBufferPointer(rebasing: input.selection[begin..<begin + count])
            for position in 0..<count {
                let row = Int(rows[position])
                let time = input.eventTimes[row]
                if time < start || time >= end { (start, end) = Self.window(of: time, size) }
                starts[position] = start
                hashes[position] = table.lookup.hash(input.keyHashes[row], start: start)
                table.lookup.prefetchSlot(hashes[position])
            }
            for position in 0..<count { candidates[position] = table.lookup.candidate(hashes[position]) }
            for position in 0..<count {
                let row = Int(rows[position])
                let windowStart = starts[position]
                let windowEnd = Self.end(windowStart, size)
                let watermark = effective(input.watermarks[row])
                guard windowEnd > watermark else {
                    late.append(LateFinding(row: rows[position], windowEnd: windowEnd, watermark: watermark))
                    input.raise(row, .late)
                    continue
                }
                let key = input.key(row)
                let record: Record
                if let found = table.lookup.find(hashes[position], key, start: windowStart, candidate: candidates[position]) {
                    record = found
                    if !found.isMarked(marks) { table.markChanged(found) }
                } else {
                    record = open(hashes[position], key, start: windowStart, end: windowEnd)
                }
                pend(record, rows[position])
                input.raise(row, .aggregated)
            }
            foldPending(batch)
            begin += count
        }
    }

    /// The window that holds `time`. Those at the ends of what an Int64 can say are cut.
    static func window(of time: Int64, _ size: Int64) -> (start: Int64, end: Int64) {
        let remainder = time % size
        let back = remainder < 0 ? remainder + size : remainder
        let (start, isBelow) = time.subtractingReportingOverflow(back)
        return (isBelow ? .min : start, end(isBelow ? .min : start, size))
    }

    @inline(__always)
    static func end(_ start: Int64, _ size: Int64) -> Int64 {
        let (end, isBeyond) = start.addingReportingOverflow(size)
        return isBeyond ? .max : end
    }
}
