import Batch

extension Evaluator {
    /// Null where the value has no counterpart in `type`.
    mutating func cast(_ operand: Values, to type: ValueType) -> Values {
        var output = output(type)
        var verdicts = verdicts()
        let column = operand.column
        switch (column.type, type) {
        case (_, .string): toText(operand, &output, &verdicts)
        case (.string, _): fromText(operand, type, &output, &verdicts)
        case (.bool, .int64): map(Operand(column.bools, operand), &output.integers) { Int64($0) }
        case (.int64, .float64): map(Operand(column.integers, operand), &output.doubles) { Double($0) }
        case (.float64, .int64):
            // Cut towards zero.
            mapChecked(Operand(column.doubles, operand), &output.integers, &verdicts) { Int64(exactly: $0.rounded(.towardZero)) }
        case (.int64, .decimal(let precision, let scale)):
            mapChecked(Operand(column.integers, operand), &output.decimals, &verdicts) {
                Self.decimal(Int128($0), from: 0, precision, scale)
            }
        case (.decimal(_, let from), .decimal(let precision, let scale)):
            mapChecked(Operand(column.decimals, operand), &output.decimals, &verdicts) {
                Self.decimal($0, from: from, precision, scale)
            }
        case (.decimal(_, let from), .int64):
            // Cut towards zero, as from float64.
            let divisor = Decimal.powers[from]
            mapChecked(Operand(column.decimals, operand), &output.integers, &verdicts) { Int64(exactly: $0 / divisor) }
        case (.decimal(_, let from), .float64):
            map(Operand(column.decimals, operand), &output.doubles) { Decimal.double($0, scale: from) }
        case (.float64, .decimal(let precision, let scale)):
            // By the shortest text that stands for the number: 0.1 becomes 0.10 and not 0.1000000000000000055.
            mapChecked(Operand(column.doubles, operand), &output.decimals, &verdicts) { value -> Int128? in
                guard value.isFinite, let mantissa = Decimal.parse(value.description, scale: scale) else { return nil }
                return Decimal.fits(mantissa, precision) ? mantissa : nil
            }
        default: preconditionFailure("no cast from \(column.type) to \(type)")
        }
        setValidity(&output, verdicts)
        inheritNulls(&output, operand)
        return owned(output)
    }

    @inline(__always)
    private static func decimal(_ mantissa: Int128, from: Int, _ precision: Int, _ scale: Int) -> Int128? {
        guard let value = Decimal.rescale(mantissa, from: from, to: scale), Decimal.fits(value, precision) else { return nil }
        return value
    }

    private func toText(_ operand: Values, _ output: inout Column, _ verdicts: inout [UInt8]) {
        let column = operand.column
        for row in rows {
            let at = Int(row) & operand.mask
            let text =
                switch column.type {
                case .bool: column.bools[at] == 1 ? "true" : "false"
                case .int64: String(column.integers[at])
                case .timestamp: Calendar.text(column.integers[at])
                case .float64: column.doubles[at].description
                case .decimal(_, let scale): Decimal.text(column.decimals[at], scale: scale)
                case .string: column.string(at: at)
                }
            if let view = output.store(text.utf8) {
                output.views[Int(row)] = view
            } else {
                verdicts[Int(row)] = 0
            }
        }
    }

    private func fromText(_ operand: Values, _ type: ValueType, _ output: inout Column, _ verdicts: inout [UInt8]) {
        for row in rows {
            let at = Int(row) & operand.mask
            let row = Int(row)
            guard !operand.column.isNull(at) else { continue }
            let text = operand.column.string(at: at)
            switch type {
            case .bool:
                switch text.lowercased() {
                case "true": output.bools[row] = 1
                case "false": output.bools[row] = 0
                default: verdicts[row] = 0
                }
            case .int64: store(Int64(text), row, &output.integers, &verdicts)
            case .timestamp: store(Calendar.parse(text), row, &output.integers, &verdicts)
            case .float64: store(Self.double(text), row, &output.doubles, &verdicts)
            case .decimal(let precision, let scale):
                let mantissa = Decimal.parse(text, scale: scale)
                store(mantissa.flatMap { Decimal.fits($0, precision) ? $0 : nil }, row, &output.decimals, &verdicts)
            case .string: preconditionFailure("a string needs no cast")
            }
        }
    }

    private func store<Value>(_ value: Value?, _ row: Int, _ output: inout [Value], _ verdicts: inout [UInt8]) {
        if let value { output[row] = value } else { verdicts[row] = 0 }
    }

    /// Decimal digits only: no hexadecimal, no infinity.
    private static func double(_ text: String) -> Double? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) }), let value = Double(text) else {
            return nil
        }
        return value.isFinite ? value : nil
    }
}
