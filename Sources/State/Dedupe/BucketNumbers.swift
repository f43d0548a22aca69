/// Small numbers for the buckets of time that ids are remembered in: an id's place in memory has room for no more.
struct BucketNumbers {
    private static let limit = 1 << 16

    /// By number.
    private var buckets: [Int64] = []
    private var numbers: [Int64: UInt16] = [:]
    private var unused: [UInt16] = []
    private var last: (bucket: Int64, number: UInt16)?

    /// The bucket that has the number.
    @inline(__always)
    subscript(number: UInt16) -> Int64 { buckets[Int(number)] }

    /// The bucket's number, from now on; nil when there is none left.
    @inline(__always)
    mutating func number(of bucket: Int64) -> UInt16? {
        if let last, last.bucket == bucket { return last.number }
        return lookUp(bucket)
    }

    private mutating func lookUp(_ bucket: Int64) -> UInt16? {
        let number: UInt16
        if let known = numbers[bucket] {
            number = known
        } else if let free = unused.popLast() {
            number = free
            buckets[Int(free)] = bucket
        } else if buckets.count < Self.limit {
            number = UInt16(buckets.count)
            buckets.append(bucket)
        } else {
            return nil
        }
        numbers[bucket] = number
        last = (bucket, number)
        return number
    }

    /// No id is in a bucket before `oldest` any more.
    mutating func release(before oldest: Int64) {
        for (bucket, number) in numbers where bucket < oldest { unused.append(number) }
        numbers = numbers.filter { $0.key >= oldest }
        last = nil
    }
}
