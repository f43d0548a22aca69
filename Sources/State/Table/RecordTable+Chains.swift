// Where a record belongs among the others of its key. Chains are short as a rule and are walked; a long one has a directory: the
// numbers of its records in order, so that finding a place takes steps of which there are few, and coming and going moves four bytes a record.
extension RecordTable {
    /// Chains that are walked have up to so many records, about.
    static let walkMax = 32

    /// The last record of the chain of `head` that starts at or before `start`; nil when all start later.
    package func last(startingBy start: Int64, in head: Record) -> Record? {
        guard head.pointee.start <= start else { return nil }
        if head.pointee.flags & RecordHeader.hasDirectory != 0 { return place(startingBy: start, in: head).before }
        var found = head
        while found.pointee.next != RecordHeader.none {
            let next = record(found.pointee.next)
            guard next.pointee.start <= start else { break }
            found = next
        }
        return found
    }

    /// In a chain with a directory: how many records start at or before `start`, and the last of them.
    private func place(startingBy start: Int64, in head: Record) -> (count: Int, before: Record) {
        guard let directory = directories[head.pointee.number] else { preconditionFailure("a chain that has a directory has one") }
        var low = 1
        var high = directory.count
        while low < high {
            let middle = (low + high) / 2
            if record(directory[middle]).pointee.start <= start { low = middle + 1 } else { high = middle }
        }
        return (low, record(directory[low - 1]))
    }

    /// Links `record` into the chain of `head`, where its start belongs.
    mutating func link(_ record: Record, besides head: Record) {
        let start = record.pointee.start
        if start < head.pointee.start {
            makeHead(record, insteadOf: head)
            record.pointee.next = head.pointee.number
            if record.pointee.flags & RecordHeader.hasDirectory != 0 {
                directories[record.pointee.number]?.insert(record.pointee.number, at: 0)
            }
            return
        }
        if head.pointee.flags & RecordHeader.hasDirectory != 0 {
            let place = place(startingBy: start, in: head)
            link(record, after: place.before)
            directories[head.pointee.number]?.insert(record.pointee.number, at: place.count)
            return
        }
        var before = head
        var steps = 0
        while before.pointee.next != RecordHeader.none, self.record(before.pointee.next).pointee.start <= start {
            before = self.record(before.pointee.next)
            steps += 1
        }
        link(record, after: before)
        if steps >= Self.walkMax { makeDirectory(head) }
    }

    private func link(_ record: Record, after before: Record) {
        record.pointee.next = before.pointee.next
        before.pointee.next = record.pointee.number
    }

    private mutating func makeDirectory(_ head: Record) {
        var numbers: [UInt32] = []
        var next: UInt32 = head.pointee.number
        while next != RecordHeader.none {
            numbers.append(next)
            next = record(next).pointee.next
        }
        directories[head.pointee.number] = numbers
        head.pointee.flags |= RecordHeader.hasDirectory
    }

    /// Takes a record that is not the first out of its chain.
    mutating func unlink(_ record: Record, after head: Record) {
        if head.pointee.flags & RecordHeader.hasDirectory != 0 {
            // Of records that start together it is the last.
            let (count, found) = place(startingBy: record.pointee.start, in: head)
            precondition(count > 1 && found == record, "a chain's directory has its records in order")
            if let before = directories[head.pointee.number]?[count - 2] { self.record(before).pointee.next = record.pointee.next }
            directories[head.pointee.number]?.remove(at: count - 1)
            return
        }
        var before = head
        while before.pointee.next != record.pointee.number { before = self.record(before.pointee.next) }
        before.pointee.next = record.pointee.next
    }

    /// `new` takes the place of `old` as the first of the chain; if that leaves it, the directory says so already.
    mutating func makeHead(_ new: Record, insteadOf old: Record) {
        index.replace(old.pointee.hash, old.pointee.number, by: new.pointee.number)
        let flags = old.pointee.flags
        old.pointee.flags &= ~(RecordHeader.isHead | RecordHeader.hasDirectory | openMark)
        new.pointee.flags |= RecordHeader.isHead | (flags & (RecordHeader.isPersisted | RecordHeader.hasDirectory | openMark))
        if flags & RecordHeader.hasDirectory != 0 {
            directories[new.pointee.number] = directories.removeValue(forKey: old.pointee.number)
        }
        if flags & openMark != 0 { dirty.append(new.pointee.number) }
    }

    /// The first of a chain leaves it.
    mutating func dropFirst(_ head: Record) {
        if head.pointee.flags & RecordHeader.hasDirectory != 0 { directories[head.pointee.number]?.removeFirst() }
    }

    /// The chain is no more.
    mutating func dropDirectory(_ head: Record) {
        if head.pointee.flags & RecordHeader.hasDirectory != 0 { directories[head.pointee.number] = nil }
    }
}
