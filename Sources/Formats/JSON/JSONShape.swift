import CShims
import Glibc

/// What records of one producer have in common: everything between their values, byte by byte. A record of that shape is located
/// by comparing those bytes and skipping over the values, at a fraction of the price of `JSONLocator`.
///
/// It never decides that a record is malformed, and takes only what it is sure of: plain ASCII strings without escapes, numbers, and
/// words in the places of values, with exactly the learnt bytes around them. A record that differs is left to the locator. What it
/// takes it locates as the locator would: the bytes around the values were checked when they were learnt, and a value may be
/// any other one without changing the grammar.
final class JSONShape {
    private struct Piece {
        /// Bytes in front of a value, or behind the last one.
        var start: UInt32
        var length: UInt32
        /// Of the value behind; 0 when nobody wants it.
        var node: UInt32
        /// Objects with wanted values that begin in the piece.
        var firstObject: UInt32
        var objectCount: UInt32
    }

    private struct ObjectStart {
        var offset: UInt32
        var node: UInt32
    }

    private static let piecesMax = 256
    private static let bytesMax = 8_192

    private let literal: UnsafeMutablePointer<UInt8>
    private let pieces: UnsafeMutablePointer<Piece>
    private let objects: UnsafeMutablePointer<ObjectStart>
    private let pieceCount: Int
    private let nodeCount: Int

    /// Learns the shape of a record that the locator has found in order.
    /// - Returns: nil for one with arrays, whose lengths would differ, and for one that is too large.
    init?(
        _ bytes: UnsafePointer<UInt8>, _ count: Int, _ tokens: UnsafePointer<UInt32>, _ tokenCount: Int,
        _ slots: UnsafePointer<ValueSlot>, nodeCount: Int
    ) {
        var values: [(start: Int, end: Int)] = []
        for index in 0..<tokenCount {
            let start = Int(tokens[index])
            switch bytes[start] {
            case UInt8(ascii: "["): return nil
            case UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: ":"), UInt8(ascii: ","): continue
            default: break
            }
            guard index + 1 < tokenCount else { return nil }
            var end = Int(tokens[index + 1])
            if bytes[end] == UInt8(ascii: ":") { continue }
            while [0x20, 0x09, 0x0A, 0x0D].contains(bytes[end - 1]) { end -= 1 }
            values.append((start, end))
        }
        let literalCount = count - values.reduce(0) { $0 + $1.end - $1.start }
        guard !values.isEmpty, values.count < Self.piecesMax, literalCount <= Self.bytesMax else { return nil }

        literal = .allocate(capacity: literalCount)
        pieces = .allocate(capacity: values.count + 1)
        objects = .allocate(capacity: max(1, nodeCount))
        pieceCount = values.count + 1
        self.nodeCount = nodeCount
        var written = 0, at = 0, objectCount = 0
        for index in 0...values.count {
            let end = index < values.count ? values[index].start : count
            (literal + written).initialize(from: bytes + at, count: end - at)
            let firstObject = objectCount
            var node = 0
            for candidate in 1..<max(1, nodeCount) where !slots[candidate].isAbsent {
                let start = Int(slots[candidate].start)
                if index < values.count, start == end { node = candidate }
                if start >= at, start < end {
                    (objects + objectCount).initialize(to: ObjectStart(offset: UInt32(start - at), node: UInt32(candidate)))
                    objectCount += 1
                }
            }
            (pieces + index).initialize(
                to: Piece(
                    start: UInt32(written), length: UInt32(end - at), node: UInt32(node), firstObject: UInt32(firstObject),
                    objectCount: UInt32(objectCount - firstObject)))
            written += end - at
            at = index < values.count ? values[index].end : count
        }
    }

    deinit {
        literal.deallocate()
        pieces.deallocate()
        objects.deallocate()
    }

    /// Locates the values of a record of this shape; false when it may be another, `slots` then being anything.
    /// Reads nothing beyond `count`.
    @inline(__always)
    func locate(_ bytes: UnsafePointer<UInt8>, _ count: Int, into slots: UnsafeMutablePointer<ValueSlot>) -> Bool {
        slots.update(repeating: .absent, count: nodeCount)
        var at = 0
        var index = 0
        let last = pieceCount &- 1
        while true {
            let piece = pieces[index]
            let length = Int(piece.length)
            guard count &- at >= length, Self.isSame(literal + Int(piece.start), bytes + at, length) else { return false }
            if piece.objectCount > 0 { placeObjects(piece, at, slots) }
            at &+= length
            if index == last { return at == count }
            guard at < count else { return false }
            let start = at
            switch bytes[at] {
            case UInt8(ascii: "\""):
                at = millrace_json_plain_end(bytes, at &+ 1, count)
                guard at < count, bytes[at] == UInt8(ascii: "\"") else { return false }
                at &+= 1
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                at = Self.numberEnd(bytes, at &+ 1, count)
                guard JSONNumber.isNumber(bytes, start, at) else { return false }
            default:
                at = Self.wordEnd(bytes, at, count)
                guard at > start else { return false }
            }
            slots[Int(piece.node)] = ValueSlot(start: UInt32(truncatingIfNeeded: start), end: UInt32(truncatingIfNeeded: at))
            index &+= 1
        }
    }

    private func placeObjects(_ piece: Piece, _ at: Int, _ slots: UnsafeMutablePointer<ValueSlot>) {
        for index in Int(piece.firstObject)..<Int(piece.firstObject &+ piece.objectCount) {
            let start = at &+ Int(objects[index].offset)
            slots[Int(objects[index].node)] = ValueSlot(
                start: UInt32(truncatingIfNeeded: start), end: UInt32(truncatingIfNeeded: start &+ 1))
        }
    }

    /// Eight bytes at a time, the last ones overlapping: pieces are short, and a call would cost more.
    @inline(__always)
    private static func isSame(_ one: UnsafePointer<UInt8>, _ other: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        @inline(__always)
        func differs(_ offset: Int) -> Bool {
            UnsafeRawPointer(one + offset).loadUnaligned(as: UInt64.self) != UnsafeRawPointer(other + offset).loadUnaligned(as: UInt64.self)
        }
        guard count >= 8 else {
            var offset = 0
            while offset < count {
                if one[offset] != other[offset] { return false }
                offset &+= 1
            }
            return true
        }
        var offset = 0
        while offset &+ 8 <= count {
            if differs(offset) { return false }
            offset &+= 8
        }
        return offset == count || !differs(count &- 8)
    }

    /// Behind everything that can be in a number.
    @inline(__always)
    private static func numberEnd(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ count: Int) -> Int {
        var at = start
        while at < count {
            switch bytes[at] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "e"), UInt8(ascii: "E"):
                at &+= 1
            default: return at
            }
        }
        return at
    }

    /// Behind `true`, `false` or `null`; `start` when it is none.
    @inline(__always)
    private static func wordEnd(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ count: Int) -> Int {
        guard count &- start >= 5 else { return start }
        let word = UInt32(littleEndian: UnsafeRawPointer(bytes + start).loadUnaligned(as: UInt32.self))
        if word == 0x6575_7274 || word == 0x6C6C_756E { return start &+ 4 }  // true, null
        return word == 0x736C_6166 && bytes[start &+ 4] == 0x65 ? start &+ 5 : start  // fals, e
    }
}

/// The shapes of the last records: the producers of a topic have a few, one for each set of fields that they leave out.
struct JSONShapes {
    private static let count = 4
    /// After a record without a known shape so many are not learnt from: learning costs as much as some tens of records.
    private static let pauseAfterLearning = 64
    /// Where hardly any record has a known shape, looking is given up for so many.
    private static let pauseWithoutHits = 4_096
    private static let creditMax = 256

    private var shapes: [JSONShape] = []
    /// The one that the last record had.
    private var recent = 0 { didSet { recentShape = Unmanaged.passUnretained(shapes[recent]) } }
    /// It again, without counting references.
    private var recentShape: Unmanaged<JSONShape>?
    private var oldest = 0
    private var learningPause = 0
    private var lookingPause = 0
    /// Goes up with records of a known shape, and down faster with others.
    private var credit = creditMax

    /// Locates a record by the shapes that are known; false when it has none of them.
    @inline(__always)
    mutating func locate(_ bytes: UnsafePointer<UInt8>, _ count: Int, into slots: UnsafeMutablePointer<ValueSlot>) -> Bool {
        guard lookingPause == 0 else {
            lookingPause &-= 1
            return false
        }
        guard let recentShape else { return false }
        if recentShape._withUnsafeGuaranteedRef({ $0.locate(bytes, count, into: slots) }) {
            if credit < Self.creditMax { credit &+= 1 }
            return true
        }
        return locateByOthers(bytes, count, into: slots)
    }

    @inline(never)
    private mutating func locateByOthers(_ bytes: UnsafePointer<UInt8>, _ count: Int, into slots: UnsafeMutablePointer<ValueSlot>) -> Bool {
        for index in shapes.indices where index != recent {
            if shapes[index].locate(bytes, count, into: slots) {
                recent = index
                return true
            }
        }
        credit -= 4
        if credit < 0 {
            credit = Self.creditMax / 2
            lookingPause = Self.pauseWithoutHits
        }
        return false
    }

    /// Offers a record that the locator has found in order.
    @inline(__always)
    mutating func learn(
        _ bytes: UnsafePointer<UInt8>, _ count: Int, _ tokens: UnsafePointer<UInt32>, _ tokenCount: Int,
        _ slots: UnsafePointer<ValueSlot>, nodeCount: Int
    ) {
        guard lookingPause == 0 else { return }
        guard learningPause == 0 else {
            learningPause &-= 1
            return
        }
        add(bytes, count, tokens, tokenCount, slots, nodeCount)
    }

    @inline(never)
    private mutating func add(
        _ bytes: UnsafePointer<UInt8>, _ count: Int, _ tokens: UnsafePointer<UInt32>, _ tokenCount: Int,
        _ slots: UnsafePointer<ValueSlot>, _ nodeCount: Int
    ) {
        // The first ones are learnt at once.
        learningPause = shapes.count < Self.count ? 0 : Self.pauseAfterLearning
        guard let shape = JSONShape(bytes, count, tokens, tokenCount, slots, nodeCount: nodeCount) else {
            learningPause = Self.pauseAfterLearning
            return
        }
        if shapes.count < Self.count {
            shapes.append(shape)
            recent = shapes.count - 1
        } else {
            shapes[oldest] = shape
            recent = oldest
            oldest = (oldest + 1) % Self.count
        }
    }
}
