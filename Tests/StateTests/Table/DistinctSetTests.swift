import Batch
import State
import Testing

@Test func aDistinctSetCountsLikeASetAndKeepsTheOrderOfInsertion() {
    var pieces = ByteArena()
    let state = UnsafeMutableRawPointer.allocate(byteCount: DistinctSet.stateBytes, alignment: 8)
    defer { state.deallocate() }
    state.initializeMemory(as: UInt8.self, repeating: 0, count: DistinctSet.stateBytes)
    let set = DistinctSet(state)
    var model: Set<Hash128> = []
    var order: [Hash128] = []
    for value in 0..<5000 as Range<UInt64> {
        // Every third comes again, and the low words collide.
        let hash = Hash128(low: value % 3 == 0 ? value / 2 : value % 50, high: value % 3 == 0 ? 0 : value)
        let isNew = model.insert(hash).inserted
        if isNew { order.append(hash) }
        #expect(set.insert(hash, &pieces) == isNew)
        #expect(set.count == model.count)
    }
    #expect(Array(set.elements) == order)
    set.release(&pieces)
    #expect(set.count == 0)
    #expect(pieces.bytes == 0)
}
