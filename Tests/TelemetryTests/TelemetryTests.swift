import Foundation
import Synchronization
import Telemetry
import Testing

@Test func theSameLabelsGiveTheSameMetric() {
    let metrics = MetricsRegistry()
    metrics.counter("millrace_records_total", help: "Records.", ["job": "a"]).add(2)
    metrics.counter("millrace_records_total", help: "Records.", ["job": "a"]).add(3)
    metrics.counter("millrace_records_total", help: "Records.", ["job": "b \"quoted\"\n"]).add()
    #expect(
        metrics.render() == """
            # HELP millrace_records_total Records.
            # TYPE millrace_records_total counter
            millrace_records_total{job="a"} 5
            millrace_records_total{job="b \\"quoted\\"\\n"} 1

            """)
}

@Test func aHistogramCumulatesItsRanges() {
    let metrics = MetricsRegistry()
    let histogram = metrics.histogram("t_seconds", help: "T.", ["job": "a"], bounds: [0.1, 1])
    for value in [0.05, 0.1, 0.5, 7] { histogram.observe(value) }
    let text = metrics.render()
    #expect(text.contains("t_seconds_bucket{job=\"a\",le=\"0.1\"} 2\n"))
    #expect(text.contains("t_seconds_bucket{job=\"a\",le=\"1\"} 3\n"))
    #expect(text.contains("t_seconds_bucket{job=\"a\",le=\"+Inf\"} 4\n"))
    #expect(text.contains("t_seconds_count{job=\"a\"} 4\n"))
    #expect(histogram.bound(at: 0.5) == 0.1)
    #expect(histogram.bound(at: 0.75) == 1)
    #expect(histogram.bound(at: 1) == .infinity)
}

@Test func aPartitionThatMovedAwayIsNoLongerReported() {
    let metrics = MetricsRegistry()
    metrics.gauge("lag", help: "Lag.", ["job": "a", "partition": "1"]).set(4)
    metrics.gauge("lag", help: "Lag.", ["job": "a", "partition": "11"]).set(5)
    metrics.remove(["job": "a", "partition": "1"])
    #expect(!metrics.render().contains("partition=\"1\""))
    #expect(metrics.render().contains("lag{job=\"a\",partition=\"11\"} 5\n"))
}

@Test func aLogLineIsOneJSONObjectWithTheFieldsInOrder() throws {
    let lines = Mutex<[String]>([])
    let log = Log(write: { line in lines.withLock { $0.append(line) } }).with(["job": "sessions"])
    log.warn("odd \"text\"\n\u{1}", ["task": 3, "ok": .bool(true)])
    log.debug("not shown")
    let line = try #require(lines.withLock { $0.count == 1 ? $0[0] : nil })
    let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    #expect(object["msg"] as? String == "odd \"text\"\n\u{1}")
    #expect(object["level"] as? String == "warn")
    #expect(object["task"] as? Int == 3)
    #expect(line.contains(#""job":"sessions","task":3,"ok":true}"#))
}
