import Batch

/// The values of one operand: one a row, or one for all rows.
struct Operand<Value> {
    let values: [Value]
    let mask: Int

    init(_ values: [Value], _ source: Evaluator.Values) {
        self.values = values
        self.mask = source.mask
    }
}

/// Strings of one operand.
struct StringOperand {
    let views: [StringView]
    let bytes: [UInt8]
    let mask: Int

    init(_ source: Evaluator.Values) {
        views = source.column.views
        bytes = source.column.bytes
        mask = source.mask
    }
}

extension StringView {
    var range: Range<Int> { Int(start)..<Int(start) + Int(length) }
}

// The loops. They are inlined with their operation into each use, so that nothing is called for a row.
extension Evaluator {
    @inline(__always)
    func map<Input, Output>(_ operand: Operand<Input>, _ output: inout [Output], _ operation: (Input) -> Output) {
        let rows = rows.span
        let values = operand.values.span
        var output = output.mutableSpan
        for index in rows.indices {
            let row = Int(rows[index])
            output[row] = operation(values[row & operand.mask])
        }
    }

    @inline(__always)
    func zip<Left, Right, Output>(
        _ left: Operand<Left>, _ right: Operand<Right>, _ output: inout [Output], _ operation: (Left, Right) -> Output
    ) {
        let rows = rows.span
        let leftValues = left.values.span
        let rightValues = right.values.span
        var output = output.mutableSpan
        for index in rows.indices {
            let row = Int(rows[index])
            output[row] = operation(leftValues[row & left.mask], rightValues[row & right.mask])
        }
    }

    /// `operation` gives nil where it has no result: then the verdict of the row is 0.
    @inline(__always)
    func mapChecked<Input, Output>(
        _ operand: Operand<Input>, _ output: inout [Output], _ verdicts: inout [UInt8], _ operation: (Input) -> Output?
    ) {
        let rows = rows.span
        let values = operand.values.span
        var output = output.mutableSpan
        var verdicts = verdicts.mutableSpan
        for index in rows.indices {
            let row = Int(rows[index])
            if let value = operation(values[row & operand.mask]) { output[row] = value } else { verdicts[row] = 0 }
        }
    }

    @inline(__always)
    func zipChecked<Left, Right, Output>(
        _ left: Operand<Left>, _ right: Operand<Right>, _ output: inout [Output], _ verdicts: inout [UInt8],
        _ operation: (Left, Right) -> Output?
    ) {
        let rows = rows.span
        let leftValues = left.values.span
        let rightValues = right.values.span
        var output = output.mutableSpan
        var verdicts = verdicts.mutableSpan
        for index in rows.indices {
            let row = Int(rows[index])
            if let value = operation(leftValues[row & left.mask], rightValues[row & right.mask]) {
                output[row] = value
            } else {
                verdicts[row] = 0
            }
        }
    }

    func verdicts() -> [UInt8] { [UInt8](repeating: 1, count: rowCount) }

    /// For each row the bytes and where in them its string lies.
    @inline(__always)
    func mapStrings<Output>(_ operand: StringOperand, _ output: inout [Output], _ operation: (Span<UInt8>, StringView) -> Output) {
        let rows = rows.span
        let views = operand.views.span
        let bytes = operand.bytes.span
        var output = output.mutableSpan
        for index in rows.indices {
            let row = Int(rows[index])
            output[row] = operation(bytes, views[row & operand.mask])
        }
    }
}

/// -1, 0 or 1 by bytes, which for UTF-8 is the order of code points.
func order(_ left: Span<UInt8>, _ leftView: StringView, _ right: Span<UInt8>, _ rightView: StringView) -> Int {
    let leftStart = Int(leftView.start)
    let rightStart = Int(rightView.start)
    for index in 0..<Int(min(leftView.length, rightView.length)) {
        let leftByte = left[leftStart + index]
        let rightByte = right[rightStart + index]
        if leftByte != rightByte { return leftByte < rightByte ? -1 : 1 }
    }
    return leftView.length == rightView.length ? 0 : leftView.length < rightView.length ? -1 : 1
}

@inline(__always)
func areEqual(_ left: Span<UInt8>, _ leftView: StringView, _ right: Span<UInt8>, _ rightView: StringView) -> Bool {
    leftView.length == rightView.length && order(left, leftView, right, rightView) == 0
}
