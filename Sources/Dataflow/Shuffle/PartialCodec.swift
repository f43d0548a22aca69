import Batch
import State

/// A window that another task has folded. Points into the block that it was read from.
struct PartialWindow {
    var key: UnsafeRawBufferPointer
    var window: StoredWindow
    /// The elements of its sets, one set after the other in the order of the aggregates.
    var elements: UnsafeRawBufferPointer
}

/// How windows travel between the tasks of a job (little-endian; the version stands in the header of whoever sends them).
///
/// A block: the hash of the definition's fingerprint, 8 bytes, then windows until its end. A window: the length of the group key, 4,
/// the key, the window as of `WindowCodec`, then the elements of its sets, 16 bytes each, low word first. A window with many
/// elements travels in parts: all but the first have a payload of zeros, which adds nothing.
enum PartialCodec {
    static let headBytes = 8
    /// Of a window or a part of one: a quarter of a block.
    static let elementsMax = shuffleBlockBytes / 64

    static func hash(_ definition: WindowDefinition) -> UInt64 {
        var text = definition.fingerprint
        return text.withUTF8 { hash64(UnsafeRawBufferPointer($0)) }
    }

    /// Appends the part of a window that has the elements `ranges`, one range a set.
    static func write(
        _ record: Record, _ layout: AggregateLayout, _ ranges: [Range<Int>], isFirst: Bool, into bytes: inout [UInt8]
    ) {
        let key = record.key
        withUnsafeBytes(of: UInt32(key.count)) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: key)
        let begin = bytes.count
        let count = isFirst ? WindowCodec.windowBytes(record, layout) : WindowCodec.spanBytes + layout.payloadBytes
        bytes.append(contentsOf: repeatElement(0, count: count))
        bytes.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            if isFirst {
                _ = WindowCodec.writeWindow(record, layout, to: base + begin)
            } else {
                WindowCodec.writeSpan(record, to: base + begin)
            }
            for (index, range) in zip(layout.distincts, ranges) {
                let state = base + begin + WindowCodec.spanBytes + layout.slots[index].offset
                state.storeBytes(of: UInt32(range.count), toByteOffset: 8, as: UInt32.self)
            }
        }
        for (index, range) in zip(layout.distincts, ranges) {
            let elements = UnsafeRawBufferPointer(layout.distinct(record, index).elements)
            bytes.append(contentsOf: elements[range.lowerBound * 16..<range.upperBound * 16])
        }
    }

    /// How many bytes `write` appends.
    static func bytes(_ record: Record, _ layout: AggregateLayout, _ ranges: [Range<Int>], isFirst: Bool) -> Int {
        let window = isFirst ? WindowCodec.windowBytes(record, layout) : WindowCodec.spanBytes + layout.payloadBytes
        return 4 + Int(record.pointee.keyLength) + window + ranges.reduce(0) { $0 + $1.count } * 16
    }

    /// The windows of a block.
    /// - Parameter definitionHash: of the definition that they have to be of.
    /// - Returns: nil when the bytes are something else.
    static func read(
        _ block: UnsafeRawBufferPointer, _ layout: AggregateLayout, _ kind: WindowDefinition.Kind, definitionHash: UInt64
    ) -> [PartialWindow]? {
        guard block.count >= headBytes, block.loadUnaligned(as: UInt64.self) == definitionHash else { return nil }
        var windows: [PartialWindow] = []
        var offset = headBytes
        func take(_ count: Int) -> UnsafeRawBufferPointer? {
            guard block.count - offset >= count else { return nil }
            defer { offset += count }
            return UnsafeRawBufferPointer(rebasing: block[offset..<offset + count])
        }
        while offset < block.count {
            guard let length = take(4)?.loadUnaligned(as: UInt32.self), let key = take(Int(length)),
                let window = WindowCodec.readWindow(block, at: &offset, layout), isPossible(window, kind),
                let elements = take(layout.distincts.reduce(0) { $0 + window.distinctCount(layout, $1) } * 16)
            else { return nil }
            windows.append(PartialWindow(key: key, window: window, elements: elements))
        }
        return windows
    }

    private static func isPossible(_ window: StoredWindow, _ kind: WindowDefinition.Kind) -> Bool {
        guard window.start < window.end else { return false }
        switch kind {
        case .session: return true
        case .tumbling(let size): return WindowCore.window(of: window.start, size) == (window.start, window.end)
        }
    }
}
