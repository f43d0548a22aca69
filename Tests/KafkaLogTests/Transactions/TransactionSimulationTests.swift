import Foundation
import KafkaLogCoordination
import KafkaLogTransactions
import Seeded
import Testing

/// Producers, zombies, partitions, a journal that is synced now and then, crashes: at any step, with any prefix of what was
/// not synced; epochs that come to their end, idle ids that are forgotten, a wall clock that jumps. The partitions are a model of
/// their own: they know what was written and asked for, not what the coordinator thinks.
///
/// `MILLRACE_SIMULATION_STEPS` says how many steps there are in all, `MILLRACE_SIMULATION_SEED` where the seeds begin.
///
/// Each of these was put into the coordinator and found: markers written before the decision is durable; EndTxn answered before
/// the markers; a time-out that aborts without a new epoch; a restart that does not write the markers of prepared transactions again;
/// InitProducerId answered before its epoch is durable; a producer id block that is not restored; `verify` that does not look at the
/// epoch; the last epoch given out instead of a new producer id; idle ids forgotten while they are prepared.
struct TransactionSimulationTests {
    private static let steps = environment("MILLRACE_SIMULATION_STEPS") ?? 3_000_000
    private static let seed = UInt64(environment("MILLRACE_SIMULATION_SEED") ?? 0x7a_0000)
    private static let stepsPerWorld = 75_000

    private static func environment(_ name: String) -> Int? { ProcessInfo.processInfo.environment[name].flatMap { Int($0) } }

    @Test func everyTransactionHasOneOutcomeWhateverHappens() throws {
        for number in 0..<UInt64(max(1, Self.steps / Self.stepsPerWorld)) {
            let seed = Self.seed + number
            let world = World(seed: seed)
            for _ in 0..<Self.stepsPerWorld {
                try world.step()
                if !world.failures.isEmpty { break }
            }
            if world.failures.isEmpty { try world.settle() }
            try #require(world.failures.isEmpty, "seed \(seed), step \(world.steps): \(world.failures)")
            #expect(
                world.committed > 500 && world.aborted > 500 && world.crashes > 100 && world.fenced > 500 && world.renewed > 3,
                "seed \(seed): \(world.counts)")
        }
    }

    @Test func whenTheProducerIDsAreUsedUpNobodyGetsAnother() throws {
        let coordinator = TransactionCoordinator(configuration: TransactionConfiguration())
        let block = CoordinatorRecord(
            key: [CoordinatorRecordKind.producerIDBlock.rawValue], value: [1] + withUnsafeBytes(of: (Int64.max - 1_500).bigEndian) { [UInt8]($0) })
        try coordinator.restore(block)
        let now = CoordinatorTime(monotonicMilliseconds: 0, wallMilliseconds: 0)
        _ = coordinator.start(now)
        var given: [Int64] = []
        for number in 0..<3_000 as Range<UInt64> {
            let request = InitProducerIDRequest(transactionalID: nil, timeoutMilliseconds: 1, current: nil)
            for case .replyWhenDurable(_, .initProducerID(let result)) in coordinator.initProducerID(request, RequestToken(number), now) {
                if result.error == .none { given.append(result.producer.producerID) } else { #expect(result.error == .coordinatorNotAvailable) }
            }
        }
        // A block that does not fit is not begun.
        #expect(given == Array(Int64.max - 1_500..<Int64.max - 500))
    }
}

private final class World {
    /// A record that a producer wrote, and what became of it.
    struct Write {
        var client: Int
        var transaction: Int
        var isCommitted: Bool?
    }

    /// What of a producer is open in a partition or pending in a group.
    struct Open {
        var epoch: Int16
        var writes: [Int]
    }

    enum Place: Hashable {
        case partition(TopicPartition)
        case group(String)
    }

    enum Waiting {
        case initialise
        case add(Place)
        case end(commit: Bool)
    }

    struct Client {
        var id: String
        var producer: ProducerIDAndEpoch?
        /// Numbers its transactions.
        var transaction = 0
        var places: [Place] = []
        var writes: [Int] = []
        var waiting: (token: RequestToken, kind: Waiting)?
        /// It never got an answer to its EndTxn: it asks again, or has itself initialised, but writes no more.
        var unknownEnd: Bool?

        mutating func giveUpWaiting() {
            if case .end(let commit) = waiting?.kind { unknownEnd = commit }
            waiting = nil
        }
    }

    enum Held {
        case reply(RequestToken, TransactionReply)
        case markers(TransactionMarkers)
    }

    var random: SplitMix64
    var coordinator: TransactionCoordinator
    var now = CoordinatorTime(monotonicMilliseconds: 0, wallMilliseconds: 1_700_000_000_000)
    var journal: [CoordinatorRecord] = []
    var durable = 0
    var held: [(after: Int, what: Held)] = []
    /// Markers that are being written: some places may have theirs.
    var writing: [(markers: TransactionMarkers, left: [Place])] = []
    var open: [Place: [Int64: Open]] = [:]
    var writes: [Write] = []
    var clients: [Client]
    var answered: Set<RequestToken> = []
    /// The largest producer that InitProducerId gave out, by transactional id, in the order of giving.
    var latest: [String: [ProducerIDAndEpoch]] = [:]
    var nextToken: UInt64 = 0
    var restartedAt: Int64 = 0
    var failures: [String] = []
    var steps = 0, committed = 0, aborted = 0, crashes = 0, fenced = 0, renewed = 0
    var counts: String {
        "\(committed) committed, \(aborted) aborted, \(crashes) crashes, \(fenced) fenced, \(renewed) new producer ids for old transactional ids"
    }

    /// The transactional id that an InitProducerId was for, nil for an idempotent producer.
    var asked: [RequestToken: String?] = [:]
    /// Who got each producer id.
    var owners: [Int64: String?] = [:]
    /// Since when a transactional id has been seen with its transaction ongoing, on the monotonic clock.
    var ongoingSince: [String: Int64] = [:]

    let timeout: Int32 = 10_000
    let configuration: TransactionConfiguration

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        var configuration = TransactionConfiguration()
        configuration.producerIDBlockSize = 3
        configuration.transactionalIDExpirationMilliseconds = 60_000
        configuration.expirationCheckIntervalMilliseconds = 5_000
        self.configuration = configuration
        coordinator = TransactionCoordinator(configuration: configuration)
        clients = (0..<6).map { Client(id: "tx\($0 % 3)") }
        perform(coordinator.start(now))
    }

    func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    func fail(_ message: String) { failures.append(message) }

    // MARK: Steps

    func step() throws {
        steps += 1
        switch Int.random(in: 0..<1_000, using: &random) {
        case 0..<600: act(chance(90) ? Int.random(in: 0..<3, using: &random) : Int.random(in: 3..<clients.count, using: &random))
        case 600..<750: sync(to: chance(50) ? journal.count : Int.random(in: durable...journal.count, using: &random))
        case 750..<900: writeOneMarker()
        case 900..<980: advance(Int64.random(in: 0..<200, using: &random))
        case 980..<992: advance(Int64.random(in: 0..<8_000, using: &random))
        case 992: advance(chance(10) ? 70_000 : 0)
        case 993: now.wallMilliseconds += Int64.random(in: -100_000..<100_000, using: &random)
        case 994..<997: idempotentProducer()
        default: try crash()
        }
        watch()
    }

    private func watch() {
        let ongoing = Set(coordinator.list().filter { $0.state == .ongoing }.map(\.transactionalID))
        ongoingSince = ongoingSince.filter { ongoing.contains($0.key) }
        for id in ongoing where ongoingSince[id] == nil { ongoingSince[id] = now.monotonicMilliseconds }
    }

    private func idempotentProducer() {
        nextToken += 1
        let token = RequestToken(nextToken)
        asked[token] = .some(nil)
        perform(coordinator.initProducerID(InitProducerIDRequest(transactionalID: nil, timeoutMilliseconds: 0, current: nil), token, now))
    }

    private func act(_ index: Int) {
        let client = clients[index]
        if client.waiting != nil {
            // It gives up waiting now and then, and does not know what became of it.
            if chance(2) { clients[index].giveUpWaiting() }
            // A batch that was on its way when the end was asked for.
            if chance(10), let producer = client.producer, case .end = client.waiting?.kind { write(index, producer) }
            return
        }
        guard let producer = client.producer else {
            if index < 3 || chance(5) { initialise(index, current: nil) }
            return
        }
        switch Int.random(in: 0..<100, using: &random) {
        case 0: initialise(index, current: nil)
        case 1..<5: initialise(index, current: producer)
        case 5..<80 where client.unknownEnd != nil: break
        case 5..<30:
            let partition = TopicPartition("t", Int32.random(in: 0..<4, using: &random))
            ask(index, .add(.partition(partition))) {
                coordinator.addPartitions(transactionalID: client.id, producer: producer, partitions: [partition], $0, now)
            }
        case 30..<40:
            let group = "g\(Int.random(in: 0..<2, using: &random))"
            ask(index, .add(.group(group))) {
                coordinator.addOffsets(transactionalID: client.id, producer: producer, groupID: group, $0, now)
            }
        case 40..<80: write(index, producer)
        default:
            let commit = client.unknownEnd ?? chance(60)
            ask(index, .end(commit: commit)) {
                coordinator.endTransaction(transactionalID: client.id, producer: producer, commit: commit, $0, now)
            }
        }
    }

    private func initialise(_ index: Int, current: ProducerIDAndEpoch?) {
        let request = InitProducerIDRequest(
            transactionalID: clients[index].id, timeoutMilliseconds: timeout, current: current)
        ask(index, .initialise) {
            asked[$0] = request.transactionalID
            return coordinator.initProducerID(request, $0, now)
        }
    }

    private func ask(_ index: Int, _ kind: Waiting, _ request: (RequestToken) -> [TransactionAction]) {
        nextToken += 1
        let token = RequestToken(nextToken)
        clients[index].waiting = (token, kind)
        perform(request(token))
    }

    /// A client writes to a place that it was told is part of its transaction. A zombie does so too, and so does one whose
    /// transaction has ended without its knowing.
    private func write(_ index: Int, _ producer: ProducerIDAndEpoch) {
        let client = clients[index]
        guard let place = client.places.randomElement(using: &random) else { return }
        do throws(TransactionError) {
            switch place {
            case .partition(let partition): try coordinator.verify(producer, partition)
            case .group(let group): try coordinator.verify(producer, groupID: group)
            }
        } catch {
            fenced += 1
            return
        }
        if latest[client.id]?.last != producer { fail("a fenced producer \(producer) may write to \(place)") }
        if let there = open[place]?[producer.producerID] {
            let other = writes[there.writes[0]]
            if other.client != index || other.transaction != client.transaction {
                fail("client \(index) writes into a transaction that is not its own")
            }
        }
        writes.append(Write(client: index, transaction: client.transaction))
        clients[index].writes.append(writes.count - 1)
        open[place, default: [:]][producer.producerID, default: Open(epoch: producer.epoch, writes: [])].writes.append(writes.count - 1)
    }

    // MARK: Actions

    private func perform(_ actions: [TransactionAction]) {
        for action in actions {
            switch action {
            case .persist(let records): journal += records
            case .reply(let token, let reply): answer(token, reply)
            case .replyWhenDurable(let token, let reply): held.append((journal.count, .reply(token, reply)))
            case .writeMarkers(let markers): held.append((journal.count, .markers(markers)))
            }
        }
        release()
    }

    private func sync(to count: Int) {
        durable = max(durable, count)
        release()
    }

    private func release() {
        while let first = held.first, first.after <= durable {
            held.removeFirst()
            switch first.what {
            case .reply(let token, let reply): answer(token, reply)
            case .markers(let markers):
                writing.append((markers, markers.partitions.map(Place.partition) + markers.groups.map(Place.group)))
            }
        }
    }

    private func writeOneMarker() {
        guard !writing.isEmpty else { return }
        let index = Int.random(in: 0..<writing.count, using: &random)
        guard let place = writing[index].left.popLast() else {
            let markers = writing.remove(at: index).markers
            perform(coordinator.markersWritten(markers.producer, now))
            return
        }
        let markers = writing[index].markers
        end(place, producerID: markers.producer.producerID, epoch: markers.producer.epoch, commit: markers.commit)
    }

    private func end(_ place: Place, producerID: Int64, epoch: Int16, commit: Bool) {
        guard let there = open[place]?[producerID], there.epoch <= epoch else { return }
        open[place]?[producerID] = nil
        for write in there.writes { writes[write].isCommitted = commit }
        if commit { committed += 1 } else { aborted += 1 }
    }

    private func answer(_ token: RequestToken, _ reply: TransactionReply) {
        if !answered.insert(token).inserted { fail("\(token) is answered twice") }
        guard let index = clients.firstIndex(where: { $0.waiting?.token == token }), let waiting = clients[index].waiting else {
            if case .initProducerID(let result) = reply, result.error == .none { given(result.producer, nil, token) }
            return
        }
        clients[index].waiting = nil
        switch (waiting.kind, reply) {
        case (.initialise, .initProducerID(let result)):
            if result.error == .none {
                given(result.producer, index, token)
                checkOutcome(index, expected: nil)
                begin(index)
                clients[index].producer = result.producer
            } else if result.error == .producerFenced {
                die(index)
            } else if result.error != .concurrentTransactions {
                fail("InitProducerId: \(result.error)")
            }
        case (.add(let place), .addPartitions(let error)), (.add(let place), .addOffsets(let error)):
            if error == .none { clients[index].places.append(place) } else { refused(index, error) }
        case (.end(let commit), .endTransaction(let error)):
            if error == .none {
                checkOutcome(index, expected: commit)
                begin(index)
            } else {
                refused(index, error)
            }
        default:
            fail("\(waiting.kind) is answered with \(reply)")
        }
    }

    /// A producer was given out: nobody else may have it, and it is newer than all before.
    private func given(_ producer: ProducerIDAndEpoch, _ index: Int?, _ token: RequestToken) {
        guard let asker = asked.removeValue(forKey: token) else { return fail("nobody asked for \(producer)") }
        if let owner = owners[producer.producerID], asker == nil || owner != asker {
            fail("\(producer) is given to \(asker ?? "an idempotent producer"), \(owner ?? "an idempotent producer") has it")
        }
        owners[producer.producerID] = .some(asker)
        if producer.epoch == .max { fail("\(producer) has the last epoch: nobody could fence it") }
        guard let id = asker else { return }
        if let last = latest[id]?.last, last.producerID != producer.producerID { renewed += 1 }
        if let last = latest[id]?.last, last != producer {
            let isNewer = last.producerID == producer.producerID ? last.epoch < producer.epoch : last.producerID < producer.producerID
            // An answer that was held back may come after a newer one was asked for, never after it was given.
            if !isNewer { fail("\(producer) is given out after \(last)") }
        }
        for (other, client) in clients.enumerated() where other != index && client.producer == producer && client.id == id {
            fail("\(producer) is given to clients \(other) and \(index ?? -1)")
        }
        latest[id, default: []].append(producer)
    }

    private func refused(_ index: Int, _ error: TransactionError) {
        switch error {
        case .concurrentTransactions: break
        case .producerFenced, .invalidProducerIDMapping:
            fenced += 1
            die(index)
        case .invalidTransactionState:
            // The end of a transaction that never began, or had ended without its knowing.
            begin(index)
        default: fail("unexpected \(error)")
        }
    }

    private func die(_ index: Int) {
        begin(index)
        clients[index].producer = nil
    }

    private func begin(_ index: Int) {
        clients[index].transaction += 1
        clients[index].places = []
        clients[index].writes = []
        clients[index].unknownEnd = nil
    }

    /// What the client wrote in its transaction has ended, all of it in one way; with `expected`, in that way.
    private func checkOutcome(_ index: Int, expected: Bool?) {
        let outcomes = Set(clients[index].writes.map { writes[$0].isCommitted })
        if outcomes.contains(nil) { fail("client \(index) is told that its transaction is over, and something of it is open") }
        if outcomes.count > 1 { fail("client \(index)'s transaction is committed in part") }
        if let expected, outcomes.contains(!expected) { fail("client \(index) is told commit \(expected), and it is not so") }
    }

    private func advance(_ milliseconds: Int64) {
        now.monotonicMilliseconds += milliseconds
        now.wallMilliseconds += milliseconds
        if let deadline = coordinator.nextDeadline, deadline <= now.monotonicMilliseconds { perform(coordinator.tick(now)) }
        for transaction in coordinator.list() where transaction.state == .ongoing {
            let since = max(ongoingSince[transaction.transactionalID] ?? now.monotonicMilliseconds, restartedAt)
            if now.monotonicMilliseconds - since >= Int64(timeout) { fail("\(transaction) is past its time-out") }
        }
    }

    // MARK: Crash and settle

    private func crash() throws {
        crashes += 1
        let found = Int.random(in: durable...journal.count, using: &random)
        journal.removeSubrange(found...)
        // The journal is rewritten now and then: the newest entry of each key, in the order of their writing.
        if chance(30) {
            var seen: Set<[UInt8]> = []
            journal = journal.reversed().filter { seen.insert($0.key).inserted && $0.value != nil }.reversed()
        }
        if chance(20) { age() }
        durable = journal.count
        held = []
        writing = []
        asked = [:]
        for index in clients.indices {
            clients[index].giveUpWaiting()
            // Some processes die with it.
            if chance(20) { die(index) }
        }
        coordinator = TransactionCoordinator(configuration: configuration)
        for record in journal { try coordinator.restore(record) }
        restartedAt = now.monotonicMilliseconds
        perform(coordinator.start(now))
        for (place, producers) in open {
            for producerID in producers.keys {
                let isKnown = switch place {
                case .partition(let partition): coordinator.knows(producerID: producerID, partition)
                case .group(let group): coordinator.knows(producerID: producerID, groupID: group)
                }
                if !isKnown { fail("a transaction is open in \(place) that the coordinator has forgotten") }
            }
        }
    }

    /// Nobody has used up 32,767 epochs in a test's time: some idle id does so at once. Its producer is fenced, as if another had come
    /// again and again. In an entry the epoch is at byte 17, the state (0 empty, 4 and 5 complete) at byte 25.
    private func age() {
        var last: [[UInt8]: Int] = [:]
        for (index, record) in journal.enumerated() where record.key.first == CoordinatorRecordKind.transaction.rawValue { last[record.key] = index }
        for index in last.values.sorted() {
            guard let value = journal[index].value, [0, 4, 5].contains(value[25]), chance(50) else { continue }
            let epoch = Int16(value[17]) << 8 | Int16(value[18])
            let later = max(epoch, Int16.random(in: .max - 4 ... .max - 1, using: &random))
            journal[index].value?[17] = UInt8(later >> 8)
            journal[index].value?[18] = UInt8(later & 0xff)
        }
    }

    /// The clients are gone. Everything that is open must end by itself.
    func settle() throws {
        for _ in 0..<5 {
            sync(to: journal.count)
            while !writing.isEmpty {
                writeOneMarker()
                sync(to: journal.count)
            }
            advance(Int64(timeout))
        }
        for (place, producers) in open where !producers.isEmpty { fail("\(place) has open transactions: \(producers)") }
        for index in clients.indices where clients[index].waiting != nil { fail("client \(index) waits for ever") }
        var outcomes: [[Int]: Bool] = [:]
        for write in writes {
            guard let isCommitted = write.isCommitted else { return fail("a write has no outcome") }
            if outcomes.updateValue(isCommitted, forKey: [write.client, write.transaction]) == !isCommitted {
                fail("a transaction is committed in part")
            }
        }
    }
}
