import JobFile
import Testing

@Test(arguments: shuffles)
func aMistakeInAShuffleIsRefusedAtItsPlace(_ mistake: Mistake) {
    #expect(refusals(hits(mistake.transforms)) == mistake.messages)
}

/// Transforms, the first in line 10, and what is said about them.
struct Mistake: Sendable, CustomTestStringConvertible {
    let transforms: String
    let messages: [String]

    init(_ transforms: String..., says messages: String...) {
        self.transforms = transforms.joined(separator: "\n  ")
        self.messages = messages
    }

    var testDescription: String { transforms }
}

private let rest = "window: {tumbling: {size: 1h}}, aggregate: {n: count()}}"
private let mixes =
    "where it is cut depends on the order of records, and a shuffle mixes those of several partitions; leave out `max`"

private let shuffles: [Mistake] = [
    Mistake("t: {from: hits, rekey: url}", says: "10:26: expected `rekey` as a mapping, found `url`"),
    Mistake("t: {from: hits, rekey: {}}", says: "10:26: `rekey` has no `by`"),
    Mistake("t: {from: hits, rekey: {by: ulr}}", says: "10:31: unknown column `ulr`; did you mean `url`?"),
    Mistake(
        "t: {from: hits, rekey: {by: []}}",
        says: "10:31: expected the columns that make the new key, found an empty list"),
    Mistake("t: {from: hits, rekey: {by: [url, url]}}", says: "10:37: `url` is named twice"),
    Mistake("t: {from: hits, rekey: {key: url}}", says: "10:26: `rekey` has no `by`", "10:27: unknown key `key`; did you mean `by`?"),
    Mistake(
        "t: {from: hits, rekey: {by: url, partitions: 0}}",
        says: "10:48: expected `partitions` as a number from 1 to 10000, found `0`"),
    Mistake(
        "t: {from: hits, rekey: {by: url, partition: 3}}", says: "10:36: unknown key `partition`; did you mean `partitions`?"),
    Mistake(
        "t: {from: hits, rekey: {by: url, salt: 1}}", says: "10:42: expected `salt` as a number from 2 to 1024, found `1`"),
    Mistake(
        "t: {from: hits, rekey: {by: url, salt: 1025}}", says: "10:42: expected `salt` as a number from 2 to 1024, found `1025`"),
    Mistake("t: {from: hits, repartition: {by: url}}", says: "10:19: unknown key `repartition`; did you mean `rekey`?"),
    Mistake("t: {from: hits, by_key: {by: url}}", says: "10:19: unknown key `by_key`; did you mean `rekey`?"),
    Mistake("t: {from: hits, re_key: {by: url}}", says: "10:19: unknown key `re_key`; did you mean `rekey`?"),
    Mistake("t: {from: hits, key_by: url}", says: "10:19: unknown key `key_by`; did you mean `rekey` or, for a window, `group_by`?"),
    Mistake(
        "t: {from: hits, rekey: {by: url}, where: ms > 1}",
        says: "10:37: transform `t` does one thing, found `rekey` and `where`; make two transforms"),
    Mistake(
        "t: {from: hits, rekey: {by: url}, group_by: url}",
        says: "10:37: `group_by` goes with `window`, not with `rekey`; make two transforms"),
    Mistake("t: {from: hits}", says: "10:6: transform `t` does nothing: it needs `where`, `select`, `dedupe`, `rekey` or `window`"),
    Mistake(
        "r: {from: hits, rekey: {by: url}}", "t: {from: hits, where: true}",
        says: "10:3: nothing reads the transform `r`: it leads to no sink"),
    Mistake(
        "r: {from: t, rekey: {by: url}}", "t: {from: r, where: true}", says: "10:13: the transforms run in a circle: r -> t -> r"),

    Mistake("t: {from: hits, group_by: user, hot_keys: 8, \(rest)", says: "10:45: expected `hot_keys` as a mapping, found `8`"),
    Mistake("t: {from: hits, group_by: user, hot_keys: {}, \(rest)", says: "10:45: `hot_keys` has no `salt`"),
    Mistake(
        "t: {from: hits, group_by: user, hot_keys: {salt: many}, \(rest)",
        says: "10:52: expected `salt` as a number from 2 to 1024, found `many`"),
    Mistake(
        "t: {from: hits, group_by: user, hot_keys: {factor: 8}, \(rest)", says: "10:45: `hot_keys` has no `salt`",
        "10:46: unknown key `factor`; did you mean `salt`?"),
    Mistake("t: {from: hits, group_by: user, hotkeys: {salt: 8}, \(rest)", says: "10:35: unknown key `hotkeys`; did you mean `hot_keys`?"),
    Mistake(
        "t: {from: hits, hot_keys: {salt: 8}}",
        says: "10:19: transform `t` has `hot_keys` but no `window`, such as window: {session: {gap: 30m}}"),
    Mistake(
        "t: {from: hits, where: true, hot_keys: {salt: 8}}",
        says: "10:32: `hot_keys` goes with `window`, not with `where`; make two transforms"),

    Mistake(
        "r: {from: hits, rekey: {by: url, salt: 2}}", "f: {from: r, where: ms > 1}", "t: {from: f, dedupe: {by: ms, within: 1h}}",
        says:
            "12:16: `dedupe` cannot be below `rekey` `r`, which has a `salt`: copies of a record could be in different partitions; dedupe above it, or leave out `salt`"
    ),

    Mistake(
        "r: {from: hits, rekey: {by: url}}", "s: {from: r, select: {url: url}}",
        "t: {from: s, group_by: url, window: {session: {gap: 1m, max: 1h}}, aggregate: {n: count()}}",
        says: "12:64: a session with `max` cannot be below a shuffle, here `r` (`rekey` asks for it): \(mixes)"),
    Mistake(
        "t: {from: hits, group_by: url, window: {session: {gap: 1m, max: 1h}}, aggregate: {n: count()}}",
        says:
            "10:67: a session with `max` cannot be below a shuffle, here `t` (`group_by` does not contain `user`, by which source `hits` is partitioned): \(mixes)"
    ),
    Mistake(
        "t: {from: hits, group_by: user, hot_keys: {salt: 2}, window: {session: {gap: 1m, max: 1h}}, aggregate: {n: count()}}",
        says: "10:89: a session with `max` cannot be below a shuffle, here `t.salted` (`hot_keys` spreads the rows of a group): \(mixes)"),

    Mistake(
        "r: {from: hits, rekey: {by: ulr, salt: 2, partitions: many}}", "d: {from: r, dedupe: {by: url, within: 1h}}",
        "t: {from: d, group_by: url, window: {session: {gap: 1m, max: 1h}}, aggregate: {n: cuont()}}",
        says: "10:31: unknown column `ulr`; did you mean `url`?",
        "10:57: expected `partitions` as a number from 1 to 10000, found `many`",
        "11:16: `dedupe` cannot be below `rekey` `r`, which has a `salt`: copies of a record could be in different partitions; dedupe above it, or leave out `salt`",
        "12:64: a session with `max` cannot be below a shuffle, here `r` (`rekey` asks for it): \(mixes)",
        "12:85: unknown aggregate `cuont`; did you mean `count`?"),
]

@Test func aSessionOverWindowsMayHaveAMaxBelowAShuffle() throws {
    let text = hits(
        "w: {from: hits, group_by: url, window: {tumbling: {size: 1h}}, aggregate: {n: count()}}",
        "t: {from: w, group_by: url, window: {session: {gap: 1h, max: 1d}}, aggregate: {n: sum(n)}}")
    #expect(try plan(text).shuffles.map(\.name) == ["w"])
}

@Test func dedupeMayFollowWhatPutsASaltedKeyTogetherAgain() throws {
    let text = hits(
        "r: {from: hits, rekey: {by: url, salt: 4}}", "q: {from: r, rekey: {by: url}}", "t: {from: q, dedupe: {by: ms, within: 1h}}")
    #expect(try plan(text).shuffles.map(\.name) == ["r", "q"])
}

@Test func theTopicOfAShuffleMayHaveNoOtherUse() {
    let text = hits("t: {from: hits, rekey: {by: url}}")
    #expect(
        refusals(text.replacing("topic: hits", with: "topic: web.t.shuffle")) == [
            "5:12: the source `hits` reads `web.t.shuffle`, the topic of the shuffle `t`, which nothing else may use"
        ])
    #expect(
        refusals(text.replacing("topic: out", with: "topic: web.t.shuffle")) == [
            "12:33: the sink `out` writes to `web.t.shuffle`, the topic of the shuffle `t`, which nothing else may use"
        ])
    #expect(
        refusals(text + "\ndead_letter: {topic: web.t.shuffle}") == [
            "13:22: the dead letters go to `web.t.shuffle`, the topic of the shuffle `t`, which nothing else may use"
        ])
}
