/// Why a record is on the dead-letter topic: the values of the header `millrace.reason`.
package enum DeadLetterReason: String, CaseIterable, Sendable {
    case malformed
    case missingField = "missing_field"
    case badType = "bad_type"
    case future
    case late
    case tooLarge = "too_large"

    var position: Int {
        switch self {
        case .malformed: 0
        case .missingField: 1
        case .badType: 2
        case .future: 3
        case .late: 4
        case .tooLarge: 5
        }
    }
}

/// What became of the records of one task in one epoch (promise 3: nothing vanishes).
///
/// `consumed` is counted where records are handed over, the rest where each is disposed of: the two sides know nothing
/// of each other, so that a record lost or counted twice between them shows as an imbalance.
package struct Ledger: Equatable, Sendable {
    package var consumed = 0
    /// Folded into a window, or passed on to a sink.
    package var aggregated = 0
    package var filtered = 0
    package var duplicate = 0
    private var deadLetters = [Int](repeating: 0, count: DeadLetterReason.allCases.count)

    package init() {}

    package subscript(reason: DeadLetterReason) -> Int {
        get { deadLetters[reason.position] }
        set { deadLetters[reason.position] = newValue }
    }

    package var deadLettered: Int { deadLetters.reduce(0, +) }

    package var isBalanced: Bool { consumed == aggregated + filtered + duplicate + deadLettered }

    /// What a task below a shuffle adds to the job's: its records were counted above, as passed on, and now get the fate that they have
    /// in the end.
    package var belowShuffle: Ledger {
        var ledger = self
        ledger.consumed = 0
        ledger.aggregated -= consumed
        return ledger
    }

    package static func += (left: inout Ledger, right: Ledger) {
        left.consumed += right.consumed
        left.aggregated += right.aggregated
        left.filtered += right.filtered
        left.duplicate += right.duplicate
        for reason in DeadLetterReason.allCases { left[reason] += right[reason] }
    }
}

extension Ledger: CustomStringConvertible {
    package var description: String {
        let reasons = DeadLetterReason.allCases.filter { self[$0] > 0 }.map { "\($0.rawValue) \(self[$0])" }
        return "consumed \(consumed) = aggregated \(aggregated) + filtered \(filtered) + duplicate \(duplicate)"
            + " + dead-lettered \(deadLettered)\(reasons.isEmpty ? "" : " (\(reasons.joined(separator: ", ")))")"
    }
}
