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

#ifdef __cplusplus
extern "C" {
#endif

/// Finds the tokens of JSON texts (simdjson's first stage). Belongs to one thread at a time.
struct millrace_json_indexer;

enum millrace_json_index_result {
    MILLRACE_JSON_INDEXED = 0,
    MILLRACE_JSON_EMPTY,
    MILLRACE_JSON_INVALID_UTF8,
    MILLRACE_JSON_UNCLOSED_STRING,
    /// A character below U+0020 inside a string.
    MILLRACE_JSON_CONTROL_CHARACTER,
    MILLRACE_JSON_UNREADABLE,
};

/// For texts of up to `capacity` bytes. NULL when there is no memory.
struct millrace_json_indexer *_Nullable millrace_json_indexer_create(size_t capacity);

void millrace_json_indexer_destroy(struct millrace_json_indexer *_Nonnull indexer);

/// Finds where every token begins in `count` bytes (1 ... the capacity), and that they are UTF-8, that every string is closed
/// and free of control characters. A token is one of {}[]:, or a string, or a run of other characters that are not white
/// space; grammar, escapes and the spelling of numbers and words are left to the caller. Reads nothing beyond `count`.
/// `tokens` gets `token_count` ascending offsets, valid until the next call; `token_count` is 0 when it fails.
enum millrace_json_index_result millrace_json_index(
    struct millrace_json_indexer *_Nonnull indexer, const uint8_t *_Nonnull bytes, size_t count,
    const uint32_t *_Nullable *_Nonnull tokens, size_t *_Nonnull token_count);

/// Writes the shortest decimal text that reads back as `value`, which is finite, as JSON has it, and always as a fraction or
/// with an exponent (5.0, 0.1, 1e+20). At most 32 bytes, without a NUL.
/// - Returns: the number of bytes.
size_t millrace_format_double(double value, char *_Nonnull output);

#ifdef __cplusplus
}
#endif

#endif
