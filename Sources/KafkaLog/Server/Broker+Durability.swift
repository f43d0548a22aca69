import KafkaLogCoordination
import KafkaLogGroups
import KafkaLogProtocol
import KafkaLogStorage
import KafkaLogTransactions

/// What waits for the coordinators' journal to be on disk.
enum DurableAction {
    case groupReply(RequestToken, GroupReply)
    case transactionReply(RequestToken, TransactionReply)
    case offsetFetch(Reply<OffsetFetchRequest>, OffsetFetchResponse)
    case writeMarkers(TransactionMarkers)
    /// The group part of a transaction's markers.
    case markersOfGroups(PendingMarkers)
}

/// Carries out what the coordinators ask for. Both share one journal, which keeps the order of their entries: what one of
/// them relies on is durable before it.
extension Broker {
    static let journalName = "coordinators"

    /// Opens the journal and gives its entries to the coordinators that own them.
    static func restoreCoordinators(
        _ directory: LogDirectory, _ configuration: LogServerConfiguration
    ) throws(LogServerError) -> (GroupCoordinator, TransactionCoordinator, Journal) {
        let groups = GroupCoordinator(configuration: configuration.groups)
        let transactions = TransactionCoordinator(configuration: configuration.transactions)
        var failure: CoordinatorRecordError?
        let journal: Journal
        do throws(StorageError) {
            journal = try directory.journal(journalName) { entry in
                guard failure == nil else { return }
                let record = CoordinatorRecord(key: entry.key, value: entry.value)
                do throws(CoordinatorRecordError) {
                    if TransactionCoordinator.owns(record) { try transactions.restore(record) } else { try groups.restore(record) }
                } catch {
                    failure = error
                }
            }
        } catch {
            throw .storage(error.message)
        }
        if let failure { throw .coordinatorState(failure.description) }
        return (groups, transactions, journal)
    }

    /// Takes up what the last process left undone. Once, before the first request.
    func startCoordinators() {
        limitCoordinators()
        perform(groups.start(coordinatorTime))
        perform(transactions.start(coordinatorTime))
        // Offsets of transactions that nobody will end.
        for (groupID, producerID) in groups.pendingProducers() where !transactions.knows(producerID: producerID, groupID: groupID) {
            perform(groups.completeTransaction(producerID: producerID, commit: false, groups: [groupID]))
        }
    }

    var coordinatorTime: CoordinatorTime {
        let now = clock.now
        return CoordinatorTime(monotonicMilliseconds: now, wallMilliseconds: now)
    }

    var coordinatorDeadline: Int64? {
        switch (groups.nextDeadline, transactions.nextDeadline) {
        case (let a?, let b?): min(a, b)
        case (let a, let b): a ?? b
        }
    }

    func tickCoordinators(now: Int64) {
        let time = CoordinatorTime(monotonicMilliseconds: now, wallMilliseconds: now)
        perform(groups.tick(time))
        perform(transactions.tick(time))
    }

    func perform(_ actions: [GroupAction]) {
        for action in actions {
            switch action {
            case .persist(let records): persist(records)
            case .reply(let token, let reply): answer(token, reply)
            case .replyWhenDurable(let token, let reply): whenDurable(.groupReply(token, reply))
            }
        }
    }

    func perform(_ actions: [TransactionAction]) {
        for action in actions {
            switch action {
            case .persist(let records): persist(records)
            case .reply(let token, let reply): answer(token, reply)
            case .replyWhenDurable(let token, let reply): whenDurable(.transactionReply(token, reply))
            case .writeMarkers(let markers): whenDurable(.writeMarkers(markers))
            }
        }
    }

    private func persist(_ records: [CoordinatorRecord]) {
        guard storageFailure == nil else { return }
        persistence.add(records)
        // One that waits for room holds back those after it: the journal keeps their order.
        if persistence.waiting.count == 1 { writeJournal() }
    }

    /// Appends what waits. Without room on the disk it is tried again until there is; the requests wait as long.
    func writeJournal() {
        guard storageFailure == nil else { return }
        while let records = persistence.waiting.first {
            do throws(StorageError) {
                let sequence = try journal.append(records.map { JournalEntry(key: $0.key, value: $0.value) })
                persistence.didAppend(as: sequence)
                lookForSpace()
                syncJournalSoon()
                limitCoordinators()
            } catch {
                if directory.failure != nil { return stopAcknowledging(error) }
                if persistence.obstacle == nil {
                    if error.isOutOfSpace { noteOutOfSpace(error.message) }
                    configuration.log(LogEvent(.error, "the coordinators' journal cannot be written; it is tried again", ["reason": error.message]))
                }
                persistence.obstacle = error.message
                timers.add(.journal, at: clock.now + Broker.journalRetryMilliseconds)
                return
            }
        }
    }

    /// What the coordinators keep is in memory and in the journal for as long as clients like.
    func limitCoordinators() {
        let isFull = journal.liveBytes > Int64(configuration.limits.coordinatorBytes)
        guard isFull != groups.isFull else { return }
        groups.isFull = isFull
        transactions.isFull = isFull
        guard isFull else { return }
        configuration.log(
            LogEvent(
                .warning, "groups, their offsets and transactional ids take all the room they may; new ones are refused",
                ["bytes": "\(journal.liveBytes)"]))
    }

    /// What somebody waits for goes to disk at the end of the turn, the rest with what comes next, or a little later: a sync of its own
    /// for the end of a transaction would be in the way of the next one.
    private func syncJournalSoon() {
        if case .commit = configuration.fsync, whenDurable.isEmpty {
            guard !isJournalSyncPlanned else { return }
            isJournalSyncPlanned = true
            timers.add(.journalSync, at: clock.now + Broker.journalSyncMilliseconds)
        } else {
            hasUnflushedStorage = true
        }
    }

    func syncJournal() {
        isJournalSyncPlanned = false
        hasUnflushedStorage = true
    }

    private static var journalSyncMilliseconds: Int64 { 100 }

    private static var journalRetryMilliseconds: Int64 { 500 }

    func whenDurable(_ action: DurableAction) {
        guard storageFailure == nil else { return fail(action) }
        if whenDurable.isEmpty, persistence.durable(journal.durableSequence) >= persistence.last {
            run(action)
        } else {
            whenDurable.append((persistence.last, action))
            hasUnflushedStorage = true
        }
    }

    /// Runs, in order, what waited for as much of the journal as is durable now.
    func runDurableActions() {
        while let first = whenDurable.first, first.number <= persistence.durable(journal.durableSequence) {
            whenDurable.removeFirst()
            run(first.action)
        }
    }

    private func run(_ action: DurableAction) {
        switch action {
        case .groupReply(let token, let reply): answer(token, reply)
        case .transactionReply(let token, let reply): answer(token, reply)
        case .offsetFetch(let reply, let response): answer(reply, response)
        case .writeMarkers(let markers): writeMarkers(markers)
        case .markersOfGroups(let pending):
            pending.waitsForGroups = false
            completeMarkers(pending)
        }
    }

    /// The journal will not become durable any more.
    func failDurableActions() {
        let waiting = whenDurable
        whenDurable = []
        for item in waiting { fail(item.action) }
        let replies = coordinatorReplies
        for token in replies.keys { fail(token) }
    }

    private func fail(_ action: DurableAction) {
        switch action {
        case .groupReply(let token, _), .transactionReply(let token, _): fail(token)
        case .offsetFetch(let reply, _): close(reply.connection, reason: Broker.cannotBecomeDurable)
        case .writeMarkers, .markersOfGroups: break
        }
    }

    /// The client shall come again: to this broker after its restart.
    private func fail(_ token: RequestToken) {
        guard let reply = coordinatorReplies.removeValue(forKey: token) else { return }
        close(reply.connection, reason: Broker.cannotBecomeDurable)
    }

    private static var cannotBecomeDurable: String { "the log directory is offline, its request cannot be made durable" }
}
