import Foundation

/// The bids of the Nexmark benchmark (Tucker, Tufte, Papadimos, Maier 2002), with the proportions and the skew of its Beam and Flink generators: of fifty events
/// one is a person, three are auctions and the rest are bids, which are written; half of them go to the latest hot auction and three in four come from the latest hot
/// bidder. The same seed and start give the same bytes.
struct NexmarkBids: RecordStream {
    /// What a record's key is, as text.
    enum Key: String, CaseIterable {
        case auction
        case bidder
    }

    private enum Proportion {
        static let people = 1
        static let auctions = 3
        static let all = 50
    }

    private static let firstID = 1_000
    /// One in so many auctions is hot, and one in so many people.
    private static let hotEvery = 100
    private static let auctionsInFlight = 100
    private static let activePeople = 1_000
    private static let channels = 10_000
    /// Bytes of a bid's values on average, with the filler.
    private static let averageBytes = 100
    private static let hotChannels: [StaticString] = ["Google", "Facebook", "Baidu", "Apple"]

    private var random: SplitMix64
    private let key: Key
    private let start: Int64
    private let span: Double
    private let events: Int
    private var made = 0
    /// The number of the event among those of all kinds.
    private var event = Proportion.people + Proportion.auctions - 1

    /// - Parameters:
    ///   - start: event time of the first bid, milliseconds since 1970 UTC.
    ///   - span: how much event time the bids cover, milliseconds.
    init(seed: UInt64, events: Int, start: Int64, span: Int64, key: Key = .auction) {
        random = SplitMix64(seed: seed)
        self.key = key
        self.start = start
        self.span = Double(span)
        self.events = events
    }

    mutating func next(key: inout [UInt8], value: inout [UInt8]) {
        key.removeAll(keepingCapacity: true)
        value.removeAll(keepingCapacity: true)
        event += 1
        if event % Proportion.all == 0 { event += Proportion.people + Proportion.auctions }
        let time = start + Int64(span * Double(made) / Double(events))
        made += 1

        let auction = Self.firstID + nextAuction()
        let bidder = Self.firstID + nextBidder()
        key.append(self.key == .auction ? auction : bidder)
        value.append("{\"auction\":")
        value.append(auction)
        value.append(",\"bidder\":")
        value.append(bidder)
        value.append(",\"price\":")
        // From 100 to 100,000,000, evenly on a logarithmic scale.
        value.append(Int((pow(10, random.fraction() * 6) * 100).rounded()))
        appendChannel(to: &value)
        value.append(",\"dateTime\":")
        value.append(Int(time))
        value.append(",\"extra\":\"")
        // 32 bytes are the numbers and the channel.
        for _ in 0..<random.below(2 * (Self.averageBytes - 32)) { value.append(UInt8(ascii: "a") + UInt8(random.below(26))) }
        value.append("\"}")
    }

    /// The latest of those that there are `count` of in each fifty events, counted from zero. They come before the bids.
    private func latest(of count: Int) -> Int { (event / Proportion.all + 1) * count - 1 }

    private mutating func nextAuction() -> Int {
        let latest = latest(of: Proportion.auctions)
        if random.below(2) > 0 { return latest / Self.hotEvery * Self.hotEvery }
        let oldest = max(latest - Self.auctionsInFlight, 0)
        return oldest + random.below(latest - oldest + 1)
    }

    private mutating func nextBidder() -> Int {
        let latest = latest(of: Proportion.people)
        if random.below(4) > 0 { return latest / Self.hotEvery * Self.hotEvery + 1 }
        let active = min(latest + 1, Self.activePeople)
        return latest + 1 - active + random.below(active)
    }

    private mutating func appendChannel(to value: inout [UInt8]) {
        value.append(",\"channel\":\"")
        if random.below(2) > 0 {
            let number = random.below(Self.hotChannels.count)
            value.append(Self.hotChannels[number])
            value.append("\",\"url\":\"https://www.nexmark.com/channel/item.htm?query=1&channel_id=")
            value.append(number)
        } else {
            let number = random.below(Self.channels)
            value.append("channel-")
            value.append(number)
            value.append("\",\"url\":\"https://www.nexmark.com/item.htm?query=1&channel_id=")
            value.append(number)
        }
        value.append("\"")
    }
}
