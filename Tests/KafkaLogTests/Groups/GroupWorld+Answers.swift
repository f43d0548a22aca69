import KafkaLogCoordination
import KafkaLogGroups

// What the coordinator does about it, and what may not be in its answers.
extension GroupWorld {
    func perform(_ actions: [GroupAction]) {
        for action in actions {
            switch action {
            case .persist(let records): journal += records
            case .reply(let token, let reply):
                decided(token)
                answer(token, reply)
            case .replyWhenDurable(let token, let reply):
                decided(token)
                held.append((journal.count, token, reply))
            }
        }
        release()
    }

    func decided(_ token: RequestToken) {
        waitingSince[token] = nil
        if !answered.insert(token).inserted { fail("\(token) is answered twice") }
    }

    func sync(to count: Int) {
        durable = max(durable, count)
        release()
    }

    func release() {
        while let first = held.first, first.after <= durable {
            held.removeFirst()
            answer(first.token, first.reply)
        }
    }

    func answer(_ token: RequestToken, _ reply: GroupReply) {
        // A client that has given up has not seen it, but it was sent.
        if case .joinGroup(let result) = reply, result.error == .none,
            let client = clients.first(where: { $0.waiting == token }), let instance = client.instance,
            // An answer that was held back may come behind that of the client that has taken its place since.
            result.generation >= instances[instance]?.generation ?? 0
        {
            instances[instance] = (result.memberID, result.generation)
        }
        guard let index = clients.firstIndex(where: { $0.waiting == token }) else { return }
        clients[index].waiting = nil
        switch reply {
        case .joinGroup(let result):
            switch result.error {
            case .none:
                clients[index].memberID = result.memberID
                clients[index].generation = result.generation
                let members = result.members.map(\.memberID)
                if Set(members).count != members.count { fail("a member is listed twice: \(members)") }
                if result.leaderID == result.memberID && !members.contains(result.memberID) { fail("a leader is told of no members") }
                clients[index].phase = .joined(members: members, skipsAssignment: result.skipAssignment)
            case .memberIDRequired: clients[index].memberID = result.memberID
            default: refused(index, result.error)
            }
        case .syncGroup(let result):
            if result.error == .none { given(index, result.assignment) } else { refused(index, result.error) }
        case .heartbeat(let error):
            if error != .none { refused(index, error) }
        default: fail("unexpected \(reply)")
        }
    }

    func given(_ index: Int, _ assignment: [UInt8]) {
        syncs += 1
        let client = clients[index]
        clients[index].phase = .stable
        stableGeneration = max(stableGeneration, client.generation)
        guard assignment.count == 4 else { return fail("an assignment that nobody made: \(assignment)") }
        let number = assignment.reduce(0) { $0 << 8 | UInt32($1) }
        guard let owner = work[number] else { return fail("an assignment that nobody made: \(assignment)") }
        if owner.generation != client.generation { fail("work of generation \(owner.generation) in \(client.generation)") }
        // A static member takes over from its former self, which has another id, and nobody else does.
        let isFormerSelf = client.instance.map { owner.memberID.hasPrefix($0) } ?? false
        if owner.memberID != client.memberID && !isFormerSelf { fail("\(client.memberID) is given the work of \(owner.memberID)") }
    }

    func refused(_ index: Int, _ error: GroupError) {
        switch error {
        case .rebalanceInProgress:
            clients[index].phase = .out
        case .groupMaxSizeReached where configuration.maximumMembers < 10,
            .unknownMemberID, .illegalGeneration, .fencedInstanceID:
            clients[index] = Client(instance: clients[index].instance)
        default: fail("unexpected \(error)")
        }
    }

    func advance(_ milliseconds: Int64) {
        now.monotonicMilliseconds += milliseconds
        now.wallMilliseconds += milliseconds
        if let deadline = coordinator.nextDeadline, deadline <= now.monotonicMilliseconds { perform(coordinator.tick(now)) }
        for (token, since) in waitingSince where now.monotonicMilliseconds - since >= Int64(rebalanceTimeout) {
            fail("\(token) waits since \(since), it is \(now.monotonicMilliseconds)")
        }
        watch()
        for partition in 0..<4 { check(TopicPartition("t", Int32(partition))) }
    }

    /// Nobody has used the group, and nobody has committed, for the retention time.
    func mayExpire(_ partition: TopicPartition) -> Bool {
        guard wasEmpty, let value = model.committed[partition], !model.pending.values.contains(where: { $0[partition] != nil }) else { return false }
        let used = max(value.sent, emptySince ?? .min)
        return now.wallMilliseconds - max(used, 0) >= configuration.offsetsRetentionMilliseconds
    }

    func check(_ partition: TopicPartition) {
        let plain = coordinator.fetchOffsets(groupID: "g", partitions: [partition], requiresStable: false).partitions[0]
        if plain.offset == nil, mayExpire(partition) {
            expirations += 1
            model.committed[partition] = nil
        }
        if plain.offset?.offset != model.committed[partition]?.offset {
            fail("\(partition) is at \(String(describing: plain.offset)), expected \(String(describing: model.committed[partition]))")
        }
        let stable = coordinator.fetchOffsets(groupID: "g", partitions: [partition], requiresStable: true).partitions[0]
        let isPending = model.pending.values.contains { $0[partition] != nil }
        if (stable.error == .unstableOffsetCommit) != isPending { fail("\(partition) is stable: \(stable.error), pending: \(isPending)") }
    }
}
