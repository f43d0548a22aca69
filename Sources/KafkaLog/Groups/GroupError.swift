/// The error codes that the group coordinator answers with: Kafka's names and numbers.
package enum GroupError: Int16, Error, Sendable, CaseIterable {
    /// The assignment is too large to be stored. Kafka answers the same when its log refuses the record.
    case unknownServerError = -1
    case none = 0
    case offsetMetadataTooLarge = 12
    case coordinatorNotAvailable = 15
    case illegalGeneration = 22
    case inconsistentGroupProtocol = 23
    case invalidGroupID = 24
    case unknownMemberID = 25
    case invalidSessionTimeout = 26
    case rebalanceInProgress = 27
    case invalidRequest = 42
    /// A limit of this broker that Kafka does not have (the number of groups).
    case policyViolation = 44
    case nonEmptyGroup = 68
    case groupIDNotFound = 69
    case memberIDRequired = 79
    case groupMaxSizeReached = 81
    case fencedInstanceID = 82
    case groupSubscribedToTopic = 86
    case unstableOffsetCommit = 88
}
