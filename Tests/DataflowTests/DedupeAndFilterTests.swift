import Batch
import Dataflow
import State
import Testing

@Test func theGreatestFateOfARowCounts() {
    var fates = RowFates(rowCount: 2)
    fates.raise(0, to: .aggregated)
    fates.raise(0, to: .filtered)
    fates.raise(1, to: .duplicate)
    #expect(fates[0] == .aggregated)
    #expect(fates.count(.duplicate) == 1)
    #expect([RowFate.pending, .filtered, .duplicate, .aggregated, .late] == [.late, .aggregated, .duplicate, .filtered, .pending].sorted())
}

@Test func fingerprintsTellDefinitionsApart() {
    let base = definition(.session(gap: 100, max: nil))
    var others = [definition(.session(gap: 101, max: nil)), definition(.session(gap: 100, max: 100)), definition(.tumbling(size: 100))]
    var fewer = base
    fewer.aggregates.removeLast()
    var swapped = base
    swapped.aggregates.swapAt(0, 1)
    var keyed = base
    keyed.groupBy = [TestColumn.text]
    others += [fewer, swapped, keyed]
    #expect(Set((others + [base]).map(\.fingerprint)).count == others.count + 1)
    var renamed = base
    renamed.name = "other"
    renamed.allowedLateness = 5
    #expect(renamed.fingerprint == base.fingerprint)
}
