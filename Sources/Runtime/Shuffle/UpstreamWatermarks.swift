import Batch

/// What a task below a shuffle knows of the tasks above it. Its own watermark is the smallest of theirs: none while one of them has
/// not been heard of.
package struct UpstreamWatermarks {
    private var watermarks: [Int64] = []

    package init() {}

    /// As `entries(of:)` gave them.
    package init(_ entries: [String: Int64], of topic: String) {
        let prefix = topic + "<"
        for (key, watermark) in entries where key.hasPrefix(prefix) {
            guard let upstream = Int(key.dropFirst(prefix.count)), upstream >= 0, upstream < ShuffleBlock.upstreamsMax else { continue }
            grow(to: upstream + 1)
            watermarks[upstream] = watermark
        }
    }

    /// For the delta's header: `<topic><<upstream partition>`. `<` is in no topic's name.
    package func entries(of topic: String) -> [String: Int64] {
        Dictionary(uniqueKeysWithValues: watermarks.enumerated().map { ("\(topic)<\($0.offset)", $0.element) })
    }

    /// A task above says how far it is. One that started over may say less than before; it has not changed its mind.
    package mutating func note(_ block: ShuffleBlock) {
        grow(to: Int(block.upstreams))
        watermarks[Int(block.upstream)] = max(watermarks[Int(block.upstream)], block.watermark)
    }

    package var smallest: Int64 { watermarks.min() ?? EventTimeRange.noWatermark }

    /// A topic's partitions become more, never fewer.
    private mutating func grow(to count: Int) {
        guard count > watermarks.count else { return }
        watermarks += repeatElement(EventTimeRange.noWatermark, count: count - watermarks.count)
    }
}
