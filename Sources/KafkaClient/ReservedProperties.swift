/// librdkafka properties that a user may not set, with the reason why: correctness rests on them.
package enum ReservedProperties {
    package static let reasons: [String: String] = Properties.reserved
}
