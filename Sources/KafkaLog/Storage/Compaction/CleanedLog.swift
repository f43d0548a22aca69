/// How far the cleaner has come in a partition, as a file `cleaned` in its directory:
///
///     millrace-cleaned 1
///     point <offset>                             what is below was cleaned at least once
///     segment <base offset> <end offset> <size>  one that the cleaner wrote: complete, and never written to again
///     swap <base offset> <end offset> <size> <base offset of a segment that goes>,...
///
/// A segment that the cleaner wrote may have gaps between its offsets. Its size and end tell damage from gaps: only it may have any.
///
/// A new segment is written as `<base offset>.log.clean` with its indexes, and made durable. With the line `swap` it is decided that it
/// counts: from then on a start completes what was begun (KAFKA-2760 and later describe the same steps for Kafka's `.cleaned` and `.swap`).
struct CleanedLog: Sendable, Hashable {
    struct Entry: Sendable, Hashable {
        let base: Int64
        /// Base offset of the segment that follows.
        let end: Int64
        let size: Int64
    }

    struct Swap: Sendable, Hashable {
        let segment: Entry
        /// Base offsets of the segments that it takes the place of, its own included.
        let replaced: [Int64]
    }

    var point: Int64 = 0
    var segments: [Entry] = []
    var swap: Swap?

    static let fileName = "cleaned"
    static let suffix = ".clean"
    private static let title = "millrace-cleaned 1"
    /// Of a segment's files, in the order in which they take their place: the log last, for it is what the others are about.
    private static let parts = [".txnindex", ".index", ".timeindex", ".log"]

    func entry(_ base: Int64) -> Entry? { segments.first { $0.base == base } }

    /// The swap is done.
    mutating func finishSwap() {
        guard let done = swap else { return }
        swap = nil
        segments.removeAll { done.replaced.contains($0.base) }
        segments.append(done.segment)
        segments.sort { $0.base < $1.base }
    }

    // MARK: The file

    var lines: [String] {
        [Self.title, "point \(point)"] + segments.map { "segment \($0.base) \($0.end) \($0.size)" }
            + (swap.map { ["swap \($0.segment.base) \($0.segment.end) \($0.segment.size) \($0.replaced.map(String.init).joined(separator: ","))"] } ?? [])
    }

    /// nil when the lines are not such a file's.
    init?(lines: [String]) {
        guard lines.first == Self.title else { return nil }
        for line in lines.dropFirst() {
            let fields = line.split(separator: " ")
            let numbers = fields.dropFirst().prefix(3).compactMap { Int64($0) }
            switch (fields.first, fields.count) {
            case ("point", 2) where numbers.count == 1: point = numbers[0]
            case ("segment", 4) where numbers.count == 3: segments.append(Entry(base: numbers[0], end: numbers[1], size: numbers[2]))
            case ("swap", 5) where numbers.count == 3:
                let replaced = fields[4].split(separator: ",").compactMap { Int64($0) }
                swap = Swap(segment: Entry(base: numbers[0], end: numbers[1], size: numbers[2]), replaced: replaced)
            default: return nil
            }
        }
    }

    init() {}

    /// Durable when it returns.
    func write(_ directory: String, _ operations: FileOperations) throws(StorageError) {
        try prepare(directory, operations)
        try Self.publish(directory, operations)
    }

    /// Writes the file under another name; `publish` makes it count.
    func prepare(_ directory: String, _ operations: FileOperations, synchronize: Bool = true) throws(StorageError) {
        try CheckedFile.write(
            CheckedFile.temporary("\(directory)/\(Self.fileName)"), CheckedFile.encode(lines), operations: operations,
            synchronize: synchronize)
    }

    static func publish(_ directory: String, _ operations: FileOperations) throws(StorageError) {
        try CheckedFile.publish("\(directory)/\(fileName)", operations: operations)
    }

    // MARK: Steps of a swap, each of which may be taken again

    /// Gives the files of the new segment their names.
    func moveIntoPlace(_ directory: String, _ operations: FileOperations) throws(StorageError) {
        guard let swap else { return }
        for part in Self.parts {
            let path = "\(directory)/\(Segment.stem(swap.segment.base))\(part)"
            if Directories.exists(path + Self.suffix) { try operations.rename(path + Self.suffix, to: path) }
        }
    }

    /// Removes the segments that it has taken the place of, and makes that durable.
    func removeReplaced(_ directory: String, _ operations: FileOperations) throws(StorageError) {
        guard let swap else { return }
        for base in swap.replaced where base != swap.segment.base {
            for suffix in Segment.suffixes { try operations.removeFile("\(directory)/\(Segment.stem(base))\(suffix)") }
        }
        try operations.synchronize(directory: directory)
    }

    /// Completes or undoes what a crash interrupted. `names` are those in the directory, before and after. Returns nil when there is no file
    /// or none that can be read.
    static func recover(
        _ directory: String, names: inout [String], operations: FileOperations
    ) throws(StorageError) -> (log: CleanedLog?, isDamaged: Bool) {
        var found: CleanedLog?
        var isDamaged = false
        if names.contains(fileName) {
            // Not being able to read it is one thing; that its bytes are wrong is another.
            if let bytes = try CheckedFile.read("\(directory)/\(fileName)"), let lines = CheckedFile.decode(bytes) {
                found = CleanedLog(lines: lines)
            }
            isDamaged = found == nil
        }
        if found?.swap != nil {
            try found?.moveIntoPlace(directory, operations)
            try found?.removeReplaced(directory, operations)
            found?.finishSwap()
            try found?.write(directory, operations)
            names = try Directories.list(directory)
        }
        // What was not decided on. Of a damaged file it is not known: the old segments are all there then, or the new one has its name.
        for name in names where name.hasSuffix(suffix) && !isDamaged { try operations.removeFile("\(directory)/\(name)") }
        return (found, isDamaged)
    }
}
