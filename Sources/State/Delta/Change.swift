/// The numbers of the tables of a task's state.
///
/// Below `firstOfTables` they are reserved: 0 and 1 belong to the home itself and never occur in changes, 2 to 15 are the runtime's.
@usableFromInline
package enum StateNamespace {
    /// What a home knows of itself: whose it is and up to where it is complete.
    @usableFromInline package static let home: UInt16 = 0
    /// The home's derived entries by window end.
    @usableFromInline package static let timers: UInt16 = 1
    @usableFromInline package static let firstOfRuntime: UInt16 = 2
    @usableFromInline package static let firstOfTables: UInt16 = 16
}

/// One change of a task's state. Its bytes are borrowed: they are good until the call that gave them returns.
@usableFromInline
package struct Change {
    @usableFromInline
    package enum Kind: UInt8, Sendable {
        case put = 0
        case delete = 1
        /// Deletes every key that begins with `key`, the empty key meaning the whole namespace.
        case deletePrefix = 2
    }

    @usableFromInline package var kind: Kind
    @usableFromInline package var namespace: UInt16
    @usableFromInline package var key: UnsafeRawBufferPointer
    /// Empty unless `kind` is `put`.
    @usableFromInline package var value: UnsafeRawBufferPointer

    @inlinable
    package init(kind: Kind, namespace: UInt16, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        self.kind = kind
        self.namespace = namespace
        self.key = key
        self.value = value
    }
}
