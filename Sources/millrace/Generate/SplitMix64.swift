/// splitmix64 (Steele, Lea, Flood 2014): one addition and three mixes a number.
struct SplitMix64 {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// In [0, bound), for a bound above 0.
    mutating func below(_ bound: Int) -> Int { Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(bound)).high) }

    /// In [0, 1).
    mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }
}
