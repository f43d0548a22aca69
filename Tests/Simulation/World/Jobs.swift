import JobFile

// The jobs that are simulated.
extension World {
    /// Everything happens in the task of the partition.
    static let plan = parse(
        """
        \(source)
          sessions:
            from: wanted
            group_by: [user]
            window: {session: {gap: 10s}}
            aggregate: {events: count(), total: sum(amount)}
        sinks:
          sessions_topic: {from: sessions, kafka: {topic: sessions, key: user, format: json}}
          sessions_files: {from: sessions, parquet: {path: /simulated/lake, roll: {every: 1s}}}
        dead_letter: {topic: dead}
        """)

    /// Rows change partition on the way: as partial windows to one, as rows to the other.
    static let shuffledPlan = parse(
        """
        \(source)
          kinds:
            from: unique
            group_by: [skip]
            window: {tumbling: {size: 10s}}
            aggregate: {events: count(), total: sum(amount)}
          by_amount: {from: wanted, rekey: {by: amount, partitions: 2}}
          amounts:
            from: by_amount
            group_by: [amount]
            window: {session: {gap: 10s}}
            aggregate: {events: count(), total: sum(amount)}
        sinks:
          kinds_topic: {from: kinds, kafka: {topic: kinds, format: json}}
          amounts_topic: {from: amounts, kafka: {topic: amounts, format: json}}
          amounts_files: {from: amounts, parquet: {path: /simulated/lake, roll: {every: 1s}}}
        dead_letter: {topic: dead}
        """)

    private static let source = """
        job: simulation
        kafka: {brokers: "nowhere:1"}
        sources:
          clicks:
            topic: clicks
            format: json
            key: user
            fields: {id: string, user: string, ts: timestamp_ms, skip: bool, amount: int64}
            event_time: {field: ts, out_of_orderness: 5s}
            start: earliest
        transforms:
          unique: {from: clicks, dedupe: {by: id, within: 24h}}
          wanted: {from: unique, where: not skip}
        """

    private static func parse(_ text: String) -> JobPlan {
        do {
            return try JobPlan.parse(text, file: "simulation.yaml", environment: [:])
        } catch {
            fatalError("\(error)")
        }
    }
}
