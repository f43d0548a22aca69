import KafkaLogStorage
import Testing

private func entry(_ key: String, _ value: String?) -> JournalEntry {
    JournalEntry(key: [UInt8](key.utf8), value: value.map { [UInt8]($0.utf8) })
}

private func open(_ log: TestLog, _ name: String = "groups") throws -> (Journal, [JournalEntry]) {
    var restored: [JournalEntry] = []
    let journal = try log.directory.journal(name) { restored.append($0) }
    return (journal, restored)
}

private func path(_ root: String) -> String { root + "/log/journals/groups.journal" }

@Test func theJournalsFormatStaysAsItIs() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    let (journal, _) = try open(log)
    #expect(try journal.append([entry("k", "vv"), entry("gone", nil)]) == 1)
    try log.directory.close()
    let payload = bytes(hex: "0000000100000002" + "6b7676" + "00000004ffffffff" + "676f6e65")
    let length = bytes(hex: "00000017")
    var expected = bytes(hex: "4d524a4c00000001" + "4d524a46") + length
    withUnsafeBytes(of: crc32c(length + payload).bigEndian) { expected += $0 }
    expected += payload
    #expect(try contents(path(temporary.path)) == expected)
}

@Test func aJournalGivesBackWhatLivesInTheOrderOfWriting() throws {
    let temporary = TemporaryDirectory()
    do {
        let log = try TestLog(temporary.path)
        let (journal, restored) = try open(log)
        #expect(restored.isEmpty)
        _ = try journal.append([entry("a", "1"), entry("b", "2")])
        _ = try journal.append([entry("c", ""), entry("b", nil)])
        let last = try journal.append([entry("a", "3")])
        #expect(last == 3 && journal.durableSequence < last)
        var names: [String] = []
        log.directory.requestSync()
        while journal.durableSequence < last { names += try log.nextCompletions().journals }
        #expect(names.last == "groups")
        // No orderly end.
    }
    let log = try TestLog(temporary.path)
    #expect(try open(log).1 == [entry("c", ""), entry("a", "3")])
    #expect(try open(log).1.isEmpty, "only once")
}

@Test func aJournalIsCutAtItsTornEndAndAnAppendIsWholeOrNotThere() throws {
    let temporary = TemporaryDirectory(inMemory: true)
    do {
        let log = try TestLog(temporary.path)
        let (journal, _) = try open(log)
        _ = try journal.append([entry("a", "1")])
        _ = try journal.append([entry("b", "2"), entry("c", "3")])
        try log.directory.close()
    }
    let whole = try contents(path(temporary.path))
    let first = 8 + 12 + 10
    for length in 8..<whole.count {
        try write(Array(whole.prefix(length)), to: path(temporary.path))
        let log = try TestLog(temporary.path)
        let (journal, restored) = try open(log)
        #expect(restored == (length < first ? [] : [entry("a", "1")]), "cut at \(length)")
        let cut = length - (length < first ? 8 : first)
        #expect(log.directory.drainRecoveryEvents().map(\.bytes) == (cut == 0 ? [] : [Int64(cut)]))
        _ = try journal.append([entry("d", "4")])
        try log.directory.close()
        let again = try TestLog(temporary.path)
        #expect(try open(again).1 == restored + [entry("d", "4")])
    }
}

@Test func aJournalThatIsDamagedInTheMiddleIsRefused() throws {
    let temporary = TemporaryDirectory(inMemory: true)
    do {
        let log = try TestLog(temporary.path)
        let (journal, _) = try open(log)
        for index in 0..<3 { _ = try journal.append([entry("key \(index)", "value")]) }
        try log.directory.close()
    }
    let whole = try contents(path(temporary.path))
    let frame = (whole.count - 8) / 3
    for bit in 0..<(8 + frame) * 8 {
        var flipped = whole
        flipped[bit / 8] ^= 1 << UInt8(bit % 8)
        try write(flipped, to: path(temporary.path))
        let log = try TestLog(temporary.path)
        #expect(code { _ = try open(log) } == .storageError, "bit \(bit)")
        try log.directory.close()
        #expect(try contents(path(temporary.path)) == flipped)
    }
}

@Test func aJournalIsRewrittenWhenMostOfItIsOutOfDate() throws {
    let temporary = TemporaryDirectory()
    let value = String(repeating: "v", count: 10_000)
    do {
        let log = try TestLog(temporary.path)
        let (journal, _) = try open(log)
        _ = try journal.append([entry("steady", "stays")])
        for index in 0..<1000 {
            let sequence = try journal.append([entry("key \(index % 3)", value + String(index))])
            #expect(sequence == UInt64(index) + 2)
            #expect(journal.byteCount < 3 << 20)
        }
        _ = try journal.append([entry("key 0", nil)])
    }
    let log = try TestLog(temporary.path)
    let restored = try open(log).1
    #expect(Set(restored) == [entry("steady", "stays"), entry("key 1", value + "997"), entry("key 2", value + "998")])
}
