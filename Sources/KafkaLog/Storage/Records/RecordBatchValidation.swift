extension RecordBatchHeader {
    /// Whether the records of an uncompressed batch are as many as it says and fill it exactly, as Kafka's LogValidator asks. The records
    /// themselves are not looked into; those of a compressed batch are its readers'.
    func validateRecords(_ batch: UnsafeRawBufferPointer) throws(StorageError) {
        guard compression == Compression.none else { return }
        var position = Self.size
        for number in 0..<recordCount {
            // A length of more than five bytes is not possible in a batch.
            var raw: UInt64 = 0
            var shift: UInt64 = 0
            while true {
                guard position < batch.count, shift < 35 else { throw notRecords(number) }
                let byte = batch[position]
                position += 1
                raw |= UInt64(byte & 0x7f) << shift
                if byte < 0x80 { break }
                shift += 7
            }
            let length = Int(bitPattern: UInt(raw >> 1)) ^ -Int(bitPattern: UInt(raw & 1))
            guard length >= 0, length <= batch.count - position else { throw notRecords(number) }
            position += length
        }
        guard position == batch.count else {
            throw StorageError(.invalidRecord, "\(batch.count - position) bytes follow the \(recordCount) records of a batch")
        }
    }

    private func notRecords(_ number: Int32) -> StorageError {
        StorageError(.invalidRecord, "the batch counts \(recordCount) records; its bytes end within record \(number)")
    }
}
