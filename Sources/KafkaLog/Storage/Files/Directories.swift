import Glibc

/// Calls on directories and names.
enum Directories {
    /// Names in a directory but for `.` and `..`, in no order.
    static func list(_ path: String) throws(StorageError) -> [String] {
        guard let stream = opendir(path) else { throw .system("list", path, .last) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw .system("list", path, .last) }
                return names
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
    }

    static func exists(_ path: String) -> Bool {
        access(path, F_OK) == 0
    }

    /// Makes a directory; it may be there already. Its parent has to be.
    static func create(_ path: String) throws(StorageError) {
        guard mkdir(path, 0o750) == 0 || errno == EEXIST else { throw .system("create directory", path, .last) }
    }

    /// Makes a directory and those above it that are not there.
    static func createWithParents(_ path: String) throws(StorageError) {
        if Directories.exists(path) { return }
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex { try createWithParents(String(path[..<slash])) }
        try create(path)
    }

    /// Makes names that were added, removed or changed in a directory durable.
    static func synchronize(_ path: String) throws(StorageError) {
        try FileOperations.system.synchronize(directory: path)
    }

    static func rename(_ old: String, to new: String) throws(StorageError) {
        try FileOperations.system.rename(old, to: new)
    }

    /// Removes a file; it may be gone already.
    static func removeFile(_ path: String) throws(StorageError) {
        try FileOperations.system.removeFile(path)
    }

    /// Removes a directory and the files in it, and the directories in it one level down.
    static func removeTree(_ path: String) throws(StorageError) {
        for name in try list(path) {
            let child = "\(path)/\(name)"
            if unlink(child) != 0 {
                guard errno == EISDIR || errno == EPERM else { throw .system("remove", child, .last) }
                try removeTree(child)
            }
        }
        guard rmdir(path) == 0 || errno == ENOENT else { throw .system("remove", path, .last) }
    }
}
