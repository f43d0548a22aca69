import KafkaClient
import Runtime
import Seeded
import Testing

@Suite struct PlacementTests {
    private func partitions(_ range: Range<Int32>) -> [TopicPartition] { range.map { TopicPartition("t", $0) } }

    @Test func aHotPartitionHasAWorkerToItself() {
        var placement = Placement(workers: 2)
        placement.records = [TopicPartition("t", 0): 100, TopicPartition("t", 1): 100, TopicPartition("t", 2): 500, TopicPartition("t", 3): 100]
        let places = placement.place(partitions(0..<4), beside: [])
        #expect(Set(partitions(0..<4).filter { places[$0] == places[TopicPartition("t", 2)] }) == [TopicPartition("t", 2)])
    }

    /// With a partition's number alone all even ones would be one worker's.
    @Test func whatTheGroupGivesIsSpreadWhateverTheNumbersAre() {
        let placement = Placement(workers: 2)
        let places = placement.place([0, 2, 4, 6].map { TopicPartition("t", $0) }, beside: [])
        #expect(places.values.filter { $0 == 0 }.count == 2)
        #expect(places.values.filter { $0 == 1 }.count == 2)
    }

    @Test func whatComesLaterGoesWhereThereIsRoom() {
        var placement = Placement(workers: 3)
        placement.records = Dictionary(uniqueKeysWithValues: partitions(0..<4).map { ($0, 10) })
        let taken = [(partition: TopicPartition("t", 0), worker: 0), (partition: TopicPartition("t", 1), worker: 2)]
        #expect(placement.place([TopicPartition("t", 3)], beside: taken) == [TopicPartition("t", 3): 1])
    }

    @Test func theHeaviestWorkerHasAtMostOneTaskMoreThanTheAverage() {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SplitMix64(seed: seed)
        for _ in 0..<200 {
            var placement = Placement(workers: Int.random(in: 1...5, using: &random))
            let all = partitions(0..<Int32.random(in: 1...30, using: &random))
            for partition in all { placement.records[partition] = Int64.random(in: 0...1_000, using: &random) }
            let places = placement.place(all, beside: [])
            #expect(places.count == all.count && places.values.allSatisfy { (0..<placement.workers).contains($0) }, "seed \(seed)")
            var loads = [Int64](repeating: 0, count: placement.workers)
            for partition in all { loads[places[partition] ?? 0] += (placement.records[partition] ?? 0) + 1 }
            let weights = all.map { (placement.records[$0] ?? 0) + 1 }
            let average = weights.reduce(0, +) / Int64(placement.workers)
            #expect((loads.max() ?? 0) <= average + (weights.max() ?? 0), "seed \(seed)")
        }
    }
}
