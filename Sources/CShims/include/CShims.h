// C and C++ that Swift cannot import (variadics, simdjson, intrinsics). No logic of ours lives here.
#ifndef CSHIMS_H
#define CSHIMS_H

#include <stddef.h>
#include <stdint.h>

/// Asks the processor to bring the cache line at `address` closer. Never faults.
static inline void millrace_prefetch(const void *_Nullable address) { __builtin_prefetch(address); }

/// Names the calling thread in what the system's tools show (at most 15 bytes count).
void millrace_name_thread(const char *_Nonnull name);

/// CRC-32C of `count` bytes, continued from `crc` (0 to begin with). The empty input gives `crc` back.
uint32_t millrace_crc32c(uint32_t crc, const void *_Nullable bytes, size_t count);

/// The same without the processor's instruction, to test one against the other.
uint32_t millrace_crc32c_portable(uint32_t crc, const void *_Nullable bytes, size_t count);

/// Gives a range of a file back to the file system, where that can do it; the file then reads as zeros there.
void millrace_punch_hole(int descriptor, int64_t start, int64_t count);

#endif
