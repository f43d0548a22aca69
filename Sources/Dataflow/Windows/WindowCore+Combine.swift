import Batch
import State

// Two windows become one: sessions that meet, or what two tasks have folded of a window.
extension WindowCore {
    /// Adds the state of `right` to that of `left`, which of two sessions is the earlier. `right` keeps nothing that must not be freed.
    mutating func combine(_ right: Record, into left: Record) {
        keepLargerSets(left, right)
        let presence = AggregateLayout.presenceOffset
        for index in 0..<layout.slots.count {
            let slot = layout.slots[index]
            switch slot.function {
            case .count: addCounts(left, right, slot.offset)
            case .avg:
                addSums(left, right, slot)
                addCounts(left, right, slot.offset + (slot.storage == .double ? 8 : 16))
            case .countDistinct:
                layout.distinct(left, index).formUnion(layout.distinct(right, index), &table.pieces)
            case .sum, .min, .max, .first, .last:
                let leftWord = left.payload.load(fromByteOffset: presence, as: UInt64.self)
                guard right.payload.load(fromByteOffset: presence, as: UInt64.self) & slot.presence != 0 else { continue }
                let isAlone = leftWord & slot.presence == 0
                left.payload.storeBytes(of: leftWord | slot.presence, toByteOffset: presence, as: UInt64.self)
                if slot.function == .sum {
                    addSums(left, right, slot)
                } else if isAlone || isBetter(right, left, slot, index) {
                    replace(left, right, slot, index)
                }
            }
        }
    }

    /// The cost of a union follows the smaller side: lets the one with more elements stay, with its uid.
    private func keepLargerSets(_ left: Record, _ right: Record) {
        guard layout.uidOffset != nil else { return }
        let elements = layout.distincts.reduce(into: (left: 0, right: 0)) {
            $0.left += layout.distinct(left, $1).count
            $0.right += layout.distinct(right, $1).count
        }
        guard elements.right > elements.left else { return }
        for index in layout.distincts { layout.distinct(left, index).swap(with: layout.distinct(right, index)) }
        let uid = layout.uid(left)
        layout.setUid(left, layout.uid(right))
        layout.setUid(right, uid)
    }

    private func addCounts(_ left: Record, _ right: Record, _ offset: Int) {
        (left.payload + offset).assumingMemoryBound(to: Int64.self).pointee &+= right.payload.load(
            fromByteOffset: offset, as: Int64.self)
    }

    private func addSums(_ left: Record, _ right: Record, _ slot: AggregateSlot) {
        if slot.storage == .double {
            (left.payload + slot.offset).assumingMemoryBound(to: Double.self).pointee += right.payload.load(
                fromByteOffset: slot.offset, as: Double.self)
        } else {
            let sum = addSaturating(
                left.payload.loadUnaligned(fromByteOffset: slot.offset, as: Int128.self),
                right.payload.loadUnaligned(fromByteOffset: slot.offset, as: Int128.self))
            left.payload.storeBytes(of: sum, toByteOffset: slot.offset, as: Int128.self)
        }
    }

    /// Whether the right one's value takes the left one's place; both have one.
    private func isBetter(_ right: Record, _ left: Record, _ slot: AggregateSlot, _ index: Int) -> Bool {
        switch slot.function {
        case .min: isLess(right, left, slot, index)
        case .max: isLess(left, right, slot, index)
        case .first: time(right, slot) < time(left, slot)
        case .last: time(right, slot) >= time(left, slot)
        case .count, .sum, .avg, .countDistinct: false
        }
    }

    private func time(_ record: Record, _ slot: AggregateSlot) -> Int64 {
        TimedWord(bits: record.payload.load(fromByteOffset: slot.offset, as: Int64.self)).time
    }

    private func isLess(_ one: Record, _ other: Record, _ slot: AggregateSlot, _ index: Int) -> Bool {
        func values<Value: BitwiseCopyable>(_ type: Value.Type) -> (Value, Value) {
            (
                one.payload.loadUnaligned(fromByteOffset: slot.offset, as: type),
                other.payload.loadUnaligned(fromByteOffset: slot.offset, as: type)
            )
        }
        switch slot.storage {
        case .integer: return values(Int64.self).0 < values(Int64.self).1
        case .double: return Dataflow.isLess(values(Double.self).0, values(Double.self).1)
        case .decimal: return values(Int128.self).0 < values(Int128.self).1
        case .bool: return values(UInt8.self).0 < values(UInt8.self).1
        case .string: return StringState.isLess(layout.string(one, index).bytes, layout.string(other, index).bytes)
        case .none: return false
        }
    }

    private mutating func replace(_ left: Record, _ right: Record, _ slot: AggregateSlot, _ index: Int) {
        let isTimed = slot.isByTime
        if isTimed { (left.payload + slot.offset).copyMemory(from: right.payload + slot.offset, byteCount: 8) }
        if slot.storage == .string {
            layout.string(left, index).take(layout.string(right, index), &table.pieces)
            return
        }
        let offset = slot.offset + (isTimed ? 8 : 0)
        (left.payload + offset).copyMemory(from: right.payload + offset, byteCount: slot.storage == .decimal ? 16 : 8)
    }
}
