/// The producers and transactions that a partition's batches tell of, as the batches go by.
package struct ProducerLedger {
    package struct Producer: Sendable {
        package let id: Int64
        package let epoch: Int16
        /// Sequence of its last record in this epoch; nil when it has none but markers.
        package let lastSequence: Int32?
        package let lastOffset: Int64?
        /// First offset of its transaction under way.
        package let transactionStart: Int64?
    }

    package struct AbortedTransaction: Sendable {
        package let producerID: Int64
        package let firstOffset: Int64
        /// Of the abort marker.
        package let lastOffset: Int64
    }

    private var states = ProducerStates()
    /// By the offset of their marker.
    package private(set) var aborted: [AbortedTransaction] = []
    package private(set) var committed = 0

    package init() {}

    /// By id.
    package var producers: [Producer] {
        states.entries.sorted { $0.key < $1.key }.map { id, state in
            Producer(
                id: id, epoch: state.epoch, lastSequence: state.batches.last?.lastSequence, lastOffset: state.batches.last?.lastOffset,
                transactionStart: state.transactionStart < 0 ? nil : state.transactionStart)
        }
    }

    /// Takes note of a batch; `marker` is what it holds if it is a control batch that ends a transaction.
    package mutating func take(_ header: RecordBatchHeader, marker: EndTransactionMarker?) {
        guard header.hasProducer else { return }
        guard header.isControl else { return states.didAppend(header, now: header.maxTimestamp) }
        guard let marker else { return }
        let ended = states.didEnd(
            header, isCommit: marker.isCommit, coordinatorEpoch: marker.coordinatorEpoch, now: header.maxTimestamp)
        guard let ended else { return }
        if marker.isCommit { committed += 1 }
        if let range = ended.aborted {
            aborted.append(AbortedTransaction(producerID: range.producerID, firstOffset: range.firstOffset, lastOffset: range.lastOffset))
        }
    }
}
