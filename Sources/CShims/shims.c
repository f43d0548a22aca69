#define _GNU_SOURCE
#include "CShims.h"
#include <malloc.h>
#include <pthread.h>
#include <string.h>

void millrace_name_thread(const char *name) {
    char cut[16];
    strncpy(cut, name, sizeof cut - 1);
    cut[sizeof cut - 1] = 0;
    pthread_setname_np(pthread_self(), cut);
}

void millrace_settle_malloc(int32_t large) {
    mallopt(M_MMAP_THRESHOLD, large);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
    mallopt(M_ARENA_MAX, 4);
}
