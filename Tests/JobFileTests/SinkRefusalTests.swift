import JobFile
import Testing

@Test(arguments: sinksAndDeadLetters)
func aMistakeInASinkIsRefusedAtItsPlace(_ refusal: Refusal) {
    #expect(refusals(job(refusal.old, refusal.new)) == refusal.messages)
}

private let sinksAndDeadLetters: [Refusal] = [
    Refusal(
        "sessions_topic: {from: sessions", "sessions_topic: {from: session",
        "35:26: `from` names `session`, which is no source or transform; did you mean `sessions`?"),
    Refusal(
        "sessions_topic: {from: sessions", "sessions topic: {from: sessions",
        "35:3: `sessions topic` cannot name a sink: 1 to 100 of A-Z a-z 0-9 _ -"),
    Refusal(
        "topic: sessions, key: user_id", "topic: sessions, key: userid",
        "35:66: unknown column `userid`; did you mean `user_id`?"),
    Refusal(
        "topic: sessions, key: user_id", "topic: clicks, key: user_id",
        "35:51: the sink `sessions_topic` writes to `clicks`, which the source `clicks` reads: a loop without end"),
    Refusal(
        "topic: sessions, key: user_id", "topic: clicks.dead-letter, key: user_id",
        "39:22: the dead letters and the sink `sessions_topic` both go to topic `clicks.dead-letter`"),
    Refusal(
        "topic: sessions, key: user_id", "key: user_id",
        "35:43: `kafka` has no `topic`"),
    Refusal(
        "kafka: {topic: sessions, key: user_id, format: json}}", "columns: [events]}",
        "35:19: sink `sessions_topic` writes nowhere: it needs `kafka` or `parquet`"),
    Refusal(
        "kafka: {topic: sessions, key: user_id, format: json}}", "kafkaa: {topic: x}}",
        "35:36: unknown key `kafkaa`; did you mean `kafka`?"),
    Refusal(
        "kafka: {topic: sessions, key: user_id, format: json}}", "kafka: {topic: x}, parquet: {path: y}}",
        "35:55: a sink has one target, found `kafka` and `parquet`; make two sinks"),
    Refusal(
        "kafka: {topic: sessions, key: user_id, format: json}}", "columns: [events, evnts], kafka: {topic: x}}",
        "35:54: unknown column `evnts`; did you mean `events`?"),
    Refusal(
        "kafka: {topic: sessions, key: user_id, format: json}}", "parquet: {path: data/lake/../lake/sessions/}}",
        "38:21: the sinks `sessions_topic` and `sessions_files` both write to `./data/lake/sessions`"),
    Refusal(
        "kafka: {topic: sessions, key: user_id, format: json}}", "parquet: {path: ./data/lake}}",
        "38:21: the sinks `sessions_topic` and `sessions_files` write to `./data/lake` and `./data/lake/sessions`, one inside the other"),
    Refusal(
        "path: ./data/lake/sessions", "path: s3://lake/sessions",
        "38:21: Parquet files go to a local directory, `s3://lake/sessions` is none; object stores are not supported yet"),
    Refusal(
        "[date(window_start)]", "[day(window_start)]",
        "38:58: unknown partitioning `day`; did you mean `date`?"),
    Refusal(
        "[date(window_start)]", "[date(user_id)]",
        "38:58: date(user_id) takes a timestamp, `user_id` is a string"),
    Refusal(
        "[date(window_start)]", "[date(window_strt)]",
        "38:58: unknown column `window_strt`; did you mean `window_start`?"),
    Refusal(
        "[date(window_start)]", "[window_start]",
        "38:58: files cannot be partitioned by `window_start`, a timestamp: string, int64 or bool can; write date(window_start) or hour(window_start)"
    ),
    Refusal(
        "[date(window_start)]", "[date(window_start), date(window_start)]",
        "38:78: `date(window_start)` is named twice"),
    Refusal(
        "[date(window_start)]", "[\"lower(user_id)\"]",
        "38:58: unknown partitioning `lower`; there are date and hour"),
    Refusal(
        "[date(window_start)]", "[\"user_id || 'x'\"]",
        "38:58: expected a column, date(column) or hour(column), found `user_id || 'x'`; for anything else make a column with a `select`"),
    Refusal(
        "every: 5m, size: 128MiB", "every: 5m, size: 128MB",
        "38:103: expected `size` as a size such as 64KiB, 512MiB or 1GiB, found `128MB`; did you mean `128MiB`?"),
    Refusal(
        "every: 5m, size: 128MiB", "every: 1ms, size: 1KiB",
        "38:93: `every` has to be at least 1s, found `1ms`",
        "38:104: `size` has to be at least 64KiB, found `1KiB`"),
    Refusal(
        "every: 5m, size: 128MiB", "every: 5m, max: 128MiB",
        "38:97: unknown key `max`; `roll` has `every`, `size`"),
    Refusal(
        "128MiB}}", "128MiB}, compression: gzip}",
        "38:125: expected `compression`: zstd, snappy or none, found `gzip`"),
    Refusal(
        "dead_letter: {topic: clicks.dead-letter}", "dead_letter: {topic: clicks}",
        "39:22: the dead letters go to `clicks`, which the source `clicks` reads: a loop without end"),
    Refusal(
        "dead_letter: {topic: clicks.dead-letter}", "dead_letter: clicks.dead-letter",
        "39:14: expected `dead_letter` as a mapping, found `clicks.dead-letter`"),
]
