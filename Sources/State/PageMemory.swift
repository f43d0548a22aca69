import CShims
import Glibc

/// Memory that grows and shrinks. Large blocks are the kernel's pages, which move without being copied and leave no hole behind; small ones
/// are malloc's.
enum PageMemory {
    static let pagesFrom = 128 << 10
    private static let page = 4096
    static let hugePage = 2 << 20

    static func wholePages(_ bytes: Int) -> Int { (bytes + page - 1) / page * page }

    /// Memory in huge pages where the system gives them: they save most of the address translations, which cost as much as the memory itself
    /// when what is looked for comes at random. Any part of it, from `pagesFrom` in whole pages, may be resized and freed by itself.
    static func allocateHuge(_ bytes: Int) -> UnsafeMutableRawPointer {
        let bytes = wholePages(bytes)
        guard let pages = millrace_allocate_pages(bytes + hugePage) else { preconditionFailure("out of memory: \(bytes) bytes") }
        let before = (hugePage - Int(bitPattern: pages) % hugePage) % hugePage
        if before > 0 { munmap(pages, before) }
        if before < hugePage { munmap(pages + before + bytes, hugePage - before) }
        #if os(Linux)
            _ = madvise(pages + before, bytes, MADV_HUGEPAGE)
        #endif
        return pages + before
    }

    /// - Parameters:
    ///   - old: the size of `memory`, as it was asked for; 0 for none.
    ///   - new: more than 0.
    /// - Returns: a block with what was in the old one, as far as it reaches. What is beyond may be anything.
    static func resize(_ memory: UnsafeMutableRawPointer?, from old: Int, to new: Int) -> UnsafeMutableRawPointer {
        let resized: UnsafeMutableRawPointer?
        if let memory, (old >= pagesFrom) == (new >= pagesFrom) {
            resized = old >= pagesFrom ? millrace_resize_pages(memory, old, new) : realloc(memory, new)
        } else {
            resized = new >= pagesFrom ? millrace_allocate_pages(new) : malloc(new)
            if let memory, let resized {
                memcpy(resized, memory, min(old, new))
                free(memory, old)
            }
        }
        guard let resized else { preconditionFailure("out of memory: \(new) bytes") }
        return resized
    }

    static func free(_ memory: UnsafeMutableRawPointer, _ size: Int) {
        if size >= pagesFrom { munmap(memory, size) } else { Glibc.free(memory) }
    }
}
