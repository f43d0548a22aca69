#define _GNU_SOURCE
#include "CShims.h"
#include <poll.h>

int millrace_accept(int listener, struct sockaddr *address, socklen_t *size) {
    return accept4(listener, address, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int millrace_wait_readable(int descriptor, int64_t nanoseconds) {
    struct pollfd poll = {.fd = descriptor, .events = POLLIN};
    struct timespec time = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    return ppoll(&poll, 1, &time, NULL);
}
