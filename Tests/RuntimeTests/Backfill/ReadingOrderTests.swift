import KafkaClient
import Runtime
import Testing

@Suite struct ReadingOrderTests {
    private static func partition(_ number: Int32) -> TopicPartition { TopicPartition("clicks", number) }

    @Test func `each worker has one partition at a time, and the next before that is over`() {
        var order = ReadingOrder(workers: 2, records: 4_000_000)
        var left: [TopicPartition: Int64] = [:]
        for number in 0..<4 as Range<Int32> {
            left[Self.partition(number)] = 1_000_000
            order.add(Self.partition(number), worker: Int(number) % 2)
        }
        #expect(order.next { left[$0]! } == [Self.partition(0), Self.partition(1)])
        #expect(order.next { left[$0]! } == [])
        left[Self.partition(0)] = order.recordsAhead
        #expect(order.next { left[$0]! } == [])
        left[Self.partition(0)] = order.recordsAhead - 1
        #expect(order.next { left[$0]! } == [Self.partition(2)])
        #expect(order.next { left[$0]! } == [])
        order.remove(Self.partition(0))
        #expect(order.next { left[$0]! } == [])
        #expect(order.next(times: 1_000) { left[$0]! } == [Self.partition(3)])
    }

    @Test func `of small partitions as many as there is to read ahead, and of those at their ends all`() {
        var order = ReadingOrder(workers: 1, records: 1_600)
        for number in 0..<160 as Range<Int32> { order.add(Self.partition(number), worker: 0) }
        #expect(order.recordsAhead == 100)
        #expect(order.next { _ in 10 } == (0..<10).map(Self.partition))
        #expect(order.next { _ in 0 }.count == 150)
    }

    @Test func `what is taken away is not begun`() {
        var order = ReadingOrder(workers: 1, records: 0)
        order.add(Self.partition(0), worker: 0)
        order.add(Self.partition(1), worker: 0)
        order.remove(Self.partition(0))
        #expect(order.next { _ in 5 } == [Self.partition(1)])
    }
}
