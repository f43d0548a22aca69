import JobFile
import Testing

@Test(arguments: transforms)
func aMistakeInATransformIsRefusedAtItsPlace(_ refusal: Refusal) {
    #expect(refusals(job(refusal.old, refusal.new)) == refusal.messages)
}

private let transforms: [Refusal] = [
    Refusal(
        "    from: clicks", "    from: click",
        "21:11: `from` names `click`, which is no source or transform; did you mean `clicks`?"),
    Refusal(
        "    from: clicks", "    from: nowhere",
        "21:11: `from` names `nowhere`, which is no source or transform; there are `clicks`, `sessions`, `unique`"),
    Refusal(
        "    from: clicks", "    from: sessions",
        "21:11: the transforms run in a circle: unique -> sessions -> unique"),
    Refusal(
        "    from: clicks", "    from: unique",
        "21:11: the transforms run in a circle: unique -> unique"),
    Refusal(
        "    from: clicks", "    from: [clicks, more]",
        "21:11: `from` takes one name; joining several inputs is not supported yet"),
    Refusal(
        "    from: clicks", "    form: clicks",
        "21:5: unknown key `form`; did you mean `from`?"),
    Refusal(
        "  unique:", "  clicks:",
        "20:3: `clicks` is already the name of a source, in line 4",
        "24:11: `from` names `unique`, which is no source or transform; there are `clicks`, `sessions`"),
    Refusal(
        "  unique:", "  unique one:",
        "20:3: `unique one` cannot name a transform: 1 to 100 of A-Z a-z 0-9 _ -",
        "24:11: `from` names `unique`, which is no source or transform; did you mean `unique one`?"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "dedupe: {by: event, within: 24h}",
        "22:18: unknown column `event`; columns are event_id, user_id, ts, event_type, url, amount, os"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "dedupe: {by: event_id}",
        "22:13: `dedupe` has no `within`"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "dedupe: {by: event_id, within: 0s}",
        "22:36: `within` has to be above 0, found `0s`"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "dedupe: {by: [event_id, event_id], within: 24h}",
        "22:29: `event_id` is named twice"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "dedupe: {by: amount, within: 24h}",
        "22:18: `amount` may be null, and all nulls would be duplicates of each other; dedupe by columns that are never null"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "dedupe: {by: [], within: 24h}",
        "22:18: expected the columns that make a record a duplicate, found an empty list"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "dedupe: event_id",
        "22:13: expected `dedupe` as a mapping, found `event_id`"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "dedup: {by: event_id, within: 24h}",
        "22:5: unknown key `dedup`; did you mean `dedupe`?"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "filter: amount > 3",
        "22:5: unknown key `filter`; did you mean `where`?"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "where: amonut > 3",
        "22:12: unknown column `amonut`; did you mean `amount`?"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "where: \"amount > 'x'\"",
        "22:20: `>` cannot compare decimal(12,2) with string; numbers stand without quotes"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "where: 'url like ''%x'' and amonut > 1'",
        "22:33: unknown column `amonut`; did you mean `amount`?"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "where: amount",
        "22:12: the condition has to be true or false, this is a decimal(12,2)"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "where: amount >",
        "22:20: expected a value, found the end"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "where: lenght(url) > 3",
        "22:12: unknown function `lenght`; did you mean `length`?"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "where: url = 'x",
        "22:18: the text that begins here has no closing '"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "select: {}",
        "22:13: `select` is empty: name at least one column"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "select: [a]",
        "22:13: expected `select`, {name: expression, ...}, as a mapping, found a list"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "select: {user_id: user_id, a: substr(url, 2)}",
        "22:35: inside { } a comma ends a value; put the value in quotes",
        "30:30: unknown column `event_type`; columns are user_id",
        "31:20: unknown column `amount`; columns are user_id",
        "32:29: unknown column `url`; columns are user_id",
        "33:24: unknown column `url`; columns are user_id"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "select: {user_id: user_id, event_type: event_tpe, amount: amount, url: url}",
        "22:44: unknown column `event_tpe`; did you mean `event_type`?"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "select: {user_id: user_id, 2x: event_type}",
        "22:32: `2x` cannot name a column: letters, digits and _, no digit first",
        "30:30: unknown column `event_type`; columns are user_id",
        "31:20: unknown column `amount`; columns are user_id",
        "32:29: unknown column `url`; columns are user_id",
        "33:24: unknown column `url`; columns are user_id"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "select: {user_id: user_id, x: null}",
        "22:35: expected an expression, found nothing",
        "30:30: unknown column `event_type`; columns are user_id",
        "31:20: unknown column `amount`; columns are user_id",
        "32:29: unknown column `url`; columns are user_id",
        "33:24: unknown column `url`; columns are user_id"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "{}",
        "23:3: this is no YAML: could not find expected ':', while scanning a simple key at line 22"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "group_by: user_id",
        "22:5: transform `unique` has `group_by` but no `window`, such as window: {session: {gap: 30m}}"),
    Refusal(
        "dedupe: {by: event_id, within: 24h}", "allowed_lateness: 0s",
        "22:5: transform `unique` has `allowed_lateness` but no `window`, such as window: {session: {gap: 30m}}"),
    Refusal(
        "    group_by: [user_id]", "    group_by: [usr_id]",
        "25:16: unknown column `usr_id`; did you mean `user_id`?"),
    Refusal(
        "    group_by: [user_id]", "    group_by: []",
        "25:15: expected the columns that make a group, found an empty list"),
    Refusal(
        "    group_by: [user_id]", "    groupby: [user_id]",
        "25:5: unknown key `groupby`; did you mean `group_by`?"),
    Refusal(
        "    group_by: [user_id]", "    where: true",
        "26:5: transform `sessions` does one thing, found `where` and `window`; make two transforms"),
    Refusal(
        "    group_by: [user_id]", "    dedupe: {by: event_id, within: 1h}",
        "26:5: transform `sessions` does one thing, found `dedupe` and `window`; make two transforms"),
    Refusal(
        "window: {session: {gap: 30m}}", "window: {session: {gap: 0s}}",
        "26:29: `gap` has to be above 0, found `0s`"),
    Refusal(
        "window: {session: {gap: 30m}}", "window: {session: {}}",
        "26:23: `session` has no `gap`"),
    Refusal(
        "window: {session: {gap: 30m}}", "window: {session: {gap: 30m, max: 10m}}",
        "26:39: `max` may not be below `gap`: a session of one record is already as long as the gap"),
    Refusal(
        "window: {session: {gap: 30m}}", "window: {sesion: {gap: 30m}}",
        "26:14: unknown key `sesion`; did you mean `session`?"),
    Refusal(
        "window: {session: {gap: 30m}}", "window: {hopping: {size: 1h, every: 5m}}",
        "26:14: `hopping` windows are not supported yet; only session and tumbling are"),
    Refusal(
        "window: {session: {gap: 30m}}", "window: {cumulate: {size: 1h, step: 5m}}",
        "26:14: `cumulate` windows are not supported yet; only session and tumbling are"),
    Refusal(
        "window: {session: {gap: 30m}}", "window: {sliding: {size: 1h}}",
        "26:14: `sliding` windows are not supported yet; only session and tumbling are"),
    Refusal(
        "window: {session: {gap: 30m}}", "window: {tumbling: {size: 0s}}",
        "26:31: `size` has to be above 0, found `0s`"),
    Refusal(
        "window: {session: {gap: 30m}}", "window: {tumbling: {size: 1h}, session: {gap: 1m}}",
        "26:36: a window is of one kind, found `tumbling` and `session`"),
    Refusal(
        "window: {session: {gap: 30m}}", "window: {}",
        "26:13: `window` is empty: write {session: {gap: 30m}} or {tumbling: {size: 1h}}"),
    Refusal(
        "allowed_lateness: 0s", "allowed_lateness: -1s",
        "27:23: expected `allowed_lateness` as a duration such as 250ms, 30s, 5m, 24h or 7d, found `-1s`"),
    Refusal(
        "      events: count()", "      window_start: count()",
        "29:7: `window_start` is already the name of the start of the window"),
    Refusal(
        "      events: count()", "      user_id: count()",
        "29:7: `user_id` is already the name of a column of `group_by`"),
    Refusal(
        "      events: count()", "      events: cuont()",
        "29:15: unknown aggregate `cuont`; did you mean `count`?"),
    Refusal(
        "      events: count()", "      events: sum()",
        "29:15: `sum` needs a value, such as sum(amount)"),
    Refusal(
        "      events: count()", "      events: sum(url)",
        "29:19: `sum` takes numbers, this is a string"),
    Refusal(
        "      events: count()", "      events: sum(amonut)",
        "29:19: unknown column `amonut`; did you mean `amount`?"),
    Refusal(
        "      events: count()", "      events: count() + 1",
        "29:23: expected the end after the aggregate, found `+`; compute with results in a `select` after the window"),
    Refusal(
        "      events: count()", "      events: url",
        "29:15: expected an aggregate such as count() or sum(amount), found only `url`"),
    Refusal(
        "      events: count()", "      events: max(",
        "29:19: expected a value, found the end"),
    Refusal(
        "      revenue: sum(amount)", "      events: sum(amount)",
        "31:7: `events` is there twice; it stood in line 29 already"),
]
