// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78): the checksum of Kafka's record batches and of our own files.
// Uses the processor's instruction where there is one and a table elsewhere; Debian ships no library for it.
#include "CShims.h"
#include <string.h>

typedef uint32_t (*crc32c_function)(uint32_t, const uint8_t *, size_t);

static uint32_t table[8][256];

static uint32_t portable(uint32_t crc, const uint8_t *bytes, size_t count) {
    while (count >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        word ^= crc;
        crc = table[7][word & 0xff] ^ table[6][(word >> 8) & 0xff] ^ table[5][(word >> 16) & 0xff]
            ^ table[4][(word >> 24) & 0xff] ^ table[3][(word >> 32) & 0xff] ^ table[2][(word >> 40) & 0xff]
            ^ table[1][(word >> 48) & 0xff] ^ table[0][word >> 56];
        bytes += 8;
        count -= 8;
    }
    while (count--) crc = table[0][(crc ^ *bytes++) & 0xff] ^ (crc >> 8);
    return crc;
}

// The instruction takes three cycles and another can begin in each of them: three stretches at once cost as much as one.
enum { stretch = 1024 };

// What a checksum becomes when `stretch` zero bytes follow, by each of its bytes.
static uint32_t shifted[4][256];

static inline uint32_t shift(uint32_t crc) {
    return shifted[0][crc & 0xff] ^ shifted[1][(crc >> 8) & 0xff] ^ shifted[2][(crc >> 16) & 0xff] ^ shifted[3][crc >> 24];
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#define MILLRACE_CRC32C_INSTRUCTION __attribute__((target("sse4.2")))
#define millrace_crc32c_word(crc, word) ((uint32_t)_mm_crc32_u64((crc), (word)))
#define millrace_crc32c_byte(crc, byte) _mm_crc32_u8((crc), (byte))
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#define MILLRACE_CRC32C_INSTRUCTION
#define millrace_crc32c_word(crc, word) __crc32cd((crc), (word))
#define millrace_crc32c_byte(crc, byte) __crc32cb((crc), (byte))
#endif

#ifdef MILLRACE_CRC32C_INSTRUCTION
MILLRACE_CRC32C_INSTRUCTION static inline uint32_t add_word(uint32_t crc, const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    return millrace_crc32c_word(crc, word);
}

MILLRACE_CRC32C_INSTRUCTION static uint32_t accelerated(uint32_t crc, const uint8_t *bytes, size_t count) {
    while (count >= 3 * stretch) {
        uint32_t second = 0, third = 0;
        for (size_t i = 0; i < stretch; i += 8) {
            crc = add_word(crc, bytes + i);
            second = add_word(second, bytes + stretch + i);
            third = add_word(third, bytes + 2 * stretch + i);
        }
        crc = shift(shift(crc) ^ second) ^ third;
        bytes += 3 * stretch;
        count -= 3 * stretch;
    }
    while (count >= 8) {
        crc = add_word(crc, bytes);
        bytes += 8;
        count -= 8;
    }
    while (count--) crc = millrace_crc32c_byte(crc, *bytes++);
    return crc;
}
#endif

static crc32c_function chosen;

__attribute__((constructor)) static void choose(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0x82F63B78u & (0u - (crc & 1)));
        table[0][i] = crc;
    }
    for (int slice = 1; slice < 8; slice++)
        for (int i = 0; i < 256; i++) table[slice][i] = (table[slice - 1][i] >> 8) ^ table[0][table[slice - 1][i] & 0xff];
    for (int bit = 0; bit < 32; bit++) {
        uint32_t crc = 1u << bit;
        for (int i = 0; i < stretch; i++) crc = table[0][crc & 0xff] ^ (crc >> 8);
        for (int value = 0; value < 256; value++)
            if (value >> (bit & 7) & 1) shifted[bit >> 3][value] ^= crc;
    }
    chosen = portable;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.2")) chosen = accelerated;
#elif defined(MILLRACE_CRC32C_INSTRUCTION)
    chosen = accelerated;
#endif
}

uint32_t millrace_crc32c(uint32_t crc, const void *bytes, size_t count) {
    return ~chosen(~crc, bytes, count);
}

uint32_t millrace_crc32c_portable(uint32_t crc, const void *bytes, size_t count) {
    return ~portable(~crc, bytes, count);
}
