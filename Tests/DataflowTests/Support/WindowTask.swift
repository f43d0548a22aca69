import Dataflow
import Foundation
import State
import Testing

/// What a task keeps beyond its operators: the deltas of its epochs, and a home that is complete to some of them.
struct WindowTask {
    let definition: WindowDefinition
    var window: WindowOperator
    let home: any TestHome
    var deltas: [(changes: ChangeSet, watermark: Int64)] = []
    /// Deltas that the home has.
    var flushed = 0

    init(_ definition: WindowDefinition, _ home: any TestHome) throws {
        self.definition = definition
        self.home = home
        window = try #require(WindowOperator(definition, testNamespaces, home: home, spillDirectory: testSpillDirectory))
    }

    mutating func freeze(watermark: Int64) {
        var changes = ChangeSet()
        window.freeze(epoch: deltas.count + 1, into: &changes)
        deltas.append((changes, watermark))
    }

    mutating func flush(upTo count: Int) throws {
        while flushed < count {
            try home.apply(deltas[flushed].changes, epoch: flushed + 1, watermark: deltas[flushed].watermark)
            flushed += 1
        }
        window.flushed(upTo: flushed)
    }

    /// As after a crash: only home and deltas are left.
    mutating func recover() throws {
        window = try #require(WindowOperator(definition, testNamespaces, home: home, spillDirectory: testSpillDirectory))
        if flushed > 0 { try window.noteHomeIsNotEmpty() }
        for epoch in flushed..<deltas.count {
            try deltas[epoch].changes.forEach { change throws(StateError) in try window.load(change, epoch: epoch + 1) }
        }
        try window.finishLoading()
    }
}

/// Nothing in it has a name for longer than a moment.
let testSpillDirectory = NSTemporaryDirectory() + "millrace-window-tests"

/// A typed throw does not pass `withUnsafeBytes`.
func merge(_ block: [UInt8], into window: WindowOperator) throws {
    let result: Result<Void, StateError> = block.withUnsafeBytes { bytes in
        do throws(StateError) { return .success(try window.merge(bytes)) } catch { return .failure(error) }
    }
    try result.get()
}
