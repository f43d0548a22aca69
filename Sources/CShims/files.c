#define _GNU_SOURCE
#include "CShims.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

void millrace_punch_hole(int descriptor, int64_t start, int64_t count) {
#ifdef FALLOC_FL_PUNCH_HOLE
    (void)fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, count);
#else
    (void)descriptor, (void)start, (void)count;
#endif
}

void millrace_start_writeback(int descriptor) {
#ifdef SYNC_FILE_RANGE_WRITE
    (void)sync_file_range(descriptor, 0, 0, SYNC_FILE_RANGE_WRITE);
#else
    (void)descriptor;
#endif
}

int millrace_set_direct(int descriptor, int is_direct) {
#ifdef O_DIRECT
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0) return -1;
    return fcntl(descriptor, F_SETFL, is_direct ? flags | O_DIRECT : flags & ~O_DIRECT);
#else
    (void)descriptor;
    return is_direct ? -1 : 0;
#endif
}

void *millrace_allocate_pages(size_t count) {
    void *pages = mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

void *millrace_resize_pages(void *pages, size_t old_count, size_t new_count) {
#ifdef MREMAP_MAYMOVE
    void *moved = mremap(pages, old_count, new_count, MREMAP_MAYMOVE);
    return moved == MAP_FAILED ? NULL : moved;
#else
    void *copy = millrace_allocate_pages(new_count);
    if (copy == NULL) return NULL;
    memcpy(copy, pages, old_count < new_count ? old_count : new_count);
    munmap(pages, old_count);
    return copy;
#endif
}
