import Foundation

/// One line on a terminal that is written again and again; nothing where standard error is no terminal.
struct Progress {
    private let what: String
    private let isShown = isatty(STDERR_FILENO) == 1
    private let began = ContinuousClock.now
    private var shown = ContinuousClock.now

    init(_ what: String) { self.what = what }

    /// - Parameter before: what of `done` an earlier process did.
    mutating func show(_ done: Int, of total: Int, before: Int = 0, force: Bool = false) {
        guard isShown, force || ContinuousClock.now - shown > .milliseconds(200) else { return }
        shown = .now
        let seconds = max(0.001, Double((ContinuousClock.now - began) / .milliseconds(1)) / 1_000)
        let rate = Double(done - before) / seconds
        let percent = total > 0 ? " (\(done * 100 / total)%)" : ""
        let left = total > done && rate > 0 ? ", about \(Int((Double(total - done) / rate).rounded(.up))) s left" : ""
        write("\r\u{1B}[K\(what): \(done)\(percent), \(Int(rate))/s\(left)")
    }

    func end() {
        if isShown { write("\n") }
    }

    private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
