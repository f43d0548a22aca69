extension PartitionLog {
    /// The newest epoch of a producer that is remembered; nil for any other.
    package func epoch(ofProducer producerID: Int64) -> Int16? { producers.entries[producerID]?.epoch }
}

extension PartitionLog {
    /// A producer as DescribeProducers shows it (KIP-664).
    package struct ActiveProducer: Sendable, Hashable {
        package let producerID: Int64
        package let epoch: Int16
        /// -1 when it wrote nothing in this epoch.
        package let lastSequence: Int32
        /// When it last wrote here, milliseconds since 1970.
        package let lastAppend: Int64
        /// -1 when none of its transactions has ended here.
        package let coordinatorEpoch: Int32
        /// First offset of its transaction that is under way, -1 without one.
        package let transactionStart: Int64
    }

    /// The producers that are remembered, by id.
    package var activeProducers: [ActiveProducer] {
        producers.entries.sorted { $0.key < $1.key }.map { id, state in
            ActiveProducer(
                producerID: id, epoch: state.epoch, lastSequence: state.batches.last?.lastSequence ?? -1, lastAppend: state.lastAppend,
                coordinatorEpoch: state.coordinatorEpoch, transactionStart: state.transactionStart)
        }
    }
}
