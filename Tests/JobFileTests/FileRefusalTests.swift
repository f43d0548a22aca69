import JobFile
import Testing

@Test(arguments: yamlAndTheTopOfTheFile)
func aMistakeInTheFileItselfIsRefusedAtItsPlace(_ refusal: Refusal) {
    #expect(refusals(job(refusal.old, refusal.new)) == refusal.messages)
}

private let yamlAndTheTopOfTheFile: [Refusal] = [
    Refusal(
        "job: clickstream-sessions", "job: click stream",
        "1:6: `click stream` cannot be a job's name: 1 to 100 of A-Z a-z 0-9 . _ -, since it names a consumer group, topics and files"),
    Refusal(
        "job: clickstream-sessions", "jobb: clickstream-sessions",
        "1:1: unknown key `jobb`; did you mean `job`?"),
    Refusal(
        "job: clickstream-sessions", "job: [a]",
        "1:6: expected the name of the job, found a list"),
    Refusal(
        "job: clickstream-sessions", "job: ''",
        "1:6: expected the name of the job, found an empty text"),
    Refusal(
        "job: clickstream-sessions", "job:",
        "1:5: expected the name of the job, found nothing"),
    Refusal(
        "kafka: {brokers: embedded} ", "kafka: {broker: embedded} ",
        "2:9: unknown key `broker`; did you mean `brokers`?"),
    Refusal(
        "kafka: {brokers: embedded} ", "kafka: embedded ",
        "2:8: expected `kafka` as a mapping, found `embedded`"),
    Refusal(
        "kafka: {brokers: embedded} ", "kafka: {brokers: \"${BROKERS}\"} ",
        "2:19: the environment has no variable `BROKERS`; set it or write ${BROKERS:-default}"),
    Refusal(
        "kafka: {brokers: embedded} ", "kafka: {brokers: \"${KAFKA-BROKERS}\"} ",
        "2:19: `${KAFKA-BROKERS}` is no reference to the environment; write ${NAME} or ${NAME:-default}"),
    Refusal(
        "kafka: {brokers: embedded} ", "kafka: {brokers: \"${BROKERS\"} ",
        "2:19: `${` has no closing `}`; write `$${` for the characters themselves"),
    Refusal(
        "kafka: {brokers: embedded} ", "kafka: {brokers: embedded, properties: {bootstrap.servers: x}} ",
        "2:41: `bootstrap.servers` cannot be set here; write `brokers`"),
    Refusal(
        "kafka: {brokers: embedded} ", "kafka: &k {brokers: embedded} ",
        "2:8: the anchor `&k`: anchors and aliases are not allowed, write the value out"),
    Refusal(
        "kafka: {brokers: embedded} ", "kafka: *k ",
        "2:8: the alias `*k`: anchors and aliases are not allowed, write the value out"),
    Refusal(
        "kafka: {brokers: embedded} ", "kafka: !!map {brokers: embedded} ",
        "2:8: the tag `!!map`: tags are not allowed, the place of a value says its type"),
    Refusal(
        "kafka: {brokers: embedded} ", "kafka: {brokers: embedded, brokers: embedded} ",
        "2:28: `brokers` is there twice; it stood in line 2 already"),
    Refusal(
        "kafka: {brokers: embedded} ", "kafka: {brokers: embedded",
        "3:1: this is no YAML: did not find expected ',' or '}', while parsing a flow mapping at line 2"),
    Refusal(
        "kafka: {brokers: embedded} ", "kafka: {? [a] : b, brokers: embedded} ",
        "2:11: a key has to be a plain word"),
    Refusal(
        "kafka: {brokers: embedded} ", "kafka: {brokers: @x} ",
        "2:18: a value cannot begin with `@`; put it in quotes"),
    Refusal(
        "    topic: clicks", "\ttopic: clicks",
        "5:1: a tab; YAML is indented with spaces"),
    Refusal(
        "dead_letter: {topic: clicks.dead-letter}", "---",
        "39:1: a second document; a file holds one"),
]
