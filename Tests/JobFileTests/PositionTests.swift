import JobFile
import Testing

/// The example with a filter written as `condition`, which begins in line 22.
private func withCondition(_ condition: String) -> String {
    job("    dedupe: {by: event_id, within: 24h}", "    where: \(condition)")
}

@Test func theOffendingWordIsPointedAtHoweverTheExpressionIsQuoted() {
    let message = "unknown column `amonut`; did you mean `amount`?"
    #expect(refusals(withCondition("url = 'a' and amonut > 1")) == ["22:26: \(message)"])
    #expect(refusals(withCondition("'url = ''a'' and amonut > 1'")) == ["22:29: \(message)"])
    #expect(refusals(withCondition("\"url = 'a' and amonut > 1\"")) == ["22:27: \(message)"])
    #expect(refusals(withCondition("'url = ''ä€😀'' and amonut > 1'")) == ["22:31: \(message)"])
}

@Test func theOffendingWordIsPointedAtOverSeveralLines() {
    let message = "unknown column `amonut`; did you mean `amount`?"
    #expect(refusals(withCondition("|\n      url = 'a'\n        and amonut > 1")) == ["24:13: \(message)"])
    #expect(refusals(withCondition(">- # folded\n      url = 'a'\n      and\n\n      amonut > 1")) == ["26:7: \(message)"])
    #expect(refusals(withCondition("url = 'a'\n      and amonut > 1")) == ["23:11: \(message)"])
    #expect(refusals(withCondition("'url = ''a''\n      and amonut > 1'")) == ["23:11: \(message)"])
}

@Test func anEscapedExpressionIsPointedAtAsAWhole() {
    #expect(
        refusals(withCondition(#""url = '\u0061' and amonut > 1""#)) == ["22:12: unknown column `amonut`; did you mean `amount`?"])
}

@Test func theEndOfAnExpressionIsAPlaceToo() {
    #expect(refusals(withCondition("url =")) == ["22:17: expected a value, found the end"])
    #expect(refusals(withCondition("'url ='")) == ["22:18: expected a value, found the end"])
}

@Test func placesAfterAValueFromTheEnvironmentAreThoseOfTheFile() {
    let environment = ["MIN": "1000000", "NAME": "amonut"]
    let text = withCondition("'amount > ${MIN} and amonut > 1'")
    #expect(refusals(text, environment) == ["22:33: unknown column `amonut`; did you mean `amount`?"])
    #expect(
        refusals(withCondition("amount > 3 and ${NAME} > 1"), environment) == ["22:27: unknown column `amonut`; did you mean `amount`?"])
    #expect(
        refusals(withCondition("'amount > ${MINI}'"), environment) == [
            "22:22: the environment has no variable `MINI` (there is `MIN`); set it or write ${MINI:-default}"
        ])
}

@Test func linesEndAsTheyDoInYAML() {
    #expect(
        refusals(sessionsJob.replacing("\n", with: "\r\n").replacing("format: json\r\n", with: "format: xml\r\n"))
            == ["6:13: expected `format`: json, found `xml`"])
    #expect(refusals("\u{FEFF}" + job("    format: json", "    format: xml")) == ["6:13: expected `format`: json, found `xml`"])
}

@Test func aFileThatIsNotUTF8SaysWhere() {
    var bytes = Array(sessionsJob.utf8)
    bytes.insert(0xFF, at: "job: clickstream-sessions\nkafka".utf8.count)
    let error = #expect(throws: JobFileError.self) { try JobPlan.parse(bytes, file: "job.yaml", environment: [:]) }
    #expect(error?.description == "job.yaml:2:6: the file is not UTF-8 here")
}
