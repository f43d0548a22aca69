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

/// `rd_kafka_producev` for one message with a topic name, copied by librdkafka. `partition` -1 lets the partitioner
/// choose; `timestamp` 0 is now, else milliseconds since 1970. `key` and `value` may be NULL (no key, a tombstone).
/// `headers` (rd_kafka_headers_t) may be NULL; it belongs to librdkafka if the answer is 0 and to the caller otherwise.
/// Returns the rd_kafka_resp_err_t as an int.
int millrace_rdkafka_produce(
    void *_Nonnull producer, const char *_Nonnull topic, int32_t partition, const void *_Nullable key, size_t key_count,
    const void *_Nullable value, size_t value_count, int64_t timestamp, void *_Nullable headers);

// libmicrohttpd, whose start function is variadic.

struct sockaddr;
struct millrace_http;

/// What a handler fills in. `body` was allocated with malloc and is freed with the answer; `content_type` is static.
struct millrace_http_answer {
    unsigned status;
    const char *_Nullable content_type;
    void *_Nullable body;
    size_t body_size;
};

/// Called on a thread of the connection's own. `authorization` is the header's value, if there is one.
typedef void (*millrace_http_handler)(void *_Nullable context, const char *_Nonnull method, const char *_Nonnull path,
                                      const char *_Nullable authorization, struct millrace_http_answer *_Nonnull answer);

/// Listens at `address`; with `certificate` and `key` (PEM texts that stay valid) for TLS. NULL when that fails, see errno.
struct millrace_http *_Nullable millrace_http_start(const struct sockaddr *_Nonnull address, const char *_Nullable certificate,
                                                    const char *_Nullable key, unsigned connections_max,
                                                    unsigned idle_seconds, millrace_http_handler _Nonnull handler,
                                                    void *_Nullable context);
/// The port that it listens at.
int millrace_http_port(struct millrace_http *_Nonnull http);
/// Ends connections and threads.
void millrace_http_stop(struct millrace_http *_Nonnull http);

#ifdef __cplusplus
extern "C" {
#endif

/// Has the databases that are opened with these options (rocksdb_options_t) write no log of messages.
void millrace_rocksdb_silence(void *_Nonnull options);

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


/// Has malloc take blocks of `large` bytes and more from the system and give them back when they are freed, whatever came before: what is large here
/// lives long and grows, and leaves holes that nothing else fits into.
void millrace_settle_malloc(int32_t large);

/// Gives a range of a file back to the file system, where that can do it; the file then reads as zeros there.
void millrace_punch_hole(int descriptor, int64_t start, int64_t count);

/// Memory from the system, for munmap; NULL when there is none.
void *_Nullable millrace_allocate_pages(size_t count);
/// Makes such memory larger or smaller, without copying it where the system can do that; it may move. NULL when that cannot be: then it is
/// as it was.
void *_Nullable millrace_resize_pages(void *_Nonnull pages, size_t old_count, size_t new_count);

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/// The first byte from `at` on that does not stand for itself in a JSON string of ASCII: a quote, a backslash, a control character
/// or a byte above 0x7F; `count` when there is none. Reads nothing at or beyond `count`.
static inline size_t millrace_json_plain_end(const uint8_t *_Nonnull bytes, size_t at, size_t count) {
#ifdef __SSE2__
    while (count - at >= 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(bytes + at));
        // Signed: what is above 0x7F is negative.
        __m128i special = _mm_or_si128(
            _mm_cmplt_epi8(block, _mm_set1_epi8(0x20)),
            _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')), _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'))));
        unsigned mask = (unsigned)_mm_movemask_epi8(special);
        if (mask != 0) return at + (size_t)__builtin_ctz(mask);
        at += 16;
    }
#endif
    while (at < count && bytes[at] >= 0x20 && bytes[at] < 0x80 && bytes[at] != '"' && bytes[at] != '\\') at++;
    return at;
}

// libcurl, whose option calls are variadic. The answer is the CURLcode.

/// Reads or writes `size * count` bytes at `buffer`; returns how many it took or gave.
typedef size_t (*millrace_curl_transfer)(char *_Nonnull buffer, size_t size, size_t count, void *_Nullable context);

int millrace_curl_set_number(void *_Nonnull handle, int option, long value);
int millrace_curl_set_size(void *_Nonnull handle, int option, int64_t value);
int millrace_curl_set_text(void *_Nonnull handle, int option, const char *_Nullable value);
int millrace_curl_set_pointer(void *_Nonnull handle, int option, void *_Nullable value);
int millrace_curl_set_transfer(void *_Nonnull handle, int option, millrace_curl_transfer _Nullable function);
/// The status of the last answer; 0 when there was none.
int millrace_curl_status(void *_Nonnull handle);

/// Tells the kernel to begin writing a file's dirty pages, and does not wait for them. Makes nothing durable; does nothing where
/// there is no such call.
void millrace_start_writeback(int descriptor);

/// Whether writes to the file go around the page cache from now on (O_DIRECT): addresses, lengths and places have to be whole
/// pages then. -1 where the file system has no such thing.
int millrace_set_direct(int descriptor, int is_direct);

/// Waits until a socket has something to read (1), the time is over (0), or the wait is interrupted (-1).
int millrace_wait_readable(int descriptor, int64_t nanoseconds);

#endif
