/// A delta as read back: header, and changes that are decompressed block by block.
package struct DeltaFile: Sendable {
    package let header: DeltaHeader

    package static func encode(_ header: DeltaHeader, _ changes: ChangeSet, level: Int32 = 1) -> [UInt8] { preconditionFailure("skeleton") }

    /// Checks everything. - Parameter name: for errors.
    package init(decoding bytes: [UInt8], name: String) throws(StateError) { preconditionFailure("skeleton") }

    /// Refuses a delta of another job or task, or another one than expected.
    package func check(job: String, task: String, reference: DeltaReference?) throws(StateError) { preconditionFailure("skeleton") }

    package var changeCount: Int { preconditionFailure("skeleton") }

    package func forEach(_ body: (Change) throws(StateError) -> Void) throws(StateError) { preconditionFailure("skeleton") }
}
