/// A synthetic clickstream: visits of users with a power-law skew, a few purchases, some events twice, all somewhat out of
/// order. The same seed and start give the same bytes.
struct Clickstream: RecordStream {
    static let duplicatePercent = 2
    /// Out of order by up to this either way.
    static let jitterMilliseconds = 20_000
    private static let recentMax = 512

    /// What a record's key is: all records with it are in one partition.
    enum Key: String, CaseIterable {
        case user
        case page
    }

    private var random: SplitMix64
    private let key: Key
    private let users: Int
    private let hotPercent: Int
    private let start: Int64
    private let span: Double
    private let events: Int
    private var made = 0
    private var recent: [(key: [UInt8], value: [UInt8])] = []

    /// - Parameters:
    ///   - start: event time of the first event, milliseconds since 1970 UTC.
    ///   - span: how much event time the events cover, milliseconds.
    ///   - hotPercent: of the events are the first user's, beside its share of the rest.
    init(seed: UInt64, events: Int, users: Int, start: Int64, span: Int64, key: Key = .user, hotPercent: Int = 0) {
        random = SplitMix64(seed: seed)
        self.key = key
        self.hotPercent = hotPercent
        self.events = events
        self.users = users
        self.start = start
        self.span = Double(span)
        recent.reserveCapacity(Self.recentMax)
    }

    mutating func next(key: inout [UInt8], value: inout [UInt8]) {
        key.removeAll(keepingCapacity: true)
        value.removeAll(keepingCapacity: true)
        made += 1
        if random.below(100) < Self.duplicatePercent, !recent.isEmpty {
            let twice = recent[random.below(recent.count)]
            key += twice.key
            value += twice.value
            return
        }
        let fraction = random.fraction()
        var user = min(users - 1, Int(Double(users) * fraction * fraction))
        if hotPercent > 0, random.below(100) < hotPercent { user = 0 }

        let progress = Int64(span * Double(made) / Double(events))
        let time = start + progress + Int64(random.below(2 * Self.jitterMilliseconds)) - Int64(Self.jitterMilliseconds)
        value.append("{\"event_id\":\"")
        value.appendHexadecimal(random.next())
        value.appendHexadecimal(random.next())
        value.append("\",\"user_id\":\"")
        let userStart = value.count
        value.append("user-")
        value.append(user, width: 7)
        if self.key == .user { key += value[userStart...] }
        value.append("\",\"ts\":")
        value.append(Int(time))
        let kind = random.below(100)
        value.append(",\"event_type\":\"")
        value.append(text: kind < 70 ? "view" : kind < 92 ? "click" : kind < 97 ? "add_to_cart" : "purchase")
        value.append("\",\"url\":\"")
        let pageStart = value.count
        value.append("/shop/category-")
        value.append(random.below(40))
        value.append("/item-")
        value.append(random.below(5_000))
        if self.key == .page { key += value[pageStart...] }
        value.append("\",\"amount\":")
        if kind >= 97 {
            value.append(1 + random.below(400))
            value.append(".")
            value.append(random.below(100), width: 2)
        } else {
            value.append("null")
        }
        value.append(",\"device\":{\"os\":\"")
        value.append(text: ["android", "ios", "windows", "macos", "linux"][random.below(5)])
        value.append("\",\"browser\":\"")
        value.append(text: ["chrome", "safari", "firefox"][random.below(3)])
        value.append("\"},\"referrer\":\"/campaign/")
        value.append(random.below(1_000))
        value.append("\"}")
        if recent.count < Self.recentMax {
            recent.append((key, value))
        } else if made % 16 == 0 {
            // Every sixteenth is enough to draw duplicates from, and copying each would cost more than making it.
            recent[made / 16 % Self.recentMax] = (key, value)
        }
    }
}
