import KafkaLogStorage

/// Room on the log's device, as far as writing to it has told.
extension Broker {
    private static var spaceProbeMilliseconds: Int64 { 500 }
    /// What has to fit before the log calls itself usable again: about the largest batch that a producer sends by default.
    private static var spaceProbeBytes: Int { 1 << 20 }

    /// Takes note of a write that found no room: said once, and looked after until there is some.
    func noteOutOfSpace(_ reason: String) {
        counters.diskFullFailures &+= 1
        guard outOfSpace == nil else { return }
        outOfSpace = reason
        configuration.log(
            LogEvent(
                .error, "no room on the log's device: records are refused until there is",
                ["reason": reason, "directory": configuration.directory]))
        timers.add(.space, at: clock.now + Broker.spaceProbeMilliseconds)
    }

    /// Tries again until there is room.
    func lookForSpaceAgain() {
        lookForSpace()
        if outOfSpace != nil { timers.add(.space, at: clock.now + Broker.spaceProbeMilliseconds) }
    }

    func lookForSpace() {
        guard outOfSpace != nil, storageFailure == nil else { return }
        do throws(StorageError) {
            try directory.checkSpace(bytes: Broker.spaceProbeBytes)
            outOfSpace = nil
            configuration.log(LogEvent(.info, "there is room on the log's device again", ["directory": configuration.directory]))
        } catch {
            outOfSpace = error.message
        }
    }
}
