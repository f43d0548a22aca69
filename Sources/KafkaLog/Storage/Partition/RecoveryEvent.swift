/// Something that was cut, made again or found damaged when files were opened; for the server's log.
package struct RecoveryEvent: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        /// A tail that was never acknowledged was cut off.
        case truncated
        /// Acknowledged records are damaged or missing: the partition takes no writes, its files were left as they are.
        case damaged
        /// An index or snapshot was made again from the log.
        case rebuilt
    }

    package let kind: Kind
    package let path: String
    /// The first offset that is affected.
    package let offset: Int64
    /// Where in the file.
    package let position: Int64
    /// How many bytes are affected.
    package let bytes: Int64
    package let reason: String
}
