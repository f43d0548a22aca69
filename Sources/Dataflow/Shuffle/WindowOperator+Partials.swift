import Batch
import State

// Windows of one key that several tasks fold: each what it has, and one task combines.
extension WindowOperator {
    /// The windows of a partial operator as blocks for the partitions of their keys, `partitions` of them; the operator is
    /// empty afterwards. For `merge` of an operator with the same fingerprint.
    ///
    /// A block has at most about 512 KiB. A window with more distinct values than that travels in parts; one with longer
    /// strings makes its block larger.
    /// - Returns: per partition, its blocks with the number of rows in them. Only the sum of these over all blocks is meant:
    ///   the first has them all.
    package func takePartials(partitions: Int) -> [[(rows: Int, bytes: [UInt8])]] {
        precondition(definition.isPartial, "windows that close are not taken")
        guard keyCount > 0 else { return Array(repeating: [], count: partitions) }
        let blocks = core.partials(partitions: partitions, definitionHash: definitionHash)
        let watermark = core.watermark
        core = WindowCore(definition)
        core.watermark = watermark
        return blocks.map { blocks in
            blocks.map { bytes in
                defer { foldedRows = 0 }
                return (foldedRows, bytes)
            }
        }
    }

    /// Makes a block's windows part of those that are open here. To be followed by `advance`, as a batch is.
    ///
    /// Of rows with the same event time from different tasks, `first` and `last` take either; floats are added in the order in
    /// which blocks come. A window that ends at or before the watermark that was advanced to comes out with the next `advance`;
    /// there is none with a definition `belowShuffle` and a watermark that is never above those of the tasks which send.
    ///
    /// Throws `.damaged`, and has taken nothing, when the block is none of windows of this definition.
    package func merge(_ block: UnsafeRawBufferPointer) throws(StateError) {
        precondition(canMerge, "a session with a maximum, or a partial window, combines nothing")
        guard
            let windows = PartialCodec.read(block, core.layout, definition.kind, definitionHash: definitionHash),
            areKeys(windows)
        else {
            throw StateError(
                .damaged, "partial windows for \(definition.name)",
                "a block of \(block.count) bytes does not hold windows as the transform defines them",
                remedy: "if the transform was changed, let the job as it was before finish what is between its tasks first")
        }
        if core.hasColdKeys { try core.fetchMissing(windows, namespaces.windows, namespaces.sets, home) }
        for window in windows { core.merge(window) }
    }

    private var canMerge: Bool {
        if case .session(_, _?) = definition.kind { return false }
        return !definition.isPartial
    }

    private func areKeys(_ windows: [PartialWindow]) -> Bool {
        guard !codec.isPlainString else { return true }
        var columns = codec.fields.map { Column($0.type) }
        return windows.allSatisfy { codec.decode($0.key, into: &columns) }
    }
}
