import Batch
import State

// Windows leave above a shuffle, and become part of those below it.
extension WindowCore {
    /// All windows as blocks, by partition. They stay.
    func partials(partitions: Int, definitionHash: UInt64) -> [[[UInt8]]] {
        var blocks: [[[UInt8]]] = Array(repeating: [], count: partitions)
        table.forEachRecord { record in
            let partition = shufflePartition(hash64(record.key), of: partitions)
            var ranges = layout.distincts.map { _ in 0..<0 }
            var isFirst = true
            while nextPart(of: record, &ranges) || isFirst {
                let bytes = PartialCodec.bytes(record, layout, ranges, isFirst: isFirst)
                let room = shuffleBlockBytes - (blocks[partition].last?.count ?? shuffleBlockBytes)
                if bytes > room { blocks[partition].append(withUnsafeBytes(of: definitionHash) { [UInt8]($0) }) }
                let last = blocks[partition].count - 1
                PartialCodec.write(record, layout, ranges, isFirst: isFirst, into: &blocks[partition][last])
                isFirst = false
            }
        }
        return blocks
    }

    /// Moves `ranges` on to the elements of the next part. False when none are left.
    private func nextPart(of record: Record, _ ranges: inout [Range<Int>]) -> Bool {
        var room = PartialCodec.elementsMax
        for position in ranges.indices {
            let begin = ranges[position].upperBound
            let end = min(layout.distinct(record, layout.distincts[position]).count, begin + room)
            ranges[position] = begin..<end
            room -= end - begin
        }
        return room < PartialCodec.elementsMax
    }

    /// Makes a window of another task part of those that are open here. What the home has of its key is in memory.
    mutating func merge(_ partial: PartialWindow) {
        let window = partial.window
        let keyHash = hash64(partial.key)
        let joined: Record
        if isKeyedByStart {
            let hash = table.lookup.hash(keyHash, start: window.start)
            joined = join(partial, hash, table.find(hash, partial.key, start: window.start), besides: nil)
        } else {
            let head = table.find(keyHash, partial.key, start: 0)
            joined = join(partial, keyHash, firstTouched(by: window, head), besides: head)
            // It may reach those behind it now.
            while let next = after(joined), next.pointee.start <= joined.pointee.end {
                joined.pointee.end = max(joined.pointee.end, next.pointee.end)
                merge(next, into: joined)
            }
        }
        // It is late, which nothing below a shuffle should be. It comes out and is not lost: a timer would not find it.
        if joined.pointee.end <= watermark { close(joined) }
    }

    private func firstTouched(by window: StoredWindow, _ head: Record?) -> Record? {
        let last = head.flatMap { table.last(startingBy: window.start, in: $0) }
        let next = last.map { $0.pointee.end < window.start ? after($0) : $0 } ?? head
        return next.flatMap { $0.pointee.start <= window.end ? $0 : nil }
    }

    /// Adds a window to `own`, or opens it if there is none.
    private mutating func join(_ partial: PartialWindow, _ hash: UInt64, _ own: Record?, besides head: Record?) -> Record {
        let window = partial.window
        guard let own else {
            let record = open(hash, partial.key, start: window.start, end: window.end, besides: head)
            fill(record, partial)
            return record
        }
        let addition = table.insert(besides: head ?? own, start: window.start, end: window.end)
        fill(addition, partial)
        // Which notes that the key has changed.
        merge(addition, into: own)
        own.pointee.start = min(own.pointee.start, window.start)
        own.pointee.end = max(own.pointee.end, window.end)
        return own
    }

    private mutating func fill(_ record: Record, _ partial: PartialWindow) {
        partial.window.fill(record, layout, &table.pieces)
        // The other task's uid says nothing here.
        layout.setUid(record, 0)
        var offset = 0
        for index in layout.distincts {
            let set = layout.distinct(record, index)
            for _ in 0..<partial.window.distinctCount(layout, index) {
                let low = partial.elements.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                let high = partial.elements.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
                set.insert(Hash128(low: low, high: high), &table.pieces)
                offset += 16
            }
        }
    }
}
