import CRdKafka

extension Properties {
    /// Everything a reader needs, ours first so that the user's tuning wins.
    /// - Returns: whether this librdkafka looks by itself, and often, if there is room again for records to fetch.
    func apply(readerOf configuration: ConsumerConfiguration) throws(ConfigurationError) -> Bool {
        try set("group.id", configuration.groupID)
        if let instance = configuration.groupInstanceID { try set("group.instance.id", instance) }
        try set("enable.auto.commit", "false")
        try set("enable.auto.offset.store", "false")
        try set("auto.offset.reset", "error")
        try set("isolation.level", "read_committed")
        try set("partition.assignment.strategy", "cooperative-sticky")
        try set("enable.partition.eof", "true")
        try set("allow.auto.create.topics", "false")
        try set("queued.max.messages.kbytes", String(configuration.prefetchKiB))
        try set("queued.min.messages", "50000")
        try set("fetch.message.max.bytes", String(configuration.fetchBytes))
        // A member hears of a rebalance with its next heartbeat, and a hand-over takes two rebalances.
        try set("heartbeat.interval.ms", configuration.sessionTimeout / 10)
        // A partition that is caught up is waited for by the request that the others' next one has to wait for.
        try set("fetch.wait.max.ms", "100")
        let looksAgainByItself = setIfKnown("fetch.queue.backoff.ms", "5")
        try apply(configuration.client)
        // librdkafka wants max.poll.interval.ms >= session.timeout.ms.
        try set("session.timeout.ms", configuration.sessionTimeout)
        try set("max.poll.interval.ms", max(configuration.rebalanceTimeout, configuration.sessionTimeout))
        rd_kafka_conf_set_events(pointer, RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS)
        return looksAgainByItself
    }
}
