import Batch
import CShims

/// Chains of a `RecordTable` that have been moved to a scratch file, as the bytes that the table's user made of them.
///
/// In memory are an index of 8 bytes a slot, up to 90% full, which knows for certain what is not here (but for one in 2^30), and the last segment
/// that was spilled. The file consists of segments of 256 KiB that are filled one after the other. Taking a chain leaves a hole; when less than half of the
/// segments is in use, the emptiest are copied to the end and used again.
///
/// An entry begins at a multiple of 32 bytes: hash 8, length of the key 4, of the value 4, end 8, checksum of the rest 4, key, value. Its number is
/// where it begins, in these units: a file has up to 128 GiB. Bytes that the file gives back otherwise are an error.
package struct SpilledChains: ~Copyable {
    /// A chain that `find` or `due` found.
    package struct Found {
        package var hash: UInt64
        package var number: UInt32
        var end: Int64
        /// Good until the next call.
        package var key: UnsafeRawBufferPointer
        package var value: UnsafeRawBufferPointer
    }

    /// What may be due; see `due`.
    package struct Timer: BitwiseCopyable {
        var end: Int64
        var hash: UInt64
        var number: UInt32
    }

    private struct Segment: BitwiseCopyable {
        /// Bytes of entries that are still here.
        var live = 0
        /// Bytes that have been written; those of a large entry's further segments are said by its first.
        var used = 0
    }

    private static let unit = 32
    private static let checksumOffset = 24
    private static let headBytes = 28
    private static let segmentBytes = 256 << 10
    private static let segmentsMax = (1 << 19) - 1
    /// Fewer segments are not worth the copying.
    private static let segmentsFree = 16
    /// What is read at once of an entry whose length is not known.
    private static let guess = 512

    private let directory: String
    private var index = RecordIndex(fullness: 9)
    private var timers: SpilledTimers
    private var dueTimers = RawList<SpilledTimers.Entry>(capacity: 1)
    private var file: SpillFile?
    private var segments = RawList<Segment>(capacity: 1)
    private var freeSegments = RawList<UInt32>(capacity: 1)
    /// The segment that is being filled: not in the file yet.
    private var current = -1
    private var filled = 0
    private var buffer: UnsafeMutableRawPointer?
    private var liveBytes = 0
    /// Holds what was read.
    private var readBuffer = RawList<UInt8>(capacity: 1)

    /// Chains here.
    package private(set) var count = 0

    /// - Parameters:
    ///   - timerWidth: as of `EventTimers`.
    ///   - directory: of the scratch files, which are made when they are needed.
    package init(timerWidth: Int64, directory: String) {
        self.directory = directory
        timers = SpilledTimers(width: timerWidth, directory: directory)
    }

    deinit { buffer?.deallocate() }

    /// In memory.
    package var bytes: Int {
        index.bytes + timers.bytes + segments.bytes + freeSegments.bytes + readBuffer.bytes + dueTimers.bytes
            + (buffer == nil ? 0 : Self.segmentBytes)
    }

    /// What the file holds of use, bytes.
    package var spilledBytes: Int { liveBytes }

    /// How large the file is; what is free in it is used before it grows.
    package var fileBytes: Int { segments.count * Self.segmentBytes }

    // MARK: Looking

    /// Brings closer where looking for `hash` begins.
    @inline(__always)
    package func prefetch(_ hash: UInt64) {
        let table = index.tables + Int(hash >> 56)
        millrace_prefetch(table.pointee.slots + Int(UInt32(truncatingIfNeeded: hash) & table.pointee.mask))
    }

    /// Where a chain with this hash probably is; nil when there certainly is none.
    @inline(__always)
    package func candidate(_ hash: UInt64) -> UInt32? {
        var position = UInt32(truncatingIfNeeded: hash)
        return nextCandidate(hash, &position)
    }

    /// - Parameter position: begins as the hash's low half.
    @inline(__always)
    private func nextCandidate(_ hash: UInt64, _ position: inout UInt32) -> UInt32? {
        let table = index.tables[Int(hash >> 56)]
        let tag = UInt32(truncatingIfNeeded: hash)
        while true {
            let slot = table.slots[Int(position & table.mask)]
            if slot == 0 { return nil }
            position = position &+ 1
            if UInt32(truncatingIfNeeded: slot >> 32) == tag { return UInt32(truncatingIfNeeded: slot) &- 1 }
        }
    }

    /// The chain of `key`, which stays here.
    package mutating func find(_ hash: UInt64, _ key: UnsafeRawBufferPointer) throws(StateError) -> Found? {
        var position = UInt32(truncatingIfNeeded: hash)
        while let number = nextCandidate(hash, &position) {
            let found = try read(number)
            if found.hash == hash, found.key.count == key.count, equal(found.key.baseAddress, key.baseAddress, key.count) { return found }
        }
        return nil
    }

    /// The chains that were registered with an end at or before `watermark`, which never falls, in the order in which they lie; void ones among them.
    package mutating func takeDue(upTo watermark: Int64, into due: inout RawList<Timer>) throws(StateError) {
        dueTimers.removeAll()
        try timers.takeDue(upTo: watermark, into: &dueTimers)
        guard dueTimers.count > 0 else { return }
        var entries = UnsafeMutableBufferPointer(start: dueTimers.base, count: dueTimers.count)
        entries.sort { $0.number < $1.number }
        for entry in entries { due.append(Timer(end: entry.end, hash: entry.hash, number: entry.number)) }
    }

    /// The chain that a timer is about; nil when it is void.
    package mutating func due(_ timer: Timer) throws(StateError) -> Found? {
        var position = UInt32(truncatingIfNeeded: timer.hash)
        while let number = nextCandidate(timer.hash, &position) {
            guard number == timer.number else { continue }
            let found = try read(number)
            // Another may have come to the same place.
            return found.end == timer.end ? found : nil
        }
        return nil
    }

    private mutating func read(_ number: UInt32) throws(StateError) -> Found {
        let offset = Int(number) * Self.unit
        let within = offset % Self.segmentBytes
        if offset / Self.segmentBytes == current, let buffer {
            return Self.found(number, UnsafeRawBufferPointer(start: buffer + within, count: filled - within))
        }
        readBuffer.reserve(Self.guess)
        guard let file else { preconditionFailure("what was spilled is in the file") }
        let wanted = min(Self.guess, max(segments[offset / Self.segmentBytes].used - within, Self.headBytes))
        try file.read(UnsafeMutableRawBufferPointer(start: readBuffer.base, count: wanted), at: offset)
        let bytes = Self.entryBytes(UnsafeRawPointer(readBuffer.base))
        guard bytes <= segments[offset / Self.segmentBytes].used - within else { throw damaged() }
        if bytes > wanted {
            readBuffer.count = wanted
            readBuffer.reserve(bytes)
            try file.read(UnsafeMutableRawBufferPointer(start: readBuffer.base + wanted, count: bytes - wanted), at: offset + wanted)
        }
        let entry = UnsafeRawBufferPointer(start: readBuffer.base, count: bytes)
        guard Self.isWhole(entry) else { throw damaged() }
        return Self.found(number, entry)
    }

    private static func checksum(_ entry: UnsafeRawBufferPointer) -> UInt32 {
        let head = hash64(UnsafeRawBufferPointer(rebasing: entry[..<checksumOffset]))
        return UInt32(truncatingIfNeeded: head &+ hash64(UnsafeRawBufferPointer(rebasing: entry[headBytes...])))
    }

    private static func isWhole(_ entry: UnsafeRawBufferPointer) -> Bool {
        entry.loadUnaligned(fromByteOffset: checksumOffset, as: UInt32.self) == checksum(entry)
    }

    private func damaged() -> StateError {
        StateError(
            .inputOutput, "\(directory)/windows.spill", "the scratch file gives other bytes than were written to it",
            remedy: "the job starts over from its last commit; look at the device and its file system if it comes again")
    }

    private static func found(_ number: UInt32, _ entry: UnsafeRawBufferPointer) -> Found {
        let keyCount = Int(entry.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        let valueCount = Int(entry.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
        let key = UnsafeRawBufferPointer(rebasing: entry[headBytes..<headBytes + keyCount])
        let value = UnsafeRawBufferPointer(rebasing: entry[headBytes + keyCount..<headBytes + keyCount + valueCount])
        return Found(hash: entry.loadUnaligned(as: UInt64.self), number: number,
            end: entry.loadUnaligned(fromByteOffset: 16, as: Int64.self), key: key, value: value)
    }

    private static func entryBytes(_ head: UnsafeRawPointer) -> Int {
        headBytes + Int(head.loadUnaligned(fromByteOffset: 8, as: UInt32.self)) + Int(head.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
    }

    // MARK: Coming and going

    /// Moves a chain here that is not here yet.
    /// - Parameters:
    ///   - key: `suffix` stands behind it, as a part of it.
    ///   - end: the earliest of the chain.
    /// - Throws: when there is no room on the disk; then the chain is not here, and everything else is as it was.
    package mutating func append(
        _ hash: UInt64, _ key: UnsafeRawBufferPointer, suffix: UnsafeRawBufferPointer, end: Int64, _ value: UnsafeRawBufferPointer
    ) throws(StateError) {
        let keyCount = key.count + suffix.count
        let place = try room(Self.headBytes + keyCount + value.count)
        do throws(StateError) {
            try timers.register(hash, place.number, end: end)
        } catch {
            if place.isLarge { place.entry.deallocate() }
            throw error
        }
        place.entry.storeBytes(of: hash, as: UInt64.self)
        place.entry.storeBytes(of: UInt32(keyCount), toByteOffset: 8, as: UInt32.self)
        place.entry.storeBytes(of: UInt32(value.count), toByteOffset: 12, as: UInt32.self)
        place.entry.storeBytes(of: end, toByteOffset: 16, as: Int64.self)
        let body = UnsafeMutableRawBufferPointer(start: place.entry + Self.headBytes, count: keyCount + value.count)
        body.copyMemory(from: key)
        UnsafeMutableRawBufferPointer(rebasing: body[key.count...]).copyMemory(from: suffix)
        UnsafeMutableRawBufferPointer(rebasing: body[keyCount...]).copyMemory(from: value)
        let entry = UnsafeRawBufferPointer(start: place.entry, count: Self.headBytes + body.count)
        place.entry.storeBytes(of: Self.checksum(entry), toByteOffset: Self.checksumOffset, as: UInt32.self)
        try settle(place, Self.headBytes + keyCount + value.count)
        index.insert(hash, place.number)
        count += 1
    }

    /// Forgets a chain, which is here.
    package mutating func remove(_ found: Found) {
        index.remove(found.hash, found.number)
        count -= 1
        drop(found.number, Self.headBytes + found.key.count + found.value.count)
    }

    private mutating func drop(_ number: UInt32, _ bytes: Int) {
        let segment = Int(number) * Self.unit / Self.segmentBytes
        liveBytes -= bytes
        segments.base[segment].live -= bytes
        guard segments[segment].live == 0, segment != current else { return }
        for further in 0..<max(1, (segments[segment].used + Self.segmentBytes - 1) / Self.segmentBytes) {
            segments.base[segment + further] = Segment()
            freeSegments.append(UInt32(segment + further))
        }
    }

    // MARK: The file

    private struct Place {
        var number: UInt32
        /// Where the entry is to be written.
        var entry: UnsafeMutableRawPointer
        /// Of an entry that is larger than a segment.
        var isLarge: Bool
    }

    private mutating func room(_ bytes: Int) throws(StateError) -> Place {
        if bytes > Self.segmentBytes { return try roomForLarge(bytes) }
        if current < 0 || filled + bytes > Self.segmentBytes { try begin() }
        // What was moved may have filled it again.
        if filled + bytes > Self.segmentBytes { try advance() }
        guard let buffer else { preconditionFailure("a segment has been begun") }
        return Place(number: UInt32((current * Self.segmentBytes + filled) / Self.unit), entry: buffer + filled, isLarge: false)
    }

    private mutating func settle(_ place: Place, _ bytes: Int) throws(StateError) {
        let segment = Int(place.number) * Self.unit / Self.segmentBytes
        if place.isLarge {
            defer { place.entry.deallocate() }
            try openFile().write(UnsafeRawBufferPointer(start: place.entry, count: bytes), at: segment * Self.segmentBytes)
            takeSegments(segment, (bytes + Self.segmentBytes - 1) / Self.segmentBytes)
            segments.base[segment].used = bytes
        } else {
            filled = min((filled + bytes + Self.unit - 1) & ~(Self.unit - 1), Self.segmentBytes)
            segments.base[segment].used = filled
        }
        segments.base[segment].live += bytes
        liveBytes += bytes
    }

    private mutating func roomForLarge(_ bytes: Int) throws(StateError) -> Place {
        let count = (bytes + Self.segmentBytes - 1) / Self.segmentBytes
        var first = segments.count
        if let free = freeRun(count) { first = free } else { try checkRoom(count) }
        return Place(number: UInt32(first * Self.segmentBytes / Self.unit), entry: .allocate(byteCount: bytes, alignment: 16), isLarge: true)
    }

    /// The first of `count` free segments that follow each other.
    private func freeRun(_ count: Int) -> Int? {
        guard freeSegments.count >= count else { return nil }
        var free = UnsafeMutableBufferPointer(start: freeSegments.base, count: freeSegments.count)
        free.sort()
        var length = 0
        for position in 0..<freeSegments.count {
            length = position > 0 && freeSegments[position] == freeSegments[position - 1] + 1 ? length + 1 : 1
            if length == count { return Int(freeSegments[position]) - count + 1 }
        }
        return nil
    }

    /// Those from `first` on, free ones or new ones.
    private mutating func takeSegments(_ first: Int, _ count: Int) {
        if first == segments.count {
            for _ in 0..<count { segments.append(Segment()) }
            return
        }
        var kept = 0
        for position in 0..<freeSegments.count where !(first..<first + count).contains(Int(freeSegments[position])) {
            freeSegments[kept] = freeSegments[position]
            kept += 1
        }
        freeSegments.count = kept
    }

    private mutating func openFile() throws(StateError) -> SpillFile {
        if let file { return file }
        let opened = try SpillFile(directory: directory, name: "windows.spill")
        file = opened
        return opened
    }

    private func checkRoom(_ more: Int) throws(StateError) {
        guard segments.count + more <= Self.segmentsMax else {
            throw StateError(
                .noSpace, directory, "the scratch file of one task's windows has reached 128 GiB",
                remedy: "give the state more memory, or the topic more partitions")
        }
    }

    /// Writes the current segment to the file and begins another.
    private mutating func begin() throws(StateError) {
        try advance()
        // Each makes more room than it takes, so that two are always enough.
        for _ in 0..<2 { try moveEmptiest() }
    }

    private mutating func advance() throws(StateError) {
        if freeSegments.count == 0 { try checkRoom(1) }
        if buffer == nil { buffer = .allocate(byteCount: Self.segmentBytes, alignment: 4_096) }
        if current >= 0, let buffer {
            try openFile().write(UnsafeRawBufferPointer(start: buffer, count: filled), at: current * Self.segmentBytes)
            let written = current
            current = -1
            if segments[written].live == 0 {
                segments.base[written] = Segment()
                freeSegments.append(UInt32(written))
            }
        }
        if freeSegments.count > 0 {
            freeSegments.count -= 1
            current = Int(freeSegments.base[freeSegments.count])
        } else {
            current = segments.count
            segments.append(Segment())
        }
        filled = 0
    }

    /// When less than half of what the segments hold is of use: moves what is left in the emptiest to the current one.
    private mutating func moveEmptiest() throws(StateError) {
        let inUse = segments.count - freeSegments.count
        guard inUse > Self.segmentsFree, liveBytes * 2 < inUse * Self.segmentBytes, let file else { return }
        var emptiest: Int?
        for position in 0..<segments.count
        where position != current && segments[position].live > 0 && segments[position].used <= Self.segmentBytes {
            if segments[position].live < emptiest.map({ segments[$0].live }) ?? Self.segmentBytes / 2 { emptiest = position }
        }
        guard let emptiest, filled + segments[emptiest].live + Self.segmentBytes / 4 <= Self.segmentBytes else { return }
        let used = segments[emptiest].used
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: used, alignment: 16)
        defer { bytes.deallocate() }
        try file.read(bytes, at: emptiest * Self.segmentBytes)
        var offset = 0
        while offset + Self.headBytes <= used {
            let number = UInt32((emptiest * Self.segmentBytes + offset) / Self.unit)
            let count = Self.entryBytes(UnsafeRawPointer(bytes.baseAddress.unsafelyUnwrapped) + offset)
            guard count <= used - offset else { throw damaged() }
            let entry = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
            guard Self.isWhole(entry) else { throw damaged() }
            if isHere(entry.loadUnaligned(as: UInt64.self), number) { try move(entry, from: number) }
            offset += (count + Self.unit - 1) & ~(Self.unit - 1)
        }
    }

    private func isHere(_ hash: UInt64, _ number: UInt32) -> Bool {
        var position = UInt32(truncatingIfNeeded: hash)
        while let candidate = nextCandidate(hash, &position) {
            if candidate == number { return true }
        }
        return false
    }

    private mutating func move(_ entry: UnsafeRawBufferPointer, from number: UInt32) throws(StateError) {
        let hash = entry.loadUnaligned(as: UInt64.self)
        // Rounding each entry up may need more than what is live: then the rest stays for another time.
        guard filled + entry.count <= Self.segmentBytes else { return }
        let place = try room(entry.count)
        try timers.register(hash, place.number, end: entry.loadUnaligned(fromByteOffset: 16, as: Int64.self))
        place.entry.copyMemory(from: entry.baseAddress.unsafelyUnwrapped, byteCount: entry.count)
        try settle(place, entry.count)
        index.replace(hash, number, by: place.number)
        drop(number, entry.count)
    }
}
