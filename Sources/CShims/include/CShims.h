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

/// `rd_kafka_producev` for one message with a topic name, copied by librdkafka. `partition` -1 lets the partitioner
/// choose; `timestamp` 0 is now, else milliseconds since 1970. `key` and `value` may be NULL (no key, a tombstone).
/// `headers` (rd_kafka_headers_t) may be NULL; it belongs to librdkafka if the answer is 0 and to the caller otherwise.
/// Returns the rd_kafka_resp_err_t as an int.
int millrace_rdkafka_produce(
    void *_Nonnull producer, const char *_Nonnull topic, int32_t partition, const void *_Nullable key, size_t key_count,
    const void *_Nullable value, size_t value_count, int64_t timestamp, void *_Nullable headers);

/// Gives a range of a file back to the file system, where that can do it; the file then reads as zeros there.
void millrace_punch_hole(int descriptor, int64_t start, int64_t count);

#endif
