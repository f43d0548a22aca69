/// A column's name and type.
package struct Field: Hashable, Sendable {
    package var name: String
    package var type: ValueType
    package var isNullable: Bool

    package init(_ name: String, _ type: ValueType, isNullable: Bool = false) {
        self.name = name
        self.type = type
        self.isNullable = isNullable
    }
}

extension Field: CustomStringConvertible {
    package var description: String { "\(name): \(type)\(isNullable ? "?" : "")" }
}

/// The columns of a batch, in order. Names are unique.
package struct Schema: Hashable, Sendable {
    package var fields: [Field]

    package init(_ fields: [Field]) {
        self.fields = fields
    }

    /// The position of the column called `name`. Linear: for plans, not for rows.
    package func index(of name: String) -> Int? {
        fields.firstIndex { $0.name == name }
    }
}
