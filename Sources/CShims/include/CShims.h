// C and C++ that Swift cannot import (variadics, simdjson, intrinsics). No logic of ours lives here.
#ifndef CSHIMS_H
#define CSHIMS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/// Asks the processor to bring the cache line at `address` closer. Never faults.
static inline void millrace_prefetch(const void *_Nullable address) { __builtin_prefetch(address); }

/// Names the calling thread in what the system's tools show (at most 15 bytes count).
void millrace_name_thread(const char *_Nonnull name);

/// `accept4` (a GNU extension): a connection that is non-blocking and closed on exec from its first moment.
int millrace_accept(int listener, struct sockaddr *_Nullable address, socklen_t *_Nullable size);

/// CRC-32C of `count` bytes, continued from `crc` (0 to begin with). The empty input gives `crc` back.
uint32_t millrace_crc32c(uint32_t crc, const void *_Nullable bytes, size_t count);

/// The same without the processor's instruction, to test one against the other.
uint32_t millrace_crc32c_portable(uint32_t crc, const void *_Nullable bytes, size_t count);

#endif
