import State

extension WindowOperator {
    /// Everything that was folded since the last time, per partition.
    package func takePartials(partitions: Int) -> [[(rows: Int, bytes: [UInt8])]] {
        Array(repeating: [], count: partitions)
    }

    /// Combines a block's windows with those that are open here.
    package func merge(_ block: UnsafeRawBufferPointer) throws(StateError) {}
}
