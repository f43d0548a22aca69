#define _GNU_SOURCE
#include "CShims.h"
#include <fcntl.h>

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
