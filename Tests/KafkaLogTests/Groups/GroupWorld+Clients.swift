import KafkaLogCoordination
import KafkaLogGroups

// What clients and operators do.
extension GroupWorld {
    func step() throws {
        steps += 1
        switch Int.random(in: 0..<1_000, using: &random) {
        case 0..<750: act(chance(97) ? Int.random(in: 0..<6, using: &random) : Int.random(in: 6..<8, using: &random))
        case 750..<900: sync(to: chance(70) ? journal.count : Int.random(in: durable...journal.count, using: &random))
        case 900..<985: advance(Int64.random(in: 0..<500, using: &random))
        case 985..<991: advance(Int64.random(in: 0..<15_000, using: &random))
        case 991: advance(chance(10) ? 60_000 : 0)
        case 992: now.wallMilliseconds += Int64.random(in: -20_000..<20_000, using: &random)
        case 993..<996: delete()
        default: try crash()
        }
        watch()
        let partition = TopicPartition("t", Int32.random(in: 0..<4, using: &random))
        check(partition)
    }

    func watch() {
        let isEmpty = [.empty, .dead].contains(coordinator.describe(groupID: "g").state)
        if isEmpty && !wasEmpty { emptySince = now.wallMilliseconds }
        wasEmpty = isEmpty
        // A group of the same name begins anew.
        if coordinator.list().isEmpty {
            stableGeneration = 0
            instances = [:]
        }
    }

    /// Offsets of a partition, or the group with all of them: while it has no members.
    func delete() {
        let partitions = (0..<4).map { TopicPartition("t", $0) }
        let isWhole = chance(30)
        let wanted = isWhole ? partitions : [partitions[Int.random(in: 0..<4, using: &random)]]
        let isEmpty = coordinator.describe(groupID: "g").state == .empty
        let before = journal.count
        nextToken += 1
        let token = RequestToken(nextToken)
        let actions = isWhole ? coordinator.deleteGroups(["g"], token) : coordinator.deleteOffsets(groupID: "g", partitions: wanted, token, now)
        perform(actions)
        var isDone = false
        for action in actions {
            switch action {
            case .replyWhenDurable(_, .deleteGroups(let results)): isDone = results[0].error == .none
            case .replyWhenDurable(_, .offsetDelete(let result)): isDone = result.error == .none && result.partitions[0].error == .none
            default: break
            }
        }
        guard isDone else {
            if isEmpty { fail("an empty group does not let go of its offsets") }
            return
        }
        if isWhole && !isEmpty { fail("a group with members is deleted") }
        deletions += 1
        // In the order of the journal, so that a crash in between is known.
        var index = before
        for partition in wanted {
            if model.committed[partition] != nil {
                record(.delete(partition), at: index)
                index += 1
            }
            for producerID in model.pending.keys.sorted() where model.pending[producerID]?[partition] != nil {
                record(.deletePending(producerID, partition), at: index)
                index += 1
            }
        }
    }

    func act(_ index: Int) {
        let client = clients[index]
        if client.waiting != nil {
            if chance(1) { clients[index] = Client(instance: client.instance) }
            return
        }
        switch client.phase {
        case .out:
            if index < 6 || chance(20) { join(index) }
        case .joined(let members, let skips):
            if chance(3) { return }
            sync(index, skips ? [] : members)
        case .stable:
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<50: heartbeat(index)
            case 50..<70: commit(index, producer: nil)
            case 70..<85: commit(index, producer: Int64(index))
            case 85..<92: complete(Int64(index))
            case 92: join(index)
            case 93: leave(index)
            case 94: clients[index] = Client(instance: client.instance)
            default: break
            }
        }
    }

    func join(_ index: Int) {
        let client = clients[index]
        let version = [3, 4, 9].randomElement(using: &random) ?? 3
        let topics = GroupHarness.subscription(chance(97) ? "t" : "u")
        let request = JoinGroupRequest(
            groupID: "g", memberID: client.memberID, groupInstanceID: client.instance, clientID: "c\(index)", clientHost: "/",
            sessionTimeoutMilliseconds: 10_000, rebalanceTimeoutMilliseconds: rebalanceTimeout, protocolType: "consumer",
            protocols: (chance(20) ? ["sticky", "range"] : ["range"]).map { GroupProtocol(name: $0, metadata: topics) }, requiresKnownMemberID: version >= 4,
            supportsSkippingAssignment: version >= 9)
        ask(index) { coordinator.joinGroup(request, $0, now) }
    }

    func sync(_ index: Int, _ members: [String]) {
        let client = clients[index]
        let assignments = members.map { member in
            let number = UInt32(work.count)
            work[number] = (member, client.generation)
            return (memberID: member, assignment: withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) })
        }
        let request = SyncGroupRequest(
            groupID: "g", generation: client.generation, memberID: client.memberID, groupInstanceID: client.instance,
            assignments: assignments)
        ask(index) { coordinator.syncGroup(request, $0, now) }
    }

    func heartbeat(_ index: Int) {
        let client = clients[index]
        ask(index) {
            coordinator.heartbeat(
                groupID: "g", memberID: client.memberID, groupInstanceID: client.instance, generation: client.generation, $0, now)
        }
    }

    func leave(_ index: Int) {
        let client = clients[index]
        clients[index] = Client(instance: client.instance)
        nextToken += 1
        perform(
            coordinator.leaveGroup(
                groupID: "g",
                [LeavingMember(memberID: client.instance != nil && chance(50) ? "" : client.memberID, groupInstanceID: client.instance)],
                RequestToken(nextToken), now))
    }

    /// Now and then under a generation that is not, or no longer, its own.
    func commit(_ index: Int, producer: Int64?) {
        if let producer, let outcome, outcome.producerID == producer, outcome.journal > durable { return }
        let client = clients[index]
        let generation = chance(10) ? client.generation + Int32.random(in: -2...1, using: &random) : client.generation
        let partitions = (0..<4).filter { _ in Bool.random(using: &random) }.map { TopicPartition("t", $0) }
        order += 1
        let value = Model.Value(order: order, offset: Int64(order), sent: now.wallMilliseconds)
        let request = OffsetCommitRequest(
            groupID: "g", generation: generation, memberID: client.memberID, groupInstanceID: client.instance,
            offsets: partitions.map { OffsetCommitRequest.Offset($0, offset: value.offset) })
        nextToken += 1
        let token = RequestToken(nextToken)
        let before = journal.count
        let actions = producer.map { coordinator.commitTransactionOffsets(request, producerID: $0, token, now) }
            ?? coordinator.commitOffsets(request, token, now)
        perform(actions)
        var results: [PartitionResult] = []
        for action in actions {
            switch action {
            case .reply(token, .offsetCommit(let all)), .reply(token, .transactionOffsetCommit(let all)),
                .replyWhenDurable(token, .offsetCommit(let all)), .replyWhenDurable(token, .transactionOffsetCommit(let all)):
                results = all
            default: break
            }
        }
        guard !partitions.isEmpty else { return }
        guard results.allSatisfy({ $0.error == .none }) else {
            refusals += 1
            return
        }
        commits += 1
        for case .reply(token, _) in actions { fail("a commit is answered before it is durable") }
        if generation < stableGeneration { fail("generation \(generation) commits after \(stableGeneration) got its work") }
        if generation != client.generation { fail("client \(index) commits for generation \(generation), it is in \(client.generation)") }
        if let instance = client.instance, let holder = instances[instance], holder.memberID != client.memberID { fail("a fenced \(instance) commits") }
        for (number, partition) in partitions.enumerated() {
            record(producer.map { .pending($0, partition, value) } ?? .commit(partition, value), at: before + number)
        }
    }

    func record(_ change: Change, at index: Int) {
        model.apply(change)
        changes.append((index, change))
    }

    /// The outcome of a transaction. It was durable, and with it what was persisted before.
    func complete(_ producerID: Int64) {
        sync(to: journal.count)
        let commit = chance(60)
        completions += 1
        perform(coordinator.completeTransaction(producerID: producerID, commit: commit, groups: ["g"]))
        record(.complete(producerID, commit: commit), at: -1)
        outcome = (producerID, commit, journal.count)
    }

    func ask(_ index: Int, _ request: (RequestToken) -> [GroupAction]) {
        nextToken += 1
        let token = RequestToken(nextToken)
        clients[index].waiting = token
        waitingSince[token] = now.monotonicMilliseconds
        perform(request(token))
    }
}
