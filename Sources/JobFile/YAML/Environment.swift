import Expression

/// One place in a value that the environment filled in; all counts in Unicode scalars.
struct Substitution {
    /// In the value afterwards.
    let start: Int
    let length: Int
    /// As in the file: `${NAME:-default}`.
    let written: String
    /// In the value before.
    let writtenStart: Int
    var writtenEnd: Int { writtenStart + written.unicodeScalars.count }
}

/// `${NAME}` and `${NAME:-default}` in a value; `$${` stands for `${`. What is put in is not looked at again.
struct Environment {
    let variables: [String: String]

    struct Problem: Error {
        /// In the value before substitution.
        let offset: Int
        let message: String
    }

    func substitute(_ text: String) -> (text: String, substitutions: [Substitution], problems: [Problem]) {
        guard text.contains("${") else { return (text, [], []) }
        let scalars = Array(text.unicodeScalars)
        var result = String.UnicodeScalarView()
        var count = 0
        var substitutions: [Substitution] = []
        var problems: [Problem] = []
        var position = 0

        func put(_ value: String, from start: Int, to end: Int) {
            let length = value.unicodeScalars.count
            var written = String.UnicodeScalarView()
            written.append(contentsOf: scalars[start..<end])
            substitutions.append(Substitution(start: count, length: length, written: String(written), writtenStart: start))
            result.append(contentsOf: value.unicodeScalars)
            count += length
        }

        while position < scalars.count {
            let rest = scalars[position...]
            if rest.starts(with: ["$", "$", "{"]) {
                put("${", from: position, to: position + 3)
                position += 3
            } else if rest.starts(with: ["$", "{"]) {
                guard let close = rest.firstIndex(of: "}") else {
                    problems.append(
                        Problem(offset: position, message: "`${` has no closing `}`; write `$${` for the characters themselves"))
                    break
                }
                var inside = String.UnicodeScalarView()
                inside.append(contentsOf: scalars[position + 2..<close])
                switch value(of: String(inside)) {
                case .success(let value): put(value, from: position, to: close + 1)
                case .failure(let problem): problems.append(Problem(offset: position, message: problem.message))
                }
                position = close + 1
            } else {
                result.append(scalars[position])
                count += 1
                position += 1
            }
        }
        return (String(result), substitutions, problems)
    }

    private func value(of reference: String) -> Result<String, Problem> {
        let parts = reference.split(separator: ":-", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts.first ?? "")
        guard Self.isName(name) else {
            return .failure(
                Problem(offset: 0, message: "`${\(reference)}` is no reference to the environment; write ${NAME} or ${NAME:-default}"))
        }
        // As in a shell, `:-` also stands in for an empty value.
        if let value = variables[name], !value.isEmpty || parts.count == 1 { return .success(value) }
        if parts.count == 2 { return .success(String(parts[1])) }
        let near = suggestionForVariable(name)
        return .failure(
            Problem(offset: 0, message: "the environment has no variable `\(name)`\(near); set it or write ${\(name):-default}"))
    }

    private func suggestionForVariable(_ name: String) -> String {
        // Among all of a user's variables only close neighbours are more than chance.
        name.utf8.count < 4 ? "" : closestName(to: name, among: variables.keys.sorted()).map { " (there is `\($0)`)" } ?? ""
    }

    private static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return text.utf8.allSatisfy { $0 == UInt8(ascii: "_") || (0x30...0x39).contains($0) || (0x41...0x5A).contains($0 & 0xDF) }
    }
}
