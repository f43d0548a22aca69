import JobFile
import Testing

private func brokers(_ value: String, _ environment: [String: String]) throws -> KafkaPlan.Brokers {
    try plan(job("kafka: {brokers: embedded} ", "kafka: {brokers: \"\(value)\"} "), environment).kafka.brokers
}

@Test func theEnvironmentFillsInValues() throws {
    let environment = ["HOST": "kafka", "PORT": "9092", "EMPTY": "", "TRICK": "${HOST}"]
    #expect(try brokers("${HOST}:${PORT}", environment) == .addresses("kafka:9092"))
    #expect(try brokers("${NONE:-embedded}", environment) == .embedded)
    #expect(try brokers("${EMPTY:-embedded}", environment) == .embedded)
    #expect(try brokers("x${NONE:-}y", environment) == .addresses("xy"))
    #expect(try brokers("${NONE:-a:-b}", environment) == .addresses("a:-b"))
    #expect(try brokers("$${HOST}", environment) == .addresses("${HOST}"))
    #expect(try brokers("$HOST", environment) == .addresses("$HOST"))
    #expect(try brokers("${TRICK}", environment) == .addresses("${HOST}"))
}

@Test func aValueFromTheEnvironmentIsNoYAML() throws {
    #expect(try brokers("${HOST}", ["HOST": "a, properties: {x: y}"]) == .addresses("a, properties: {x: y}"))
    #expect(
        refusals(job("kafka: {brokers: embedded} ", "kafka: {brokers: \"${HOST}\"} "), ["HOST": ""]) == [
            "2:18: expected `brokers`: embedded, or host:port and more of them with commas, found an empty text"
        ])
}

@Test func valuesFromTheEnvironmentAreNotPrinted() {
    #expect(
        refusals(job("topic: clicks\n", "topic: ${SECRET}\n"), ["SECRET": "pass word"]) == [
            "5:12: a value from the environment cannot be a topic: 1 to 249 of A-Z a-z 0-9 . _ -"
        ])
}
