import Batch
import Glibc

/// Keyed windows of one operator: key (and window start) -> fixed-size record, in memory.
///
/// A record is one open window: header, then `payloadBytes` of the user's. Records lie in chunks of 2 MiB and do not
/// move; a key's first record stands in the index, further ones (open sessions of the same key) hang from it by `next`, in
/// the order of their starts. In a table keyed by start every (key, start) is a key of its own and chains have one record.
///
/// What a change of state needs to know is kept here, too: which keys changed or went since the last freeze, which
/// records the home already has and may be evicted, and which keys the home still has though they are gone.
package struct RecordTable: ~Copyable {
    /// Finds records; the same all the table's life.
    package let lookup: RecordLookup

    var index = RecordIndex()
    private var chunkCount = 0
    var freeNumbers = RawList<UInt32>()
    var nextNumber: UInt32 = 0
    /// Holds long keys, and whatever the user puts there.
    package var pieces = ByteArena()
    /// Keys in the index.
    package internal(set) var keyCount = 0
    /// Records in use; more than `keyCount` when keys have several open windows.
    package internal(set) var recordCount = 0

    /// First records of keys that changed since the last freeze; may hold records that were freed meanwhile, and repeats.
    var dirty = RawList<UInt32>(capacity: 1024)
    /// What such records are marked with; those of the epoch that is being frozen have the other mark.
    var openMark = RecordHeader.changedInOne
    var freezing = FreezeProgress()
    private static let chunksMax = 1 << 15
    private static let chunkBytesMax = 1 << 21

    /// Of long chains, by the number of their first record.
    var directories: [UInt32: [UInt32]] = [:]
    var deletions = Deletions()
    var epochs = EpochStamps()
    // Eviction: where the hand stands, and how far it came without success.
    var hand: UInt32 = 0
    var examinedInVain = 0
    /// The home was empty at the start: it knows nothing that is not known here, or where evicted chains are kept.
    package internal(set) var asksHome = false

    package init(payloadBytes: Int, isKeyedByStart: Bool) {
        precondition(
            MemoryLayout<RecordHeader>.size == 72
                && MemoryLayout<RecordHeader>.offset(of: \.key0) == RecordHeader.keyOffset,
            "the record header has a fixed layout")
        precondition(payloadBytes >= 0 && payloadBytes < 64 * 1024, "a record is small")
        let stride = (MemoryLayout<RecordHeader>.size + payloadBytes + 15) & ~15
        var shift: UInt32 = 0
        while (stride << Int(shift + 1)) <= Self.chunkBytesMax { shift += 1 }
        // Of the directory only the pages in use are ever touched.
        lookup = RecordLookup(
            tables: index.tables, chunks: .allocate(capacity: Self.chunksMax), stride: stride, chunkShift: shift,
            isKeyedByStart: isKeyedByStart)
    }

    deinit {
        for chunk in 0..<chunkCount { lookup.chunks[chunk].deallocate() }
        lookup.chunks.deallocate()
    }

    /// Bytes in use: records, their keys and pieces, the index. Freed records are reused and do not count.
    package var bytes: Int {
        recordCount * lookup.stride + pieces.bytes + index.bytes + dirty.bytes + freezing.dirty.bytes + deletions.bytes
    }

    /// Bytes taken from the system, which keeps what records and pieces have given back.
    package var allocatedBytes: Int {
        chunkCount * Self.chunkBytesMax + pieces.allocatedBytes + index.bytes + dirty.bytes + deletions.bytes + freeNumbers.bytes
    }

    /// Keys that the next freeze takes out, about.
    package var changedCount: Int { dirty.count }

    // MARK: Coming and going

    /// A record for `key`, which has none: payload zero, not yet marked as changed.
    package mutating func insert(_ hash: UInt64, _ key: UnsafeRawBufferPointer, start: Int64, end: Int64) -> Record {
        let record = allocate(hash, key, start, end)
        record.pointee.flags |= RecordHeader.isHead
        index.insert(hash, record.pointee.number)
        keyCount += 1
        return record
    }

    /// A further record for the key of `head`, put where its start belongs.
    package mutating func insert(besides head: Record, start: Int64, end: Int64) -> Record {
        takeOutIfFrozen(head)
        let record = allocate(head.pointee.hash, head.key, start, end)
        link(record, besides: head)
        return record
    }

    /// Takes `record` out of its key's chain; it stays readable until `free`. Notes that the key is gone, or changed.
    package mutating func unlink(_ record: Record) {
        if record.pointee.flags & RecordHeader.isHead != 0 {
            takeOutIfFrozen(record)
            if record.pointee.next == RecordHeader.none {
                dropDirectory(record)
                index.remove(record.pointee.hash, record.pointee.number)
                keyCount -= 1
                if record.pointee.flags & RecordHeader.isPersisted != 0 {
                    deletions.note(record, keyedByStart: isKeyedByStart)
                }
            } else {
                let next = self.record(record.pointee.next)
                dropFirst(record)
                makeHead(next, insteadOf: record)
                markChanged(next)
            }
        } else {
            let head = head(of: record)
            takeOutIfFrozen(head)
            unlink(record, after: head)
            markChanged(head)
        }
        record.pointee.next = RecordHeader.none
        record.pointee.flags &= ~(RecordHeader.isHead | RecordHeader.changed | RecordHeader.hasDirectory)
    }

    /// `number` must have been given out by this table; the record may be free.
    package func record(_ number: UInt32) -> Record { lookup.record(number) }

    /// As of `RecordLookup`.
    package func find(_ hash: UInt64, _ key: UnsafeRawBufferPointer, start: Int64) -> Record? {
        lookup.find(hash, key, start: start)
    }

    package var isKeyedByStart: Bool { lookup.isKeyedByStart }

    /// The first record of the chain that `record` is in.
    package func head(of record: Record) -> Record {
        if record.pointee.flags & RecordHeader.isHead != 0 { return record }
        guard let head = find(record.pointee.hash, record.key, start: record.pointee.start) else {
            preconditionFailure("a linked record has a head")
        }
        return head
    }

    /// Gives an unlinked record's place and key back. What its payload points to is the user's to free, before.
    package mutating func free(_ record: Record) {
        if Int(record.pointee.keyLength) > RecordHeader.inlineKeyMax {
            pieces.free(UnsafeMutableRawPointer(mutating: record.key.baseAddress!), Int(record.pointee.keyLength))
        }
        record.pointee.flags = 0
        record.pointee.keyLength = 0
        freeNumbers.append(record.pointee.number)
        recordCount -= 1
    }

    private mutating func allocate(
        _ hash: UInt64, _ key: UnsafeRawBufferPointer, _ start: Int64, _ end: Int64
    ) -> Record {
        let number: UInt32
        if freeNumbers.count > 0 {
            freeNumbers.count -= 1
            number = freeNumbers.base[freeNumbers.count]
        } else {
            number = nextNumber
            precondition(number < UInt32.max - 1, "a table holds at most four billion records")
            if Int(number >> lookup.chunkShift) == chunkCount {
                precondition(chunkCount < Self.chunksMax, "a table holds at most 64 GiB of records")
                lookup.chunks[chunkCount] = Self.allocateChunk(isFirst: chunkCount == 0)
                chunkCount += 1
            }
            nextNumber += 1
        }
        recordCount += 1
        let record = record(number)
        record.pointee = RecordHeader(
            hash: hash, start: start, end: end, timerEnd: .min, number: number, next: RecordHeader.none, unused: 0,
            keyLength: UInt32(key.count), flags: RecordHeader.isAlive, key0: 0, key1: 0, key2: 0)
        record.payload.initializeMemory(as: UInt8.self, repeating: 0, count: lookup.stride - MemoryLayout<RecordHeader>.size)
        if key.count <= RecordHeader.inlineKeyMax {
            (UnsafeMutableRawPointer(record) + RecordHeader.keyOffset)
                .copyMemory(from: key.baseAddress ?? UnsafeRawPointer(record), byteCount: key.count)
        } else {
            let piece = pieces.allocate(key.count)
            piece.copyMemory(from: key.baseAddress!, byteCount: key.count)
            record.pointee.key1 = UInt64(UInt(bitPattern: piece))
        }
        return record
    }

    /// A small table should not occupy a huge page; in a large one they save most of the address translations, which
    /// cost as much as the memory itself when keys come at random.
    private static func allocateChunk(isFirst: Bool) -> UnsafeMutableRawPointer {
        let chunk = UnsafeMutableRawPointer.allocate(byteCount: chunkBytesMax, alignment: chunkBytesMax)
        #if os(Linux)
            if !isFirst { _ = madvise(chunk, chunkBytesMax, MADV_HUGEPAGE) }
        #endif
        return chunk
    }

    // MARK: Change

    /// To be called before something of the chain of `record` changes, unless it is `isMarked` with `changedMarks`: takes it out first if it belongs to what
    /// is being frozen, and notes that it is in use and differs from what the last freeze has.
    package mutating func markChanged(_ record: Record) {
        let head = head(of: record)
        takeOutIfFrozen(head)
        let flags = head.pointee.flags
        head.pointee.flags = flags | openMark | RecordHeader.isTouched
        if flags & openMark == 0 { dirty.append(head.pointee.number) }
    }

    /// A record with these marks would not become any other by being marked as changed. The same from freeze to freeze.
    package var changedMarks: UInt32 { openMark | RecordHeader.isTouched }

    /// Calls `body` with every live record, in the order of their numbers.
    package func forEachRecord(_ body: (Record) -> Void) {
        for number in 0..<nextNumber {
            let record = record(number)
            if record.pointee.flags & RecordHeader.isAlive != 0 { body(record) }
        }
    }

    /// Calls `body` with every live first record of a key. `body` may unlink and free that chain's records only.
    package mutating func forEachKey(_ body: (inout RecordTable, Record) -> Void) {
        for number in 0..<nextNumber {
            let record = record(number)
            let wanted = RecordHeader.isAlive | RecordHeader.isHead
            if record.pointee.flags & wanted == wanted { body(&self, record) }
        }
    }
}
