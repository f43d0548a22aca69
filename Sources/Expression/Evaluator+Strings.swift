import Batch

/// The longest string that `concat` and `||` make, in bytes; beyond it their result is null. It keeps a column of any
/// batch that the engine makes (a few thousand rows) far from the 4 GiB that a column can hold, so that results do not
/// depend on how the log was cut into batches.
let concatenatedLengthMax = 256 << 10

extension Column {
    /// Copies `utf8` into the column's bytes, for a row to refer to; nil when the column is full.
    mutating func store(_ utf8: some Collection<UInt8>) -> StringView? {
        guard bytes.count + utf8.count <= Int(UInt32.max) else { return nil }
        let view = StringView(start: UInt32(bytes.count), length: UInt32(utf8.count))
        bytes.append(contentsOf: utf8)
        return view
    }
}

extension Evaluator {
    mutating func call(_ function: Function, _ arguments: [Node], _ type: ValueType) -> Values {
        let values = arguments.map { evaluate($0) }
        defer { for argument in values { recycle(argument) } }
        var output = output(type)
        switch function {
        case .lower: changeCase(values[0], toUpper: false, &output)
        case .upper: changeCase(values[0], toUpper: true, &output)
        case .trim: trim(values[0], start: true, end: true, &output)
        case .ltrim: trim(values[0], start: true, end: false, &output)
        case .rtrim: trim(values[0], start: false, end: true, &output)
        case .length:
            mapStrings(StringOperand(values[0]), &output.integers) { bytes, view in Int64(characterCount(bytes, view.range)) }
        case .substr: substr(values, &output)
        case .concat: concat(values, &output)
        case .date: dates(values[0], &output)
        case .hour: map(Operand(values[0].column.integers, values[0]), &output.integers) { Calendar.hour($0) }
        }
        for argument in values { inheritNulls(&output, argument) }
        return owned(output)
    }

    /// All bytes at once, in place: that is right for every string of ASCII. The others are made one by one.
    private func changeCase(_ operand: Values, toUpper: Bool, _ output: inout Column) {
        output.bytes = operand.column.bytes
        let isASCII = Self.changeCase(&output.bytes, toUpper: toUpper)
        mapStrings(StringOperand(operand), &output.views) { _, view in view }
        guard !isASCII else { return }
        for row in rows {
            let text = operand.column.bytes[output.views[Int(row)].range]
            guard text.contains(where: { $0 >= 0x80 }) else { continue }
            let string = String(decoding: text, as: UTF8.self)
            // A column that is full keeps the text with only its ASCII letters changed.
            if let view = output.store((toUpper ? string.uppercased() : string.lowercased()).utf8) { output.views[Int(row)] = view }
        }
    }

    /// - Returns: whether there are no other bytes than ASCII.
    private static func changeCase(_ bytes: inout [UInt8], toUpper: Bool) -> Bool {
        let first = UInt8(ascii: toUpper ? "a" : "A")
        var bytes = bytes.mutableSpan
        var all: UInt8 = 0
        for index in bytes.indices {
            let byte = bytes[index]
            all |= byte
            bytes[index] = byte &- first < 26 ? byte ^ 0x20 : byte
        }
        return all < 0x80
    }

    /// Spaces (U+0020), as SQL has it. The result shares the operand's bytes.
    private func trim(_ operand: Values, start: Bool, end: Bool, _ output: inout Column) {
        output.bytes = operand.column.bytes
        mapStrings(StringOperand(operand), &output.views) { bytes, view in
            var range = view.range
            let space = UInt8(ascii: " ")
            while start, !range.isEmpty, bytes[range.lowerBound] == space { range = range.dropFirst() }
            while end, !range.isEmpty, bytes[range.upperBound - 1] == space { range = range.dropLast() }
            return StringView(start: UInt32(range.lowerBound), length: UInt32(range.count))
        }
    }

    /// `substr(text, start, count)` in characters from 1; a negative start counts from the end, 0 is 1. The result
    /// shares the operand's bytes.
    private func substr(_ arguments: [Values], _ output: inout Column) {
        let text = arguments[0].column
        output.bytes = text.bytes
        let bytes = text.bytes.span
        for row in rows {
            let row = Int(row)
            let range = text.views[row & arguments[0].mask].range
            let start = arguments[1].column.integers[row & arguments[1].mask]
            let count = arguments.count > 2 ? arguments[2].column.integers[row & arguments[2].mask] : .max
            let part = characters(bytes, range, from: start, count: count)
            output.views[row] = StringView(start: UInt32(part.lowerBound), length: UInt32(part.count))
        }
    }

    private func concat(_ arguments: [Values], _ output: inout Column) {
        var known = verdicts()
        for row in rows {
            let row = Int(row)
            let length = arguments.reduce(0) { $0 + Int($1.column.views[row & $1.mask].length) }
            let start = output.bytes.count
            guard length <= concatenatedLengthMax, start + length <= Int(UInt32.max) else {
                known[row] = 0
                continue
            }
            for argument in arguments {
                output.bytes.append(contentsOf: argument.column.bytes[argument.column.views[row & argument.mask].range])
            }
            output.views[row] = StringView(start: UInt32(start), length: UInt32(length))
        }
        setValidity(&output, known)
    }

    /// Neighbouring rows are mostly of one day: its text is made once and shared.
    private func dates(_ operand: Values, _ output: inout Column) {
        var day: Int64?
        var view = StringView(start: 0, length: 0)
        for row in rows {
            let time = operand.column.integers[Int(row) & operand.mask]
            let current = Calendar.floorDivide(time, Calendar.day)
            if day != current {
                day = current
                view = output.store(Calendar.dateText(time).utf8) ?? view
            }
            output.views[Int(row)] = view
        }
    }
}

/// Unicode scalars in `range`: the bytes that do not continue one.
private func characterCount(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int {
    var count = 0
    for index in range { count += bytes[index] & 0xC0 == 0x80 ? 0 : 1 }
    return count
}

private func characters(_ bytes: Span<UInt8>, _ range: Range<Int>, from start: Int64, count: Int64) -> Range<Int> {
    guard count > 0 else { return range.lowerBound..<range.lowerBound }
    var skipped = max(start, 1) - 1
    if start < 0 {
        skipped = Int64(characterCount(bytes, range)) &+ start
        guard skipped >= 0 else { return range.lowerBound..<range.lowerBound }
    }
    let first = advance(bytes, range, by: skipped)
    return first..<advance(bytes, first..<range.upperBound, by: count)
}

/// The position `count` characters into `range`, or its end.
private func advance(_ bytes: Span<UInt8>, _ range: Range<Int>, by count: Int64) -> Int {
    var position = range.lowerBound
    var left = count
    while left > 0, position < range.upperBound {
        position += 1
        while position < range.upperBound, bytes[position] & 0xC0 == 0x80 { position += 1 }
        left -= 1
    }
    return position
}
