import Foundation

/// A synthetic clickstream: visits of users with a power-law skew, a few purchases, some events twice, all somewhat out of
/// order. The same seed and start give the same bytes.
struct Clickstream {
    /// splitmix64 (Steele, Lea, Flood 2014): one addition and three mixes a number.
    struct Random {
        private var state: UInt64

        init(seed: UInt64) { state = seed }

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
            return z ^ z >> 31
        }

        mutating func below(_ bound: Int) -> Int { Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(bound)).high) }

        /// In [0, 1).
        mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }
    }

    static let duplicatePercent = 2
    /// Out of order by up to this either way.
    static let jitterMilliseconds = 20_000
    private static let recentMax = 512

    /// What a record's key is: all records with it are in one partition.
    enum Key: String, CaseIterable {
        case user
        case page
    }

    private var random: Random
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
        random = Random(seed: seed)
        self.key = key
        self.hotPercent = hotPercent
        self.events = events
        self.users = users
        self.start = start
        self.span = Double(span)
        recent.reserveCapacity(Self.recentMax)
    }

    /// Puts the next event's key and value into the arrays, which are emptied first.
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
        append("{\"event_id\":\"", to: &value)
        appendHexadecimal(random.next(), to: &value)
        appendHexadecimal(random.next(), to: &value)
        append("\",\"user_id\":\"", to: &value)
        let userStart = value.count
        append("user-", to: &value)
        append(user, width: 7, to: &value)
        if self.key == .user { key += value[userStart...] }
        append("\",\"ts\":", to: &value)
        append(Int(time), width: 1, to: &value)
        let kind = random.below(100)
        append(",\"event_type\":\"", to: &value)
        append(kind < 70 ? "view" : kind < 92 ? "click" : kind < 97 ? "add_to_cart" : "purchase", to: &value)
        append("\",\"url\":\"", to: &value)
        let pageStart = value.count
        append("/shop/category-", to: &value)
        append(random.below(40), width: 1, to: &value)
        append("/item-", to: &value)
        append(random.below(5_000), width: 1, to: &value)
        if self.key == .page { key += value[pageStart...] }
        append("\",\"amount\":", to: &value)
        if kind >= 97 {
            append(1 + random.below(400), width: 1, to: &value)
            append(".", to: &value)
            append(random.below(100), width: 2, to: &value)
        } else {
            append("null", to: &value)
        }
        append(",\"device\":{\"os\":\"", to: &value)
        append(["android", "ios", "windows", "macos", "linux"][random.below(5)], to: &value)
        append("\",\"browser\":\"", to: &value)
        append(["chrome", "safari", "firefox"][random.below(3)], to: &value)
        append("\"},\"referrer\":\"/campaign/", to: &value)
        append(random.below(1_000), width: 1, to: &value)
        append("\"}", to: &value)
        if recent.count < Self.recentMax {
            recent.append((key, value))
        } else if made % 16 == 0 {
            // Every sixteenth is enough to draw duplicates from, and copying each would cost more than making it.
            recent[made / 16 % Self.recentMax] = (key, value)
        }
    }

    private func append(_ text: StaticString, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private func append(_ text: String, to bytes: inout [UInt8]) { bytes.append(contentsOf: text.utf8) }

    private func append(_ number: Int, width: Int, to bytes: inout [UInt8]) {
        var digits: InlineArray<20, UInt8> = .init(repeating: 0)
        var count = 0
        var rest = max(0, number)
        repeat {
            digits[count] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
            count += 1
        } while rest > 0 || count < width
        while count > 0 {
            count -= 1
            bytes.append(digits[count])
        }
    }

    private func appendHexadecimal(_ number: UInt64, to bytes: inout [UInt8]) {
        for shift in stride(from: 60, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: number >> UInt64(shift)) & 15
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}
