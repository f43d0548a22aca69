#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Where a value lies in its record: `start..<end`, a string with its quotes, a container only its first byte. Absent when
/// `end` is 0.
struct ValueSlot {
    var start: UInt32
    var end: UInt32

    static let absent = ValueSlot(start: 0, end: 0)

    @inline(__always)
    var isAbsent: Bool { end == 0 }
}

/// A key of an earlier record and what it led to. Records of a topic mostly have the same keys in the same order, so the
/// next record's key at this place is most likely this one.
struct RememberedKey {
    var prefix: UInt64 = 0
    /// `UInt32.max` where nothing is remembered.
    var length: UInt32 = .max
    var parent: Int32 = 0
    /// The child of `parent` with this key, 0 when nobody wants it; then no wanted key shares prefix and length.
    var node: Int32 = 0
    var keyStart: UInt32 = 0

    /// As many keys of a record are remembered; a power of two.
    static let count = 64
}

/// Walks over the tokens of a record, checks the whole grammar (RFC 8259) and notes where the wanted values lie.
///
/// Everything is checked, also what no field wants, so whether a record is malformed depends on its bytes alone and not on
/// the job that reads it. Of equal keys in an object the last one counts, with all that is below it.
///
/// The pointers belong to the caller and live for one run of records.
struct JSONLocator {
    let nodes: UnsafePointer<FieldTree.Node>
    let nodeCount: Int
    let entries: UnsafePointer<FieldTree.Entry>
    let keyBytes: UnsafePointer<UInt8>
    let keyLengthMax: Int
    /// Room for one key without its escapes: `6 * keyLengthMax` bytes.
    let keyScratch: UnsafeMutablePointer<UInt8>
    /// `RememberedKey.count` of them.
    let remembered: UnsafeMutablePointer<RememberedKey>
    /// Room for the open containers: `depthMax + 1`.
    let stack: UnsafeMutablePointer<Int32>
    let depthMax: Int

    // What is open: the node of an object with wanted values in it, or one of these.
    private static let unwantedObject: Int32 = -1
    private static let array: Int32 = -2

    /// - Parameter tokens: where the tokens of `bytes` begin, as simdjson's first stage found them; at least one.
    /// - Parameter hasEscapes: whether there is a backslash in `bytes`.
    /// - Parameter slots: one a node.
    func locate(
        _ bytes: UnsafePointer<UInt8>, _ count: Int, _ tokens: UnsafePointer<UInt32>, _ tokenCount: Int,
        hasEscapes: Bool, into slots: UnsafeMutablePointer<ValueSlot>
    ) -> SyntaxFault {
        slots.update(repeating: .absent, count: nodeCount)
        guard bytes[Int(tokens[0])] == UInt8(ascii: "{") else { return fault(.notAnObject, Int(tokens[0])) }
        guard tokenCount > 1 else { return fault(.truncated, count) }
        if bytes[Int(tokens[1])] == UInt8(ascii: "}") {
            return tokenCount == 2 ? .none : fault(.trailing, Int(tokens[2]))
        }
        var open = nodes[0].tableMask >= 0 ? 0 : Self.unwantedObject
        var depth = 1
        var index = 1
        var keyNumber = 0
        while true {
            var node: Int32 = 0
            if open != Self.array {
                guard index &+ 2 < tokenCount else {
                    return memberFault(bytes, count, tokens, tokenCount, index)
                }
                let start = Int(tokens[index])
                let colon = Int(tokens[index &+ 1])
                guard bytes[start] == UInt8(ascii: "\""), bytes[colon] == UInt8(ascii: ":") else {
                    return memberFault(bytes, count, tokens, tokenCount, index)
                }
                let end = trimmedEnd(bytes, colon)
                guard isString(bytes, start, end) else { return fault(.badString, start) }
                if hasEscapes, let at = JSONEscapes.firstFault(bytes, start &+ 1, end &- 1) { return fault(.badEscape, at) }
                if open >= 0 {
                    if hasEscapes && JSONEscapes.firstBackslash(bytes, start &+ 1, end &- 1) < end &- 1 {
                        node = escapedChild(of: open, bytes, start &+ 1, end &- 1)
                    } else {
                        node = child(of: open, bytes, count, start &+ 1, end &- start &- 2, keyNumber)
                    }
                    keyNumber &+= 1
                    if node > 0 { forgetBelow(node, slots) }
                }
                index &+= 2
            } else if index >= tokenCount {
                return fault(.truncated, count)
            }

            let start = Int(tokens[index])
            let next = index &+ 1 < tokenCount ? Int(tokens[index &+ 1]) : count
            let end = trimmedEnd(bytes, next)
            let first = bytes[start]
            switch first {
            case UInt8(ascii: "\""):
                guard isString(bytes, start, end) else { return fault(.badString, start) }
                if hasEscapes, let at = JSONEscapes.firstFault(bytes, start &+ 1, end &- 1) { return fault(.badEscape, at) }
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                guard JSONNumber.isNumber(bytes, start, end) else { return fault(.badNumber, start) }
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                guard depth < depthMax else { return fault(.tooDeep, start) }
                guard next < count else { return fault(.truncated, count) }
                if bytes[next] == first &+ 2 {  // "{" + 2 is "}", "[" + 2 is "]"
                    index &+= 1
                } else {
                    slots[Int(node)] = ValueSlot(start: UInt32(truncatingIfNeeded: start), end: UInt32(truncatingIfNeeded: end))
                    stack[depth] = open
                    depth &+= 1
                    index &+= 1
                    if first == UInt8(ascii: "[") {
                        open = Self.array
                    } else {
                        open = node > 0 && nodes[Int(node)].tableMask >= 0 ? node : Self.unwantedObject
                    }
                    continue
                }
            default:
                guard isWord(bytes, start, end) else {
                    return fault(isPunctuation(first) ? .expectedValue : .badWord, start)
                }
            }
            // Unwanted values go to the record's own slot, which nobody reads.
            slots[Int(node)] = ValueSlot(start: UInt32(truncatingIfNeeded: start), end: UInt32(truncatingIfNeeded: end))
            index &+= 1

            while true {
                guard index < tokenCount else { return fault(.truncated, count) }
                let at = Int(tokens[index])
                index &+= 1
                let byte = bytes[at]
                if byte == UInt8(ascii: ",") { break }
                guard byte == (open == Self.array ? UInt8(ascii: "]") : UInt8(ascii: "}")) else {
                    return fault(open == Self.array ? .expectedCommaOrBracket : .expectedCommaOrBrace, at)
                }
                depth &-= 1
                if depth == 0 { return index == tokenCount ? .none : fault(.trailing, Int(tokens[index])) }
                open = stack[depth]
            }
        }
    }

    @inline(__always)
    private func fault(_ kind: SyntaxFault.Kind, _ offset: Int) -> SyntaxFault {
        SyntaxFault(kind: kind, offset: offset)
    }

    /// What is wrong with the member that begins at token `index`: no key, no colon, or no more.
    @inline(never)
    private func memberFault(
        _ bytes: UnsafePointer<UInt8>, _ count: Int, _ tokens: UnsafePointer<UInt32>, _ tokenCount: Int, _ index: Int
    ) -> SyntaxFault {
        guard index < tokenCount else { return fault(.truncated, count) }
        guard bytes[Int(tokens[index])] == UInt8(ascii: "\"") else { return fault(.expectedKey, Int(tokens[index])) }
        guard index + 1 < tokenCount else { return fault(.truncated, count) }
        guard bytes[Int(tokens[index + 1])] == UInt8(ascii: ":") else { return fault(.expectedColon, Int(tokens[index + 1])) }
        return fault(.truncated, count)
    }

    /// `end` without the white space before it. There is always a token before.
    @inline(__always)
    private func trimmedEnd(_ bytes: UnsafePointer<UInt8>, _ end: Int) -> Int {
        var end = end
        while true {
            switch bytes[end &- 1] {
            case 0x20, 0x09, 0x0A, 0x0D: end &-= 1
            default: return end
            }
        }
    }

    @inline(__always)
    private func isString(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
        end &- start >= 2 && bytes[end &- 1] == UInt8(ascii: "\"")
    }

    @inline(__always)
    private func isWord(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
        guard end &- start == 4 || end &- start == 5 else { return false }
        let word = UInt32(littleEndian: UnsafeRawPointer(bytes + start).loadUnaligned(as: UInt32.self))
        if end &- start == 4 { return word == 0x6575_7274 || word == 0x6C6C_756E }  // true, null
        return word == 0x736C_6166 && bytes[start &+ 4] == 0x65  // fals, e
    }

    private func isPunctuation(_ byte: UInt8) -> Bool {
        byte == 0x7D || byte == 0x5D || byte == 0x3A || byte == 0x2C  // } ] : ,
    }

    /// A key that comes again replaces what the earlier one brought, with all that was below it.
    @inline(__always)
    private func forgetBelow(_ node: Int32, _ slots: UnsafeMutablePointer<ValueSlot>) {
        let end = nodes[Int(node)].subtreeEnd
        guard end > node &+ 1 else { return }
        (slots + Int(node) + 1).update(repeating: .absent, count: Int(end &- node) &- 1)
    }

    /// The child of `parent` with the key of `length` bytes at `start`, which has no escapes, or 0.
    @inline(__always)
    private func child(
        of parent: Int32, _ bytes: UnsafePointer<UInt8>, _ count: Int, _ start: Int, _ length: Int, _ keyNumber: Int
    ) -> Int32 {
        let prefix = FieldTree.prefix(bytes, start, length, end: count)
        let memory = remembered + (keyNumber & (RememberedKey.count &- 1))
        if memory.pointee.prefix == prefix && Int(memory.pointee.length) == length && memory.pointee.parent == parent
            && (length <= 8 || memory.pointee.node == 0 || hasRest(memory.pointee.keyStart, bytes, start, length))
        {
            return memory.pointee.node
        }
        return find(parent, prefix, bytes, start, length, remember: memory)
    }

    @inline(never)
    private func escapedChild(of parent: Int32, _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int32 {
        guard end &- start <= 6 &* keyLengthMax,
            let length = try? JSONEscapes.unescape(bytes, start, end, to: keyScratch)
        else { return 0 }
        let prefix = FieldTree.prefix(keyScratch, 0, length, end: length)
        return find(parent, prefix, UnsafePointer(keyScratch), 0, length, remember: nil)
    }

    @inline(never)
    private func find(
        _ parent: Int32, _ prefix: UInt64, _ bytes: UnsafePointer<UInt8>, _ start: Int, _ length: Int,
        remember memory: UnsafeMutablePointer<RememberedKey>?
    ) -> Int32 {
        let table = entries + Int(nodes[Int(parent)].tableStart)
        let mask = nodes[Int(parent)].tableMask
        var position = FieldTree.position(prefix, length, mask)
        var hasAlike = false
        while true {
            let entry = table + Int(position)
            let node = entry.pointee.node
            let isAlike = entry.pointee.prefix == prefix && Int(entry.pointee.length) == length && node > 0
            if node == 0 || (isAlike && (length <= 8 || hasRest(entry.pointee.keyStart, bytes, start, length))) {
                memory?.pointee = RememberedKey(
                    prefix: prefix, length: node == 0 && hasAlike ? .max : UInt32(truncatingIfNeeded: length), parent: parent,
                    node: node, keyStart: entry.pointee.keyStart)
                return node
            }
            hasAlike = hasAlike || isAlike
            position = (position &+ 1) & mask
        }
    }

    /// Whether the key at `start` is beyond its prefix the one that lies at `keyStart`, which is as long.
    @inline(__always)
    private func hasRest(_ keyStart: UInt32, _ bytes: UnsafePointer<UInt8>, _ start: Int, _ length: Int) -> Bool {
        memcmp(keyBytes + Int(keyStart) + 8, bytes + start + 8, length &- 8) == 0
    }
}
