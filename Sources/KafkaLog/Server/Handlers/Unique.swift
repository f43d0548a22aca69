extension Sequence where Element: Hashable {
    /// Each element once, in the order of its first: an answer about the same thing a million times would be a million times as large as
    /// the request.
    var unique: [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
