/// What may be the name of an object: the same for every kind of storage, so that a job can move from one to another.
enum ObjectName {
    static func check(_ name: String) throws(StateError) {
        for part in name.split(separator: "/", omittingEmptySubsequences: false) {
            guard !part.isEmpty, !part.hasPrefix("."), part.utf8.count <= 200, part.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                throw StateError(
                    .badName, name, "\"\(part)\" is no part of a name: those have 1 to 200 bytes, no control characters and no dot in front",
                    remedy: "choose another name for the job or source")
            }
        }
    }
}
