import JobFile
import Testing

@Test func allMistakesAreReportedAtOnceAndNoneTwice() {
    let text = """
        job: two words
        kafka: {broker: embedded}
        sources:
          clicks:
            topic: clicks
            key: user_id
            fields:
              user_id: string
              ts: timestamp_ms
              amount: decimla(12,2)
              url: string
            event_time: {field: tss, out_of_orderness: 1x}
        transforms:
          cheap: {from: clicks, where: amount < 10 and url = 3}
          big: {from: clicks, where: amuont > 10}
          sums:
            from: big
            group_by: user_id
            window: {session: {gap: 30m}}
            aggregate: {n: coutn(), total: sum(amount), most: max(total)}
          more: {from: sums, where: n > 3 and total > 2 and user = 'x'}
        sinks:
          a: {from: more, kafka: {topic: out, key: most}}
          b: {from: chaep, kafka: {topic: out}}
        """
    #expect(
        refusals(text) == [
            "1:6: `two words` cannot be a job's name: 1 to 100 of A-Z a-z 0-9 . _ -, since it names a consumer group, topics and files",
            "2:9: unknown key `broker`; did you mean `brokers`?",
            "10:15: unknown type `decimla(12,2)`; did you mean `decimal(p,s)`?",
            "12:25: unknown column `tss`; did you mean `ts`?",
            "12:48: expected `out_of_orderness` as a duration such as 250ms, 30s, 5m, 24h or 7d, found `1x`",
            "20:20: unknown aggregate `coutn`; did you mean `count`?",
            "20:59: unknown column `total`; columns are user_id, ts, url",
            "24:13: `from` names `chaep`, which is no source or transform; did you mean `cheap`?",
            "24:35: the sinks `a` and `b` both write to topic `out`",
        ])
}

@Test func aColumnOfUnknownTypeCausesNoFurtherErrors() {
    let text = job("amount: decimal(12,2)?", "amount: decimal(120,2)?")
        .replacing("dedupe: {by: event_id, within: 24h}", with: "where: amount > 'x' and amuont > 1")
    #expect(refusals(text) == ["14:15: the precision of a decimal is 1 to 38, not 120"])
}

@Test func aTransformWithoutReaderIsRefused() {
    #expect(
        refusals(
            sessionsJob.replacing("  sessions_topic: {from: sessions,", with: "  sessions_topic: {from: unique,").replacing(
                "    from: sessions\n", with: "    from: unique\n"
            ).replacing("[date(window_start)]", with: "[date(ts)]")) == [
                "23:3: nothing reads the transform `sessions`: it leads to no sink"
            ])
    #expect(
        refusals(job("sources:\n", "sources:\n  extra: {topic: e, fields: {t: timestamp}, event_time: {field: t, out_of_orderness: 1s}}\n"))
            == [
                "4:3: nothing reads the source `extra`"
            ])
}

@Test func twoSourcesMayNotReadOneTopic() {
    let extra = "sources:\n  extra: {topic: clicks, fields: {t: timestamp}, event_time: {field: t, out_of_orderness: 1s}}\n"
    let text = job("sources:\n", extra) + "\n"  // The new sink goes before the dead letters.
    let withSink = text.replacing("dead_letter:", with: "  extra: {from: extra, kafka: {topic: extra}}\ndead_letter:")
    #expect(refusals(withSink) == ["6:12: the sources `extra` and `clicks` both read `clicks`; let transforms share one source"])
}

@Test func aCircleOfTransformsIsPrintedOnceFromItsFirstMember() {
    let text = job(
        "    dedupe: {by: event_id, within: 24h}",
        "    dedupe: {by: event_id, within: 24h}\n  a: {from: c, where: x = 1}\n  b: {from: a, where: true}\n  c: {from: b, where: true}\n  d: {from: c, where: nonsense}"
    )
    .replacing("from: sessions, kafka", with: "from: d, kafka").replacing("from: clicks\n    dedupe", with: "from: d\n    dedupe")
    #expect(
        refusals(text) == [
            "23:13: the transforms run in a circle: a -> b -> c -> a"
        ])
}

@Test func emptyFilesAndPartsAreRefused() {
    #expect(refusals("") == ["1:1: the file is empty"])
    #expect(refusals("# nothing\n") == ["1:1: the file is empty"])
    #expect(refusals("just text") == ["1:1: expected a job file as a mapping, found `just text`"])
    #expect(
        refusals("job: a\nkafka: {brokers: embedded}\nsources: {}\nsinks: {}\n") == [
            "3:10: a job has at least one source", "4:8: a job has at least one sink",
        ])
    #expect(
        refusals("job: a\n") == [
            "1:1: a job file has no `kafka`", "1:1: a job file has no `sources`", "1:1: a job file has no `sinks`",
        ])
}

@Test func aPropertyThatCorrectnessRestsOnIsRefusedWithTheReason() {
    let text = job("kafka: {brokers: embedded} ", "kafka: {brokers: embedded, properties: {acks: 1, linger.ms: 5}} ")
    let error = #expect(throws: JobFileError.self) {
        try JobPlan.parse(text, file: "job.yaml", environment: [:], reservedProperties: ["acks": "exactly-once output rests on it"])
    }
    #expect(error?.description == "job.yaml:2:41: `acks` cannot be set: exactly-once output rests on it")
    #expect(refusals(text) == [])
}
