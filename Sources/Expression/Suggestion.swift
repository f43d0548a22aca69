/// The known name that was probably meant, for messages: nil when none is near.
///
/// A name is near when it differs in case only, or when a third of its letters at most were mistyped (inserted,
/// left out, replaced, or two neighbours swapped; at least one, at most three). Among equally near ones the first wins.
package func closestName(to name: String, among candidates: some Sequence<String>) -> String? {
    let typed = Array(name.lowercased().unicodeScalars.prefix(65))
    guard !typed.isEmpty, typed.count <= 64 else { return nil }
    let limit = min(3, max(1, typed.count / 3))
    var best: (name: String, distance: Int)?
    for candidate in candidates {
        let scalars = Array(candidate.lowercased().unicodeScalars.prefix(65))
        guard abs(scalars.count - typed.count) <= limit else { continue }
        let distance = editDistance(typed, scalars)
        if distance <= limit, distance < scalars.count, distance < best?.distance ?? .max {
            best = (candidate, distance)
        }
    }
    return best?.name
}

/// `; did you mean `x`?`, or nothing.
package func suggestion(for name: String, among candidates: some Sequence<String>) -> String {
    closestName(to: name, among: candidates).map { "; did you mean `\($0)`?" } ?? ""
}

/// Optimal string alignment: insertions, deletions, replacements and swaps of neighbours.
private func editDistance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
    var beforeLast = [Int](repeating: 0, count: right.count + 1)
    var last = Array(0...right.count)
    for row in left.indices {
        var current = [row + 1]
        current.reserveCapacity(right.count + 1)
        for column in right.indices {
            var distance = min(last[column + 1] + 1, current[column] + 1)
            distance = min(distance, last[column] + (left[row] == right[column] ? 0 : 1))
            if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                distance = min(distance, beforeLast[column - 1] + 1)
            }
            current.append(distance)
        }
        beforeLast = last
        last = current
    }
    return last[right.count]
}
