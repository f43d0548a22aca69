extension PartitionLog {
    /// The newest epoch of a producer that is remembered; nil for any other.
    package func epoch(ofProducer producerID: Int64) -> Int16? { producers.entries[producerID]?.epoch }
}
