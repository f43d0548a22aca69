import Batch

/// The pattern of `like`, cut at its `%`: the first piece is matched at the start, the last at the end, those between
/// from left to right at the first place that fits. That finds a match whenever there is one, without going back.
struct LikePattern: Sendable {
    private enum Element: Sendable {
        case byte(UInt8)
        /// `_`: one character of any length.
        case character
    }

    /// One more than there are `%`.
    private var pieces: [[Element]] = [[]]

    /// - Parameter escape: the character that makes a following `%`, `_` or itself stand for itself.
    /// - Throws: the offset in `text` of an `escape` that is followed by anything else.
    init(_ text: String, escape: Unicode.Scalar?) throws(BadEscape) {
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            if scalar == escape {
                guard let next = rest.popFirst(), next == "%" || next == "_" || next == escape else { throw BadEscape() }
                append(next)
            } else if scalar == "%" {
                pieces.append([])
            } else if scalar == "_" {
                pieces[pieces.count - 1].append(.character)
            } else {
                append(scalar)
            }
        }
    }

    struct BadEscape: Error {}

    private mutating func append(_ scalar: Unicode.Scalar) {
        for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
            pieces[pieces.count - 1].append(.byte(byte))
        }
    }

    /// Whether the whole of the bytes in `start..<end` matches.
    func matches(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
        guard var position = Self.match(pieces[0], bytes, start, end) else { return false }
        guard pieces.count > 1 else { return position == end }
        for index in 1..<pieces.count - 1 {
            guard let after = Self.find(pieces[index], bytes, position, end) else { return false }
            position = after
        }
        return Self.matchAtEnd(pieces[pieces.count - 1], bytes, position, end)
    }

    /// The position after `piece` where it stands at `start`.
    private static func match(_ piece: [Element], _ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Int? {
        var position = start
        for element in piece {
            guard position < end else { return nil }
            switch element {
            case .byte(let byte):
                guard bytes[position] == byte else { return nil }
                position += 1
            case .character:
                position += 1
                while position < end, bytes[position] & 0xC0 == 0x80 { position += 1 }
            }
        }
        return position
    }

    private static func find(_ piece: [Element], _ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Int? {
        var position = start
        while position <= end {
            if let after = match(piece, bytes, position, end) { return after }
            position += 1
            while position < end, bytes[position] & 0xC0 == 0x80 { position += 1 }
        }
        return nil
    }

    /// Whether `piece` ends at `end` and begins at or after `start`.
    private static func matchAtEnd(_ piece: [Element], _ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
        var position = end
        for element in piece.reversed() {
            guard position > start else { return false }
            position -= 1
            switch element {
            case .byte(let byte):
                guard bytes[position] == byte else { return false }
            case .character:
                while position > start, bytes[position] & 0xC0 == 0x80 { position -= 1 }
            }
        }
        return true
    }
}
