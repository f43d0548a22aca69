/// A value of a YAML file with its place.
struct YAMLNode {
    enum Content {
        case scalar(YAMLScalar)
        case sequence([YAMLNode])
        case mapping([YAMLEntry])
        /// It has been reported: say no more.
        case broken
    }

    let content: Content
    /// Unicode scalars before it in the file.
    let start: Int
}

struct YAMLEntry {
    let key: String
    let keyStart: Int
    let value: YAMLNode
}

struct YAMLScalar {
    /// After substitution.
    let text: String
    let isPlain: Bool
    let isBlock: Bool
    /// Unicode scalars from the file's start: the scalar as written, with its quotes.
    let range: Range<Int>
    /// What the environment put in; empty for most.
    let substitutions: [Substitution]

    /// Nothing was written, or one of YAML's words for it.
    var isNothing: Bool {
        isPlain && substitutions.isEmpty && (text.isEmpty || text == "~" || text.lowercased() == "null")
    }

    /// For messages: values from the environment may be secrets.
    var shown: String {
        guard substitutions.isEmpty else { return "a value from the environment" }
        let line = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
        return line.unicodeScalars.count > 60 ? "`\(line.prefix(60))...`" : "`\(line)`"
    }
}

extension YAMLScalar {
    /// Where in `source` the character stands that is `offset` Unicode scalars into `text`. Exact unless escape
    /// sequences are in the way: then it is the scalar's start.
    func position(of offset: Int, in source: SourceText) -> Int {
        var before = offset
        for substitution in substitutions.reversed() where offset >= substitution.start {
            before =
                offset < substitution.start + substitution.length
                ? substitution.writtenStart : offset - substitution.start - substitution.length + substitution.writtenEnd
            break
        }
        return align(before, source) ?? range.lowerBound
    }

    /// Follows the written characters and those of the value side by side; they differ in quotes and white space only.
    private func align(_ offset: Int, _ source: SourceText) -> Int? {
        let value = Array(written.unicodeScalars)
        var position = range.lowerBound
        if isBlock {
            while position < range.upperBound, !SourceText.breaksLine(source.scalars[position]) { position += 1 }
        } else if !isPlain {
            position += 1
        }
        let isSingleQuoted = !isPlain && !isBlock && source.scalars[range.lowerBound] == "'"
        for index in 0...min(offset, value.count) {
            let isEnd = index == value.count
            if !isEnd, !value[index].properties.isWhitespace {
                while position < range.upperBound, source.scalars[position].properties.isWhitespace { position += 1 }
                guard position < range.upperBound, source.scalars[position] == value[index], isBlock || isPlain || value[index] != "\\"
                else { return nil }
            }
            if index == offset || isEnd { return position }
            if !value[index].properties.isWhitespace {
                position += isSingleQuoted && value[index] == "'" ? 2 : 1
            } else if position < range.upperBound, source.scalars[position] == value[index] {
                position += 1
            }
        }
        return nil
    }

    /// The value before substitution.
    private var written: String {
        var rest = Array(text.unicodeScalars)[...]
        var written = String.UnicodeScalarView()
        var consumed = 0
        for substitution in substitutions {
            written.append(contentsOf: rest.prefix(substitution.start - consumed))
            rest = rest.dropFirst(substitution.start - consumed + substitution.length)
            consumed = substitution.start + substitution.length
            written.append(contentsOf: substitution.written.unicodeScalars)
        }
        written.append(contentsOf: rest)
        return String(written)
    }
}
