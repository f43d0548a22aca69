import JobFile
import Testing

@Test(arguments: sources)
func aMistakeInASourceIsRefusedAtItsPlace(_ refusal: Refusal) {
    #expect(refusals(job(refusal.old, refusal.new)) == refusal.messages)
}

private let sources: [Refusal] = [
    Refusal(
        "    topic: clicks", "    topik: clicks",
        "5:5: unknown key `topik`; did you mean `topic`?"),
    Refusal(
        "    topic: clicks", "    topic: clicks/all",
        "5:12: `clicks/all` cannot be a topic: 1 to 249 of A-Z a-z 0-9 . _ -"),
    Refusal(
        "    topic: clicks", "    topic: [clicks]",
        "5:12: expected the name of a topic, found a list"),
    Refusal(
        "    format: json", "    format: avro",
        "6:13: the format `avro` is not supported yet; only json is"),
    Refusal(
        "    format: json", "    format: jsn",
        "6:13: expected `format`: json, found `jsn`; did you mean `json`?"),
    Refusal(
        "    format: json", "    format: json5x",
        "6:13: expected `format`: json, found `json5x`; did you mean `json`?"),
    Refusal(
        "    key: user_id ", "    key: userid ",
        "7:10: unknown column `userid`; did you mean `user_id`?"),
    Refusal(
        "    key: user_id ", "    key: os ",
        "7:10: the key `os` has to be a string or an int64 that is never null, it is string?"),
    Refusal(
        "    key: user_id ", "    key: ts ",
        "7:10: the key `ts` has to be a string or an int64 that is never null, it is timestamp"),
    Refusal(
        "      event_id: string", "      event_id: strng",
        "9:17: unknown type `strng`; did you mean `string`?"),
    Refusal(
        "      event_id: string", "      event_id: varchar",
        "9:17: unknown type `varchar`; did you mean `string`?"),
    Refusal(
        "      event_id: string", "      event_id: blob",
        "9:17: unknown type `blob`; types are bool, int64, float64, decimal(p,s), string, timestamp, timestamp_s, timestamp_ms, timestamp_us"
    ),
    Refusal(
        "      event_id: string", "      event-id: string",
        "9:7: `event-id` cannot name a column: letters, digits and _, no digit first; give it another name here and write the key as {type: ..., path: ...}"
    ),
    Refusal(
        "      event_id: string", "      event_id:",
        "9:16: expected a type such as string, int64 or decimal(12,2), found nothing"),
    Refusal(
        "      event_id: string", "      event_id: {path: a.b}",
        "9:17: field `event_id` has no `type`"),
    Refusal(
        "      event_id: string", "      event_id: {type: string, path: a..b}",
        "9:38: expected a path such as device.os, 1 to 16 keys with points between them, found `a..b`"),
    Refusal(
        "      event_id: string", "      event_id: {type: string, pth: a}",
        "9:32: unknown key `pth`; did you mean `path`?"),
    Refusal(
        "      event_id: string", "      event_id: {type: decimal(12,2), path: a}",
        "9:24: inside { } a comma ends a value; put the value in quotes"),
    Refusal(
        "      event_id: string", "      event_id: string(12)",
        "9:17: type `string` takes nothing in parentheses"),
    Refusal(
        "      ts: timestamp_ms", "      ts: int64",
        "16:25: the event time `ts` has to be a timestamp, it is int64; declare it as timestamp_ms or timestamp_s"),
    Refusal(
        "      ts: timestamp_ms", "      ts: timestamp_ms?",
        "16:25: the event time `ts` may not be nullable; drop the `?`: records without it become dead letters"),
    Refusal(
        "      ts: timestamp_ms", "      ts: timestamp_ns",
        "11:11: unknown type `timestamp_ns`; did you mean `timestamp_s`?"),
    Refusal(
        "      ts: timestamp_ms", "      tss: timestamp_ms",
        "16:25: unknown column `ts`; did you mean `tss`?"),
    Refusal(
        "      amount: decimal(12,2)?", "      amount: decimal",
        "14:15: a decimal is written decimal(p,s): p digits in all, s of them after the point, such as decimal(12,2)"),
    Refusal(
        "      amount: decimal(12,2)?", "      amount: decimal(39,2)",
        "14:15: the precision of a decimal is 1 to 38, not 39"),
    Refusal(
        "      amount: decimal(12,2)?", "      amount: decimal(2,3)",
        "14:15: the scale of decimal(2,3) is not between 0 and its precision"),
    Refusal(
        "      amount: decimal(12,2)?", "      amount: decimal(12)",
        "14:15: a decimal is written decimal(p,s): p digits in all, s of them after the point, such as decimal(12,2)"),
    Refusal(
        "field: ts, out_of_orderness: 60s", "field: ts",
        "16:17: `event_time` has no `out_of_orderness`"),
    Refusal(
        "field: ts, out_of_orderness: 60s", "field: ts, out_of_orderness: 60",
        "16:47: expected `out_of_orderness` as a duration such as 250ms, 30s, 5m, 24h or 7d, found `60`"),
    Refusal(
        "field: ts, out_of_orderness: 60s", "field: ts, out_of_orderness: -1s",
        "16:47: expected `out_of_orderness` as a duration such as 250ms, 30s, 5m, 24h or 7d, found `-1s`"),
    Refusal(
        "field: ts, out_of_orderness: 60s", "field: ts, out_of_orderness: 200000d",
        "16:47: `out_of_orderness` has to be at most 36500d, found `200000d`"),
    Refusal(
        "field: ts, out_of_orderness: 60s", "field: ts, outoforderness: 60s",
        "16:29: unknown key `outoforderness`; did you mean `out_of_orderness`?"),
    Refusal(
        "idle_timeout: 30s", "idle_timeout: 0s",
        "16:66: `idle_timeout` has to be above 0, found `0s`"),
    Refusal(
        "idle_timeout: 30s", "idle_timeout: 30sec",
        "16:66: expected `idle_timeout` as a duration such as 250ms, 30s, 5m, 24h or 7d, found `30sec`"),
    Refusal(
        "start: earliest", "start: earlist",
        "17:12: expected `start`: earliest, latest or a time such as 2026-01-31T12:00:00Z, found `earlist`; did you mean `earliest`?"),
    Refusal(
        "start: earliest", "start: 2026-01-31",
        "17:12: expected `start`: earliest, latest or a time such as 2026-01-31T12:00:00Z, found `2026-01-31`"),
    Refusal(
        "on_offset_out_of_range: fail", "on_offset_out_of_range: reset",
        "18:29: expected `on_offset_out_of_range`: fail, earliest or latest, found `reset`"),
    Refusal(
        "on_offset_out_of_range: fail", "on_partition_growth: go_on",
        "18:26: expected `on_partition_growth`: fail or continue, found `go_on`"),
]
