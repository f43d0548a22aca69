import Seeded

/// Something that goes wrong at one of the calls by which the engine reaches the world.
struct Fault: Equatable, Sendable {
    enum Kind: UInt8, CaseIterable, Sendable {
        /// The process dies before the call took effect, or after it.
        case crashBefore, crashAfter
        /// The whole process stands still while the others go on: before the effect or after it.
        case freezeBefore, freezeAfter
        /// The call takes long; heartbeats and workers go on.
        case slowBefore, slowAfter
        /// The call fails without an effect.
        case refuse
        /// The call takes effect and says it did not, or nothing.
        case loseReply
        /// A request is on its way for longer than its sender waits, and arrives later. Other calls lose their reply.
        case delay
        /// Nothing that the instance asks of anybody succeeds for a while.
        case outage
    }

    /// Calls to let pass before it.
    var gap: Int
    var kind: Kind
    /// How long, how far the clock jumps.
    var detail: UInt8
    var place = Place.anywhere

    /// Which calls count for a fault and may be struck by it.
    enum Place: Sendable {
        case anywhere
        /// Those that commit and that stage and publish files.
        case finale
        /// Those that bring a home up to date.
        case maintenance
    }
}

/// A record of a source partition.
struct SourceRecord: Equatable, Sendable {
    var id: Int
    var user: Int
    /// Milliseconds since 1970.
    var time: Int64
    /// Kafka's timestamp, milliseconds since 1970.
    var written: Int64
    var isSkipped: Bool
    var amount: Int
    /// Offsets between the one before and this that hold no record: markers of transactions.
    var holes: Int
    var flaw: Flaw?

    enum Flaw: Sendable {
        case noJSON
        case noUser
        case noKey
    }
}

/// Everything that a run depends on. The same schedule gives the same run, to the byte.
struct Schedule: Equatable, Sendable {
    var instances: Int
    var workers: Int
    /// By partition.
    var records: [[SourceRecord]]
    /// Who does what next; when they are over, everybody in turn.
    var steps: [UInt16]
    var faults: [Fault]
    /// A snapshot after so many deltas: then homes are real RocksDB databases.
    var deltasMax: Int
    /// Before everything comes to rest all instances die; where homes are real, their disks are lost.
    var endsInPowerCut: Bool
    /// Before this step everything is stopped, and starts again from a savepoint; nil: never. Only where homes are real.
    var startsOverAt: Int?

    /// The job whose rows change partition.
    var isShuffled: Bool

    var hasHomes: Bool { deltasMax < 1_000 }

    /// One of so many.
    static let shuffledEvery: UInt64 = 5

    /// Homes take most of the time of a run that has them.
    static let homesEvery: UInt64 = 100

    /// - Parameters:
    ///   - hasHomes: nil leaves it to the seed.
    ///   - startsOver: nil leaves it to the seed; true goes with `hasHomes`.
    init(seed: UInt64, hasHomes: Bool? = nil, startsOver: Bool? = nil) {
        var random = SplitMix64(seed: seed)
        let hasHomes = hasHomes ?? (seed % Schedule.homesEvery == 0)
        let partitions = 1 + random.below(3)
        instances = [1, 2, 2, 3][random.below(4)]
        workers = 1 + random.below(2)
        records = (0..<partitions).map { Schedule.records(of: $0, partitions, atLeast: hasHomes ? 30 : 5, &random) }
        let stepCount = (hasHomes ? 60 : 20) + random.below(100)
        steps = (0..<stepCount).map { _ in UInt16(truncatingIfNeeded: random.next()) }
        faults = (0..<random.below(9)).map { _ in
            var fault = Fault(
                gap: random.below([3, 15, 60][random.below(3)]), kind: Fault.Kind.allCases[random.below(Fault.Kind.allCases.count)],
                detail: UInt8(truncatingIfNeeded: random.next()))
            if hasHomes, random.below(4) > 0 {
                fault.place = .maintenance
            } else if random.below(4) == 0 {
                fault.place = .finale
                fault.gap %= 8
            }
            return fault
        }
        endsInPowerCut = hasHomes || random.below(3) == 0
        deltasMax = hasHomes ? 2 : 1_000
        isShuffled = seed % Schedule.shuffledEvery == 1 && startsOver != true
        if hasHomes, !isShuffled, startsOver ?? (random.below(2) == 0) { startsOverAt = stepCount / 3 + random.below(stepCount * 2 / 3) }
    }

    private static func records(of partition: Int, _ partitions: Int, atLeast least: Int, _ random: inout SplitMix64) -> [SourceRecord] {
        var now: Int64 = 1_700_000_000_000
        var records: [SourceRecord] = []
        for number in 0..<(least + random.below(25)) {
            now += Int64(random.below(random.below(8) == 0 ? 25_000 : 5_000))
            var record = SourceRecord(
                id: partition * 1_000 + number, user: partition + partitions * random.below(3), time: now - Int64(random.below(4_000)),
                written: now, isSkipped: random.below(8) == 0, amount: random.below(100), holes: random.below(6) == 0 ? 1 : 0, flaw: nil)
            switch random.below(20) {
            case 0: record.flaw = [.noJSON, .noUser, .noKey][random.below(3)]
            case 1: record.time -= 60_000
            case 2: record.written = record.time - 2 * 3_600_000
            case 3, 4: if let earlier = records.randomElement(using: &random) { record.id = earlier.id }
            default: break
            }
            records.append(record)
        }
        return records
    }
}
